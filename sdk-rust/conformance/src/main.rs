//! The adapter of the conformance suite around `vexfs-client`: calls come in on standard input, results go out on standard output.
//!
//! Calls run side by side. Only the crate's public API is used; nothing is checked or repaired here.

mod clients;
mod collections;
mod content;
mod fields;
mod files;
#[allow(missing_docs, unreachable_pub, clippy::all)]
#[rustfmt::skip]
#[path = "generated/vexfs.conformance.v1.rs"]
mod protocol;
mod points;
mod search;
mod shown;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clients::Clients;
use fields::Fields;
use prost::Message as _;
use protocol::result::Outcome;
use protocol::{Call, FromAdapter, Hello, Paging, Response, SdkError, from_adapter};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use vexfs_client::{Client, Error, ErrorKind};

/// Fields of responses that the crate does not give its users.
const UNREPORTED: &[&str] = &["GetContentResponse.file", "ReadFileResponse.offset"];

/// Why there is no response.
enum Stop {
    /// The crate cannot express the call.
    Unsupported(String),
    /// The crate's error.
    Failed(Box<Error>),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// The response messages of a call.
type Answered = Result<Vec<Value>, Stop>;

/// What a call says beside its request.
#[derive(Clone, Copy)]
struct Options {
    timeout: Option<Duration>,
    take: usize,
    one_page: bool,
    hits_page_size: Option<u32>,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let writer = tokio::spawn(write(receiver));
    let _ = sender.send(FromAdapter { message: Some(from_adapter::Message::Hello(hello())) });
    let clients = Arc::new(Clients::default());
    let mut input = tokio::io::stdin();
    while let Some(call) = read(&mut input).await? {
        let (clients, sender) = (clients.clone(), sender.clone());
        tokio::spawn(async move {
            let id = call.id;
            // A panic of the crate is a fault to report, not the end of the adapter.
            let outcome = tokio::spawn(answer(clients, call)).await;
            let outcome = outcome.unwrap_or_else(|panic| Outcome::AdapterFault(panic.to_string()));
            let result = protocol::Result { id, outcome: Some(outcome) };
            let _ = sender.send(FromAdapter { message: Some(from_adapter::Message::Result(result)) });
        });
    }
    drop(sender);
    writer.await?
}

fn hello() -> Hello {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect();
    Hello {
        name: "rust".to_owned(),
        version: vexfs_client::VERSION.to_owned(),
        language: concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later").to_owned(),
        transports: list(&["grpc"]),
        features: list(&["cancel", "error_kinds"]),
        unreported_fields: list(UNREPORTED),
    }
}

async fn read(input: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Option<Call>> {
    let length = match input.read_u32().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut message = vec![0; length as usize];
    input.read_exact(&mut message).await?;
    Ok(Some(Call::decode(message.as_slice())?))
}

async fn write(mut messages: mpsc::UnboundedReceiver<FromAdapter>) -> io::Result<()> {
    let mut output = tokio::io::stdout();
    while let Some(message) = messages.recv().await {
        let message = message.encode_to_vec();
        output.write_u32(u32::try_from(message.len()).map_err(io::Error::other)?).await?;
        output.write_all(&message).await?;
        output.flush().await?;
    }
    Ok(())
}

async fn answer(clients: Arc<Clients>, call: Call) -> Outcome {
    let connection = call.connection.clone().unwrap_or_default();
    if connection.transport.as_deref().is_some_and(|transport| transport != "grpc") {
        return Outcome::Unsupported("the crate speaks gRPC only".to_owned());
    }
    let client = match clients.get(&connection).await {
        Ok(client) => client,
        Err(error) => {
            let (setting, message) = (error.setting().to_owned(), error.to_string());
            return Outcome::SettingsError(protocol::SettingsError { setting, message });
        }
    };
    let cancel_after = call.cancel_after_ms.map(|ms| Duration::from_millis(ms.into()));
    let answered = make(&client, &call);
    let answered = match cancel_after {
        None => answered.await,
        Some(after) => match tokio::time::timeout(after, answered).await {
            Ok(answered) => answered,
            // The future was dropped, which is how a call is cancelled; then there is no error to read.
            Err(_) => return Outcome::SdkError(SdkError { code: "CANCELLED".to_owned(), ..Default::default() }),
        },
    };
    match answered {
        Ok(messages) => Outcome::Response(Response { messages: messages.iter().map(Value::to_string).collect() }),
        Err(Stop::Unsupported(why)) => Outcome::Unsupported(why),
        Err(Stop::Failed(error)) => Outcome::SdkError(shown_error(&error)),
    }
}

async fn make(client: &Client, call: &Call) -> Answered {
    let options = Options {
        timeout: call.timeout_ms.map(|ms| Duration::from_millis(ms.into())),
        take: call.take.map_or(usize::MAX, |take| take as usize),
        one_page: call.paging() == Paging::OnePage,
        hits_page_size: call.hits_page_size,
    };
    let mut requests = call.requests.iter().map(|request| Fields::parse(request));
    let first = requests.next().unwrap_or_else(|| Fields::parse("{}"))?;
    let method = call.method.rsplit('/').next().unwrap_or_default();
    match method {
        "WriteFile" => content::write_file(client, first, requests.collect::<Result<_, _>>()?, options).await,
        "ReadFile" => content::read_file(client, first, options).await,
        "GetContent" => content::get_content(client, first, options).await,
        "PutContent" => content::put_content(client, first, options).await,
        "CreateCollection" | "GetCollection" | "ListCollections" | "DeleteCollection" => {
            collections::call(client, method, first, options).await
        }
        "UpsertPointsStream" => points::upsert_stream(client, first, requests.collect::<Result<_, _>>()?, options).await,
        "UpsertPoints" | "GetPoints" | "DeletePoints" | "ListPoints" | "QueryPoints" | "BatchQueryPoints" => {
            points::call(client, method, first, options).await
        }
        "Search" | "BatchSearch" | "WaitForViews" | "ListSkippedFiles" | "GetServerInfo" => {
            search::call(client, method, first, options).await
        }
        _ => files::call(client, method, first, options).await,
    }
}

fn shown_error(error: &Error) -> SdkError {
    let kind = match error.kind() {
        ErrorKind::NotFound => "not_found",
        ErrorKind::AlreadyExists => "already_exists",
        ErrorKind::FailedPrecondition => "failed_precondition",
        ErrorKind::InvalidArgument => "invalid_argument",
        ErrorKind::Unauthenticated => "unauthenticated",
        ErrorKind::PermissionDenied => "permission_denied",
        ErrorKind::ResourceExhausted => "resource_exhausted",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::DeadlineExceeded => "deadline_exceeded",
        ErrorKind::Cancelled => "cancelled",
        ErrorKind::DataLoss => "data_loss",
        ErrorKind::Internal => "internal",
        _ => "",
    };
    SdkError {
        code: error.code().to_owned(),
        reason: error.reason_name().to_owned(),
        message: error.message().to_owned(),
        metadata: error.metadata().clone().into_iter().collect(),
        request_id: error.request_id().to_owned(),
        retryable: error.is_retryable(),
        attempts: error.attempts(),
        kinds: Some(kind.to_owned()).filter(|kind| !kind.is_empty()).into_iter().collect(),
    }
}
