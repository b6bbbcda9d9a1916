//! Where a client gets its settings from: an argument, else a `VEXFS_*` variable, else the default.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

const ADDRESS: &str = "127.0.0.1:8083";
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_ATTEMPTS: u32 = 4;

/// What was given to the builder; what is not set comes from the environment.
#[derive(Clone, Default)]
pub(crate) struct Given {
    pub(crate) address: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) tls: Option<bool>,
    pub(crate) tls_ca: Option<PathBuf>,
    pub(crate) tls_client_cert: Option<PathBuf>,
    pub(crate) tls_client_key: Option<PathBuf>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_attempts: Option<u32>,
}

/// The settings that hold.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) address: String,
    pub(crate) token: Option<String>,
    pub(crate) tls: Option<Tls>,
    /// None is no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_attempts: u32,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Tls {
    pub(crate) ca: Option<PathBuf>,
    /// Certificate and key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

/// A setting that cannot be used: [`setting`](Self::setting) names it.
#[derive(Debug)]
pub struct SettingsError {
    setting: &'static str,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync + 'static>>,
}

impl SettingsError {
    /// The setting's name, such as `tls_client_key`.
    pub fn setting(&self) -> &str {
        self.setting
    }

    pub(crate) fn new(setting: &'static str, message: impl Into<String>) -> Self {
        Self { setting, message: message.into(), source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "setting `{}`: {}", self.setting, self.message)
    }
}

impl std::error::Error for SettingsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

impl Settings {
    /// The settings from what was given and from `variable`, which reads the environment.
    pub(crate) fn resolve(given: Given, variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |given: Option<PathBuf>, name: &str| given.or_else(|| variable(name).map(PathBuf::from));
        let ca = path(given.tls_ca, "VEXFS_TLS_CA");
        let cert = path(given.tls_client_cert, "VEXFS_TLS_CLIENT_CERT");
        let key = path(given.tls_client_key, "VEXFS_TLS_CLIENT_KEY");
        let client = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err(SettingsError::new("tls_client_key", "the certificate is given without its key")),
            (None, Some(_)) => return Err(SettingsError::new("tls_client_cert", "the key is given without its certificate")),
        };
        let switch = match given.tls {
            Some(tls) => Some(tls),
            None => variable("VEXFS_TLS").map(|value| read_switch(&value)).transpose()?,
        };
        let tls = switch.unwrap_or(ca.is_some() || client.is_some()).then_some(Tls { ca, client });
        let timeout = match given.timeout {
            Some(timeout) => timeout,
            None => variable("VEXFS_TIMEOUT").map(|value| read_seconds(&value)).transpose()?.unwrap_or(TIMEOUT),
        };
        let max_attempts = match given.max_attempts {
            Some(attempts) => attempts,
            None => variable("VEXFS_MAX_ATTEMPTS").map(|value| read_attempts(&value)).transpose()?.unwrap_or(MAX_ATTEMPTS),
        };
        if max_attempts == 0 {
            return Err(SettingsError::new("max_attempts", "a call is tried at least once"));
        }
        Ok(Self {
            address: given.address.or_else(|| variable("VEXFS_ADDRESS")).unwrap_or_else(|| ADDRESS.to_owned()),
            token: given.token.filter(|token| !token.is_empty()).or_else(|| variable("VEXFS_TOKEN")),
            tls,
            timeout: (!timeout.is_zero()).then_some(timeout),
            max_attempts,
        })
    }
}

fn read_switch(value: &str) -> Result<bool, SettingsError> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(SettingsError::new("tls", format!("`{value}` is neither `1` nor `0`, neither `true` nor `false`"))),
    }
}

fn read_seconds(value: &str) -> Result<Duration, SettingsError> {
    let wrong = || SettingsError::new("timeout", format!("`{value}` is no number of seconds, 0 or more"));
    let seconds: f64 = value.trim().parse().map_err(|error: std::num::ParseFloatError| wrong().caused_by(error))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| wrong().caused_by(error))
}

fn read_attempts(value: &str) -> Result<u32, SettingsError> {
    value.trim().parse().map_err(|error: std::num::ParseIntError| {
        SettingsError::new("max_attempts", format!("`{value}` is no whole number, 1 or more")).caused_by(error)
    })
}

#[cfg(test)]
mod tests;
