//! What the tests share: servers, clients of them, and a directory for each test.

pub mod faulty;
pub mod server;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::TcpSocket;
use vexfs_client::Client;

/// A client of the server that all tests share, and a directory of its own on it.
pub async fn real() -> (Client, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = server::shared();
    let builder = Client::builder().address(&server.address).token(&server.token).timeout(Duration::from_secs(120));
    let client = builder.connect().await.unwrap();
    let directory = format!("/test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    client.files().make_directory(&directory).await.unwrap();
    (client, directory)
}

/// An address where nobody listens, for as long as the socket is kept: no other test can be given its port meanwhile.
pub fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}
