//! What the tests share: servers, clients of them, and a directory for each test.

pub mod faulty;
pub mod server;

use std::sync::atomic::{AtomicU32, Ordering};

use vexfs_client::Client;

/// A client of the server that all tests share, and a directory of its own on it.
pub async fn real() -> (Client, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = server::shared();
    let client = Client::builder().address(&server.address).token(&server.token).connect().await.unwrap();
    let directory = format!("/test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    client.files().make_directory(&directory).await.unwrap();
    (client, directory)
}
