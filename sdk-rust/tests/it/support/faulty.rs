//! A server that does as it is told: it answers, fails, hangs or breaks off, and remembers what came.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use futures_util::StreamExt as _;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use vexfs_client::{Client, ClientBuilder};

/// What the server does with one request.
#[derive(Clone)]
pub enum Step {
    /// Answer these messages, all well.
    Answer(Vec<Bytes>),
    /// Answer these messages, then this status.
    Fail(Vec<Bytes>, Status),
    /// Answer these messages, then break the connection.
    Break(Vec<Bytes>),
    /// Never answer.
    Hang,
    /// Never answer, and read nothing of the request either.
    Stall,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: HeaderMap,
    pub messages: Vec<Bytes>,
    pub at: Instant,
}

/// The field that all writing requests have in common.
#[derive(Clone, PartialEq, Message)]
struct Repeatable {
    #[prost(string, tag = "15")]
    request_id: String,
}

impl Seen {
    pub fn request_id(&self) -> String {
        Repeatable::decode(self.messages[0].clone()).unwrap().request_id
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A running faulty server; it ends with the runtime of its test.
pub struct Faulty {
    pub address: SocketAddr,
    script: Arc<Script>,
}

struct Script {
    steps: Mutex<VecDeque<Step>>,
    last: Step,
    seen: Mutex<Vec<Seen>>,
    given_up: Notify,
}

impl Faulty {
    /// Do these steps, one a request; then the last again and again.
    pub async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let mut steps: VecDeque<Step> = steps.into_iter().collect();
        let last = steps.pop_back().expect("a step");
        let script = Arc::new(Script { steps: Mutex::new(steps), last, seen: Mutex::default(), given_up: Notify::new() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback(handle).with_state(script.clone());
        let server = tonic::transport::Server::builder().add_routes(router.into());
        tokio::spawn(async move { server.serve_with_incoming(TcpListenerStream::new(listener)).await });
        Self { address, script }
    }

    pub fn builder(&self) -> ClientBuilder {
        Client::builder().address(self.address.to_string())
    }

    pub async fn client(&self) -> Client {
        self.builder().connect().await.unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }

    /// Wait until a request that hangs was given up by its caller.
    pub async fn given_up(&self) {
        tokio::time::timeout(Duration::from_secs(30), self.script.given_up.notified()).await.expect("the call was given up");
    }
}

/// A status as the server sends it.
pub fn status(code: Code, reason: &str, retry_delay: Option<Duration>) -> Status {
    if reason.is_empty() {
        return Status::new(code, "no reason");
    }
    let mut details = ErrorDetails::with_error_info(reason, "vexfs.v1", [("retryable".to_owned(), "false".to_owned())]);
    if let Some(delay) = retry_delay {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code, format!("because of {reason}"), details)
}

/// The answer of one message.
pub fn answer(message: impl Message) -> Step {
    Step::Answer(vec![encoded(message)])
}

/// Just an error.
pub fn fail(code: Code, reason: &str) -> Step {
    Step::Fail(vec![], status(code, reason, None))
}

pub fn encoded(message: impl Message) -> Bytes {
    message.encode_to_vec().into()
}

struct Guard<'a>(&'a Notify);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn handle(State(script): State<Arc<Script>>, request: Request) -> Response {
    let at = Instant::now();
    let (parts, body) = request.into_parts();
    let step = script.steps.lock().unwrap().pop_front().unwrap_or_else(|| script.last.clone());
    let guard = matches!(step, Step::Hang).then(|| Guard(&script.given_up));
    if matches!(step, Step::Stall) {
        std::future::pending::<()>().await;
    }
    // A request whose body breaks off was given up by its caller: nobody waits for an answer.
    let Ok(body) = body.collect().await else { return Response::new(Body::empty()) };
    let messages = unframe(body.to_bytes());
    script.seen.lock().unwrap().push(Seen { path: parts.uri.path().to_owned(), headers: parts.headers, messages, at });
    let (messages, end) = match step {
        Step::Answer(messages) => (messages, End::Status(Status::new(Code::Ok, ""))),
        Step::Fail(messages, status) => (messages, End::Status(status)),
        Step::Break(messages) => (messages, End::Break),
        Step::Hang | Step::Stall => std::future::pending().await,
    };
    drop(guard);
    respond(messages, end)
}

enum End {
    Status(Status),
    Break,
}

fn respond(messages: Vec<Bytes>, end: End) -> Response {
    let last = match end {
        End::Status(status) => {
            let mut trailers = HeaderMap::new();
            status.add_header(&mut trailers).unwrap();
            Ok(Frame::trailers(trailers))
        }
        End::Break => Err(io::Error::other("broken on purpose")),
    };
    let frames = messages.into_iter().map(|message| Ok(Frame::data(framed(&message)))).chain([last]);
    // Each frame goes out before the next is made, so that what comes before a break arrives.
    let frames = futures_util::stream::iter(frames).then(|frame| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        frame
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A message as it stands in a body: a flag, its length, its bytes.
fn framed(message: &Bytes) -> Bytes {
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    frame.into()
}

fn unframe(mut body: Bytes) -> Vec<Bytes> {
    let mut messages = Vec::new();
    while body.len() >= 5 {
        let head = body.split_to(5);
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        messages.push(body.split_to(length as usize));
    }
    messages
}
