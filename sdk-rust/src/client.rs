//! A client and how it is made.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tonic::metadata::errors::InvalidMetadataValue;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;

use crate::call::Core;
use crate::requests::{BatchSearch, ListSkippedFiles, Search, ServerInfoRequest, WaitForViews};
use crate::settings::{Given, Settings, SettingsError};
use crate::{Collections, Files, Points, SearchQuery};

const USER_AGENT: &str = concat!("vexfs-rust/", env!("CARGO_PKG_VERSION"));

/// A client of one server. Clones are cheap and share a connection, which is made at the first call and again after it broke.
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
}

impl Client {
    /// Begin with settings; what is not set comes from the `VEXFS_*` variables, else from the defaults.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// A client by the `VEXFS_*` variables and the defaults alone.
    ///
    /// # Errors
    ///
    /// A setting that cannot be used.
    pub async fn from_env() -> Result<Self, SettingsError> {
        Self::builder().connect().await
    }

    /// Files: their content, names, attributes and metadata.
    pub fn files(&self) -> Files {
        Files::new(self.clone())
    }

    /// Collections: directories whose files carry vectors of a declared form.
    pub fn collections(&self) -> Collections {
        Collections::new(self.clone())
    }

    /// Points: the files of a collection, seen as vectors with a payload.
    pub fn points(&self) -> Points {
        Points::new(self.clone())
    }

    /// Find the files that answer a question best: words, or a vector.
    pub fn search(&self, query: impl Into<SearchQuery>) -> Search {
        Search::of(self, query.into())
    }

    /// Answer up to 100 searches, made by [`Client::search`] and not sent, in their order and from one state of the views. Their
    /// limits may be 10,000 together, the answers 3 MiB. If one search cannot be answered all fail, and the error names it, in its
    /// message and as `index` of its metadata. The batch has the time-out and the revision to wait for, and the searches have none.
    pub fn batch_search(&self, searches: impl IntoIterator<Item = Search>) -> BatchSearch {
        BatchSearch::of(self, searches)
    }

    /// Wait until all views have what the store has, so that a search finds everything written before.
    ///
    /// At the time-out it fails with [`Reason::RevisionNotReached`](crate::Reason::RevisionNotReached).
    pub fn wait_for_views(&self) -> WaitForViews {
        WaitForViews::new(self, Default::default())
    }

    /// The files whose text was not indexed, each with the reason.
    pub fn list_skipped_files(&self) -> ListSkippedFiles {
        ListSkippedFiles::new(self, Default::default())
    }

    /// What the server is, what it can, and how it is.
    pub fn server_info(&self) -> ServerInfoRequest {
        ServerInfoRequest::new(self, Default::default())
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Core { timeout, max_attempts, .. } = &*self.core;
        formatter.debug_struct("Client").field("timeout", timeout).field("max_attempts", max_attempts).finish_non_exhaustive()
    }
}

/// The settings of a client to be. An argument wins over its `VEXFS_*` variable, the variable over the default.
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `connect`"]
pub struct ClientBuilder {
    given: Given,
}

impl ClientBuilder {
    /// The server's gRPC address, `host:port`. `VEXFS_ADDRESS`, else `127.0.0.1:8083`.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.given.address = Some(address.into());
        self
    }

    /// The token that is sent with every call. `VEXFS_TOKEN`, else none.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.given.token = Some(token.into());
        self
    }

    /// TLS, trusting the system's certificates unless a file says otherwise. `VEXFS_TLS`, else off; a file below turns it on.
    pub fn tls(mut self, tls: bool) -> Self {
        self.given.tls = Some(tls);
        self
    }

    /// A PEM file: whom to trust instead of the system's certificates. `VEXFS_TLS_CA`.
    pub fn tls_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.given.tls_ca = Some(file.into());
        self
    }

    /// A PEM file: the certificate to show; needs its key. `VEXFS_TLS_CLIENT_CERT`.
    pub fn tls_client_cert(mut self, file: impl Into<PathBuf>) -> Self {
        self.given.tls_client_cert = Some(file.into());
        self
    }

    /// A PEM file: the key of the certificate to show. `VEXFS_TLS_CLIENT_KEY`.
    pub fn tls_client_key(mut self, file: impl Into<PathBuf>) -> Self {
        self.given.tls_client_key = Some(file.into());
        self
    }

    /// How long a call may take, all its attempts and pauses together; zero is no limit. `VEXFS_TIMEOUT` in seconds, else 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.given.timeout = Some(timeout);
        self
    }

    /// How often a call is tried at most; 1 never tries again. `VEXFS_MAX_ATTEMPTS`, else 4.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.given.max_attempts = Some(attempts);
        self
    }

    /// Make the client. Files are read now; the server is reached for at the first call, so it may start later.
    ///
    /// Has to be called within a Tokio runtime, which then drives the connection.
    ///
    /// # Errors
    ///
    /// A setting that cannot be used: [`SettingsError::setting`] names it.
    pub async fn connect(self) -> Result<Client, SettingsError> {
        let settings = Settings::resolve(self.given, |name| std::env::var(name).ok())?;
        let authorization = settings.token.as_deref().map(authorization).transpose()?;
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{}", settings.address))
            .and_then(|endpoint| endpoint.user_agent(USER_AGENT))
            .map_err(|error| wrong_address(&settings.address).caused_by(error))?;
        let uri = endpoint.uri();
        if uri.port_u16().is_none() || uri.path() != "/" || uri.query().is_some() {
            return Err(wrong_address(&settings.address));
        }
        let endpoint = match &settings.tls {
            Some(tls) => crate::tls::apply(endpoint, tls)?,
            None => endpoint,
        };
        let core = Core {
            channel: endpoint.tcp_nodelay(true).connect_lazy(),
            authorization,
            timeout: settings.timeout,
            max_attempts: settings.max_attempts,
        };
        Ok(Client { core: Arc::new(core) })
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the token.
        formatter.debug_struct("ClientBuilder").field("address", &self.given.address).finish_non_exhaustive()
    }
}

fn wrong_address(address: &str) -> SettingsError {
    SettingsError::new("address", format!("`{address}` is no `host:port`"))
}

fn authorization(token: &str) -> Result<MetadataValue<Ascii>, SettingsError> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}")
        .parse()
        .map_err(|error: InvalidMetadataValue| SettingsError::new("token", "it cannot be sent in a header").caused_by(error))?;
    value.set_sensitive(true);
    Ok(value)
}
