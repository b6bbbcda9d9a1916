//! TLS and mutual TLS with the real server.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use vexfs_client::{Client, ErrorKind};

use crate::support::server;

struct Files {
    folder: TempDir,
}

impl Files {
    /// An authority, and a certificate for the server and for a client, signed by it; and an authority nobody knows.
    fn new() -> Self {
        let files = Self { folder: TempDir::new().unwrap() };
        let authority = authority("authority");
        files.write("ca.pem", &authority.pem());
        files.write("other-ca.pem", &self::authority("another authority").pem());
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
            // A certificate whose subject is its issuer's counts as signed by itself.
            params.distinguished_name.push(DnType::CommonName, name);
            files.write(&format!("{name}.pem"), &params.signed_by(&key, &authority).unwrap().pem());
            files.write(&format!("{name}-key.pem"), &key.serialize_pem());
        }
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn both_sides_show_who_they_are() {
    let files = Files::new();
    let [ca, cert, key] = ["ca.pem", "server.pem", "server-key.pem"].map(|name| files.path(name));
    let server = server::start(&["--tls-cert", text(&cert), "--tls-key", text(&key), "--tls-client-ca", text(&ca)]);
    let builder = || Client::builder().address(&server.address).token(&server.token).max_attempts(1);
    let mutual = || builder().tls_client_cert(files.path("client.pem")).tls_client_key(files.path("client-key.pem"));

    let client = mutual().tls_ca(&ca).connect().await.unwrap();
    assert!(!client.server_info().await.unwrap().version.is_empty());

    for (what, builder) in [
        ("no certificate of the client", builder().tls_ca(&ca)),
        ("a server signed by somebody else", mutual().tls_ca(files.path("other-ca.pem"))),
        ("a server that the system does not know", mutual()),
        ("no TLS at all", builder()),
    ] {
        let error = builder.connect().await.unwrap().server_info().await.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{what}: {error:?}");
    }
}
