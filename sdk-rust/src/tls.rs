//! TLS of the connection: whom to trust and which certificate to show.

use tonic::transport::Endpoint;

use crate::settings::{SettingsError, Tls};

#[cfg(feature = "tls")]
pub(crate) fn apply(endpoint: Endpoint, tls: &Tls) -> Result<Endpoint, SettingsError> {
    use tonic::transport::{Certificate, ClientTlsConfig, Identity};

    let mut config = ClientTlsConfig::new();
    config = match &tls.ca {
        Some(file) => config.ca_certificate(Certificate::from_pem(read("tls_ca", file, "CERTIFICATE")?)),
        None => config.with_native_roots(),
    };
    let mut last = if tls.ca.is_some() { "tls_ca" } else { "tls" };
    if let Some((cert, key)) = &tls.client {
        let cert = read("tls_client_cert", cert, "CERTIFICATE")?;
        config = config.identity(Identity::from_pem(cert, read("tls_client_key", key, "PRIVATE KEY")?));
        last = "tls_client_key";
    }
    endpoint.tls_config(config).map_err(|error| SettingsError::new(last, "it cannot be used for TLS").caused_by(error))
}

/// The text of a PEM file, which has to hold something of that kind.
#[cfg(feature = "tls")]
fn read(setting: &'static str, file: &std::path::Path, kind: &str) -> Result<String, SettingsError> {
    let name = file.display();
    let pem = std::fs::read_to_string(file)
        .map_err(|error| SettingsError::new(setting, format!("{name} cannot be read")).caused_by(error))?;
    let holds = pem.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(kind));
    holds.then_some(pem).ok_or_else(|| SettingsError::new(setting, format!("{name} holds no PEM block of a {kind}")))
}

#[cfg(not(feature = "tls"))]
pub(crate) fn apply(_: Endpoint, _: &Tls) -> Result<Endpoint, SettingsError> {
    Err(SettingsError::new("tls", "this program was built without the feature `tls` of vexfs-client"))
}
