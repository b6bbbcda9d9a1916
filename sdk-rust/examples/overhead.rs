//! What the client costs beside the bare stub: small calls of both, in turn, against a running server.
//!
//! `cargo run --release --example overhead [SECONDS]`, with `VEXFS_ADDRESS` and `VEXFS_TOKEN` set. One call after the other on one
//! connection; the two take turns of 100 ms, so that what else the machine does hits both alike.

#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all, dead_code)]
#[path = "../src/generated/vexfs.v1.rs"]
mod proto;

use std::env;
use std::time::{Duration, Instant};

use proto::files_service_client::FilesServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use vexfs_client::Client;

const TURN: Duration = Duration::from_millis(100);
const PATH: &str = "/overhead.txt";

/// How long each call took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn median(&mut self) -> Duration {
        self.0.sort_unstable();
        self.0[self.0.len() / 2]
    }

    async fn turn<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(&mut self, mut call: impl FnMut() -> F) {
        let end = Instant::now() + TURN;
        while Instant::now() < end {
            let begin = Instant::now();
            call().await.expect("the call");
            self.0.push(begin.elapsed());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds: u64 = env::args().nth(1).map_or(Ok(10), |seconds| seconds.parse())?;
    let client = Client::from_env().await?;
    client.files().write(PATH, "twenty-two bytes of it").await?;

    let address = env::var("VEXFS_ADDRESS").unwrap_or_else(|_| "127.0.0.1:8083".to_owned());
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let token: MetadataValue<Ascii> = format!("Bearer {}", env::var("VEXFS_TOKEN").unwrap_or_default()).parse()?;
    let bare = || stat(channel.clone(), token.clone());

    let (mut of_client, mut of_stub) = (Times::default(), Times::default());
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        of_stub.turn(bare).await;
        of_client.turn(|| client.files().stat(PATH).into_future()).await;
    }
    let calls = of_client.0.len() + of_stub.0.len();
    let (with_client, with_stub) = (of_client.median().as_secs_f64(), of_stub.median().as_secs_f64());
    println!("StatFile, median of {calls} calls: bare stub {:.0} µs, client {:.0} µs", with_stub * 1e6, with_client * 1e6);
    println!("ratio {:.3}", with_client / with_stub);
    Ok(())
}

async fn stat(channel: Channel, token: MetadataValue<Ascii>) -> Result<proto::StatFileResponse, tonic::Status> {
    let file = proto::FileRef { name: Some(proto::file_ref::Name::Path(PATH.to_owned())), follow: false };
    let mut request = tonic::Request::new(proto::StatFileRequest { file: Some(file), ..Default::default() });
    request.metadata_mut().insert("authorization", token);
    Ok(FilesServiceClient::new(channel).stat_file(request).await?.into_inner())
}
