//! The one layer that tries again: a deadline over all attempts and pauses, and the pauses between them.
//!
//! Everything that reaches the server passes [`Call`]. What may be sent again is decided by who makes the attempts: unary methods
//! all may (they have no side effects, or carry a `request_id`), streams only as long as they can be repeated.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::client::Client;
use crate::rpc::Unary;
use crate::{Error, ErrorKind, Result};

const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// The longest time-out that is told to the server; the header has 8 digits.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// What all calls of a client share.
pub(crate) struct Core {
    pub(crate) channel: Channel,
    pub(crate) authorization: Option<MetadataValue<Ascii>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_attempts: u32,
}

/// One call with all its attempts.
pub(crate) struct Call {
    client: Client,
    method: &'static str,
    request_id: String,
    deadline: Option<Instant>,
    attempts: u32,
}

impl Call {
    /// A call that begins now. `timeout` replaces the client's; zero is no limit.
    pub(crate) fn new(client: Client, method: &'static str, timeout: Option<Duration>, request_id: String) -> Self {
        let timeout = timeout.or(client.core().timeout).filter(|timeout| !timeout.is_zero());
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self { client, method, request_id, deadline, attempts: 0 }
    }

    pub(crate) fn channel(&self) -> Channel {
        self.client.core().channel.clone()
    }

    /// A message with what goes along with every attempt: the token and the time that is left.
    pub(crate) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.client.core().authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline.saturating_duration_since(Instant::now()).min(TIMEOUT_MAX));
        }
        request
    }

    /// Make attempts until one succeeds, the deadline passes, or trying again cannot help or is not allowed.
    pub(crate) async fn run<T, F>(&mut self, mut send: impl FnMut(&Self) -> F, may_repeat: impl Fn() -> bool) -> Result<T>
    where
        F: Future<Output = Result<T, Status>>,
    {
        loop {
            self.attempts += 1;
            let attempt = send(self);
            match self.within(attempt).await {
                Ok(answer) => return Ok(answer),
                Err(error) if may_repeat() => self.pause_after(error).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// What `future` answers, unless the deadline passes before.
    pub(crate) async fn within<T>(&self, future: impl Future<Output = Result<T, Status>>) -> Result<T> {
        let outcome = match self.deadline {
            None => future.await,
            Some(deadline) => match timeout_at(deadline, future).await {
                Ok(outcome) => outcome,
                Err(_) => return Err(self.error(ErrorKind::DeadlineExceeded, format!("{} took too long", self.method))),
            },
        };
        outcome.map_err(|status| Error::from_status(status, &self.request_id, self.attempts))
    }

    /// Wait before the next attempt; or give `error` back, if there is to be none.
    pub(crate) async fn pause_after(&self, error: Error) -> Result<()> {
        // After a deadline there is no time left, whatever may come later.
        let later = error.is_retryable() && error.kind() != ErrorKind::DeadlineExceeded;
        if !later || self.attempts >= self.client.core().max_attempts {
            return Err(error);
        }
        let pause = pause(self.attempts, fastrand::f64()).max(error.retry_delay().unwrap_or_default());
        if self.deadline.is_some_and(|deadline| Instant::now() + pause >= deadline) {
            return Err(error);
        }
        #[cfg(feature = "tracing")]
        tracing::debug!(method = self.method, attempt = self.attempts, code = error.code(), ?pause, "trying again");
        sleep(pause).await;
        Ok(())
    }

    /// An error that was found on this side.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        Error::local(kind, message, &self.request_id, self.attempts)
    }

    /// The error for an answer without something that the contract promises.
    pub(crate) fn incomplete(&self) -> Error {
        self.error(ErrorKind::Internal, format!("the answer to {} lacks what the contract promises", self.method))
    }

    /// Run `future` inside the span of this call.
    #[cfg(feature = "tracing")]
    pub(crate) fn traced<F: Future>(method: &'static str, future: F) -> impl Future<Output = F::Output> {
        use tracing::Instrument as _;
        future.instrument(tracing::info_span!("vexfs.call", method))
    }

    #[cfg(not(feature = "tracing"))]
    pub(crate) fn traced<F: Future>(_method: &'static str, future: F) -> impl Future<Output = F::Output> {
        future
    }
}

/// Make a unary call, and turn its response into what the caller gets.
pub(crate) async fn unary<M: Unary, T>(
    client: Client,
    mut message: M,
    timeout: Option<Duration>,
    convert: impl FnOnce(M::Response) -> Option<T>,
) -> Result<T> {
    let request_id = message.request_id().map(|id| fill(id).clone()).unwrap_or_default();
    Call::traced(M::NAME, async move {
        let mut call = Call::new(client, M::NAME, timeout, request_id);
        let response = call.run(|call| M::send(call.request(message.clone()), call.channel()), || true).await?;
        convert(response).ok_or_else(|| call.incomplete())
    })
    .await
}

/// Give a writing call its id, unless the caller gave one.
pub(crate) fn fill(request_id: &mut String) -> &mut String {
    if request_id.is_empty() {
        *request_id = uuid::Uuid::new_v4().to_string();
    }
    request_id
}

/// The pause after attempt `attempts`, for a random number from 0 to 1.
fn pause(attempts: u32, random: f64) -> Duration {
    let most = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(PAUSE_MAX);
    most.mul_f64(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_two_seconds() {
        let most: Vec<u128> = (1..8).map(|attempts| pause(attempts, 1.0).as_millis()).collect();
        assert_eq!(most, [100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(pause(u32::MAX, 1.0), PAUSE_MAX);
        assert_eq!(pause(3, 0.0), Duration::ZERO);
    }
}
