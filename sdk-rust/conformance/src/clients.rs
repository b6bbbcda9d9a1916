//! One client for each distinct connection.

use std::collections::HashMap;
use std::time::Duration;

use prost::Message as _;
use tokio::sync::Mutex;
use vexfs_client::{Client, SettingsError};

use crate::protocol::Connection;

/// Clients by the bytes of their connection.
#[derive(Default)]
pub(crate) struct Clients(Mutex<HashMap<Vec<u8>, Client>>);

impl Clients {
    /// The client of this connection. What is not set is not given to the crate.
    pub(crate) async fn get(&self, connection: &Connection) -> Result<Client, SettingsError> {
        let key = connection.encode_to_vec();
        let mut clients = self.0.lock().await;
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let mut builder = Client::builder();
        macro_rules! give {
            ($($setting:ident)*) => { $(
                if let Some(value) = connection.$setting.clone() {
                    builder = builder.$setting(value);
                }
            )* };
        }
        give!(address token tls tls_ca tls_client_cert tls_client_key max_attempts);
        if let Some(ms) = connection.timeout_ms {
            builder = builder.timeout(Duration::from_millis(ms.into()));
        }
        let client = builder.connect().await?;
        clients.insert(key, client.clone());
        Ok(client)
    }
}
