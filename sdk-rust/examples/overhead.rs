//! What the client adds to a small call, beside the bare stub: StatFile of the root through both, in turns, against the server that
//! `VEXFS_ADDRESS` and `VEXFS_TOKEN` name.
//!
//! Called by the benchmark `sdk`: `overhead ROUNDS CALLS` prints a line of JSON for each round, with the medians in microseconds.

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

/// How many calls of one make a turn: what else the machine does then hits both alike.
const TURN: usize = 50;

/// How long each call took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn median_us(&mut self) -> f64 {
        self.0.sort_unstable();
        self.0[self.0.len() / 2].as_secs_f64() * 1e6
    }

    async fn turn<T, E: std::fmt::Debug, F: Future<Output = Result<T, E>>>(&mut self, mut call: impl FnMut() -> F) {
        for _ in 0..TURN {
            let begin = Instant::now();
            call().await.expect("the call");
            self.0.push(begin.elapsed());
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<usize> = env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [rounds, calls] = numbers[..] else { return Err("usage: overhead ROUNDS CALLS".into()) };
    let client = Client::from_env().await?;
    let channel = Endpoint::from_shared(format!("http://{}", env::var("VEXFS_ADDRESS")?))?.connect().await?;
    let token: MetadataValue<Ascii> = format!("Bearer {}", env::var("VEXFS_TOKEN")?).parse()?;
    let bare = || stat(channel.clone(), token.clone());
    for _ in 0..rounds {
        let (mut by_sdk, mut by_stub) = (Times::default(), Times::default());
        while by_sdk.0.len() < calls {
            by_sdk.turn(|| client.files().stat("/").into_future()).await;
            by_stub.turn(bare).await;
        }
        println!("{{\"sdk_us\": {:.1}, \"stub_us\": {:.1}}}", by_sdk.median_us(), by_stub.median_us());
    }
    Ok(())
}

async fn stat(channel: Channel, token: MetadataValue<Ascii>) -> Result<proto::StatFileResponse, tonic::Status> {
    let file = proto::FileRef { name: Some(proto::file_ref::Name::Path("/".to_owned())), follow: false };
    let mut request = tonic::Request::new(proto::StatFileRequest { file: Some(file), ..Default::default() });
    request.metadata_mut().insert("authorization", token);
    request.set_timeout(Duration::from_secs(30));
    Ok(FilesServiceClient::new(channel).stat_file(request).await?.into_inner())
}
