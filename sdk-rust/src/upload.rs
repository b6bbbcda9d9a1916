//! Writing content: bytes in one message, more bytes or a stream in several.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::sync::Notify;
use tonic::Status;

use crate::call::Call;
use crate::generated::proto;
use crate::generated::proto::files_service_client::FilesServiceClient;
use crate::generated::proto::write_file_request::Part;
use crate::{Answer, ErrorKind, File, Result};

/// Up to here bytes go in one message.
pub(crate) const SINGLE_MAX_BYTES: usize = 4 * 1024 * 1024;
const PIECE_BYTES: usize = 256 * 1024;

/// Write bytes in pieces; tried again as any call.
pub(crate) async fn bytes(mut call: Call, first: proto::WriteFileRequest, data: Bytes) -> Result<Answer<File>> {
    let pieces = |data: Bytes| stream::unfold(data, |mut data| async move { split(&mut data).map(|piece| (piece, data)) });
    let sending = call.run(|call| send(call, stream::iter([first.clone()]).chain(pieces(data.clone()).map(message))), || true);
    let response = sending.await?;
    answer(&call, response)
}

/// Write what a stream gives; tried again only as long as nothing was taken from it.
pub(crate) async fn stream(mut call: Call, first: proto::WriteFileRequest, source: Source) -> Result<Answer<File>> {
    let source = Arc::new(source);
    let sending = call.run(
        |call| {
            let source = source.clone();
            let pieces = stream::poll_fn(move |context| source.poll(context));
            send(call, stream::iter([first.clone()]).chain(pieces.map(message)))
        },
        || !source.taken.load(Ordering::Relaxed),
    );
    // Ending the stream would store what came so far as the whole; dropping the call resets it, and nothing is stored.
    let outcome = tokio::select! {
        outcome = sending => Some(outcome),
        () = source.failed.notified() => None,
    };
    match outcome {
        Some(outcome) => answer(&call, outcome?),
        None => Err(source.error(&call)),
    }
}

fn answer(call: &Call, response: proto::WriteFileResponse) -> Result<Answer<File>> {
    let file = response.file.ok_or_else(|| call.incomplete())?;
    Ok(Answer { revision: response.revision, value: file.into() })
}

fn send<S>(call: &Call, messages: S) -> impl Future<Output = Result<proto::WriteFileResponse, Status>> + use<S>
where
    S: Stream<Item = proto::WriteFileRequest> + Send + 'static,
{
    send_on(call.channel(), call.request(messages))
}

async fn send_on(
    channel: tonic::transport::Channel,
    request: tonic::Request<impl Stream<Item = proto::WriteFileRequest> + Send + 'static>,
) -> Result<proto::WriteFileResponse, Status> {
    Ok(FilesServiceClient::new(channel).write_file(request).await?.into_inner())
}

fn message(data: Bytes) -> proto::WriteFileRequest {
    proto::WriteFileRequest { part: Some(Part::Data(data)), request_id: String::new() }
}

/// The next piece of `data`; none when it is used up.
fn split(data: &mut Bytes) -> Option<Bytes> {
    (!data.is_empty()).then(|| data.split_to(data.len().min(PIECE_BYTES)))
}

/// A stream of the caller's, which several attempts may look at and only one takes from.
pub(crate) struct Source {
    inner: Mutex<Inner>,
    taken: AtomicBool,
    failed: Notify,
}

struct Inner {
    stream: BoxStream<'static, io::Result<Bytes>>,
    rest: Bytes,
    error: Option<io::Error>,
}

impl Source {
    pub(crate) fn new(stream: BoxStream<'static, io::Result<Bytes>>) -> Self {
        let inner = Inner { stream, rest: Bytes::new(), error: None };
        Self { inner: Mutex::new(inner), taken: AtomicBool::new(false), failed: Notify::new() }
    }

    /// The next piece. After an error of the caller's stream there is none, and no end either: the call is given up.
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(piece) = split(&mut inner.rest) {
                return Poll::Ready(Some(piece));
            }
            if inner.error.is_some() {
                return Poll::Pending;
            }
            match ready!(inner.stream.poll_next_unpin(context)) {
                Some(Ok(data)) => {
                    self.taken.store(true, Ordering::Relaxed);
                    inner.rest = data;
                }
                Some(Err(error)) => {
                    inner.error = Some(error);
                    self.failed.notify_one();
                    return Poll::Pending;
                }
                None => {
                    self.taken.store(true, Ordering::Relaxed);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn error(&self, call: &Call) -> crate::Error {
        let error = call.error(ErrorKind::Cancelled, "the content to write could not be read; nothing was written");
        match self.inner.lock().unwrap_or_else(PoisonError::into_inner).error.take() {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Source")
    }
}
