//! A stream of the caller's as the messages of a call.

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::sync::Notify;

use crate::call::Call;
use crate::rpc::Streamed;
use crate::{ErrorKind, Result};

/// Why a stream of the caller's has no more.
pub(crate) type SourceError = Box<dyn StdError + Send + Sync>;

/// Messages of a stream of the caller's, which several attempts may look at and only one takes from.
pub(crate) struct Source<M> {
    inner: Mutex<Inner<M>>,
    taken: AtomicBool,
    failed: Notify,
}

struct Inner<M> {
    stream: BoxStream<'static, Result<M, SourceError>>,
    error: Option<SourceError>,
}

impl<M: Streamed> Source<M> {
    pub(crate) fn new(stream: impl Stream<Item = Result<M, SourceError>> + Send + 'static) -> Self {
        let inner = Inner { stream: stream.boxed(), error: None };
        Self { inner: Mutex::new(inner), taken: AtomicBool::new(false), failed: Notify::new() }
    }

    /// Send `first` and the messages of the stream; tried again only as long as nothing was taken from it. If it fails the error says
    /// `unread`.
    pub(crate) async fn send(self, call: &mut Call, first: M, unread: &'static str) -> Result<M::Response> {
        let source = Arc::new(self);
        let sending = call.run(
            |call| {
                let source = source.clone();
                let rest = stream::poll_fn(move |context| source.poll(context));
                M::send(call.request(stream::iter([first.clone()]).chain(rest)), call.channel())
            },
            || !source.taken.load(Ordering::Relaxed),
        );
        // Ending the stream would make what came so far the whole; dropping the call resets it.
        let outcome = tokio::select! {
            outcome = sending => Some(outcome),
            () = source.failed.notified() => None,
        };
        outcome.unwrap_or_else(|| Err(source.error(call, unread)))
    }

    /// The next message. After an error of the caller's stream there is none, and no end either: the call is given up.
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<M>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.error.is_some() {
            return Poll::Pending;
        }
        match ready!(inner.stream.poll_next_unpin(context)).transpose() {
            Ok(next) => {
                self.taken.store(true, Ordering::Relaxed);
                Poll::Ready(next)
            }
            Err(error) => {
                inner.error = Some(error);
                self.failed.notify_one();
                Poll::Pending
            }
        }
    }

    fn error(&self, call: &Call, unread: &'static str) -> crate::Error {
        let error = call.error(ErrorKind::Cancelled, unread);
        match self.inner.lock().unwrap_or_else(PoisonError::into_inner).error.take() {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }
}

impl<M> fmt::Debug for Source<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Source")
    }
}
