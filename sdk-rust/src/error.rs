//! What a failed call tells: one type for everything the server, or the way to it, said.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

use crate::Reason;

/// What a call of this crate answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// A call that failed.
///
/// Match [`kind`](Self::kind) or, one by one, [`reason`](Self::reason); the message is for people and may change.
///
/// ```
/// # fn look(error: vexfs_client::Error) {
/// use vexfs_client::{ErrorKind, Reason};
///
/// match error.kind() {
///     ErrorKind::NotFound if error.reason() == Some(Reason::FileNotFound) => println!("no such file"),
///     ErrorKind::Unavailable | ErrorKind::DeadlineExceeded => println!("tried {} times: {error}", error.attempts()),
///     _ => println!("{error}"),
/// }
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    reason: String,
    metadata: BTreeMap<String, String>,
    request_id: String,
    attempts: u32,
    retryable: bool,
    retry_delay: Option<Duration>,
    source: Option<Source>,
}

/// What sort of failure an [`Error`] is: the gRPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The call was ended by the caller: what it was to send could not be read.
    Cancelled,
    /// Nobody could say what went wrong.
    Unknown,
    /// The request can never succeed as it is.
    InvalidArgument,
    /// The time-out passed. What was to be written may have been.
    DeadlineExceeded,
    /// Something the request names is not there.
    NotFound,
    /// Something has that name already.
    AlreadyExists,
    /// The token does not allow this.
    PermissionDenied,
    /// A limit was reached: a size, a queue, the disk.
    ResourceExhausted,
    /// The tree is not in the state the operation needs.
    FailedPrecondition,
    /// The operation was given up by the server.
    Aborted,
    /// A revision is outside the history window.
    OutOfRange,
    /// This server cannot do that.
    Unimplemented,
    /// A fault of the server, or of this crate.
    Internal,
    /// Nobody answered, or the server cannot answer now.
    Unavailable,
    /// Stored data is damaged.
    DataLoss,
    /// The token is missing or wrong.
    Unauthenticated,
}

impl ErrorKind {
    /// The name of the gRPC code, such as `NOT_FOUND`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cancelled => "CANCELLED",
            Self::Unknown => "UNKNOWN",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::Aborted => "ABORTED",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Unimplemented => "UNIMPLEMENTED",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
            Self::DataLoss => "DATA_LOSS",
            Self::Unauthenticated => "UNAUTHENTICATED",
        }
    }

    const fn of(code: Code) -> Self {
        match code {
            Code::Cancelled => Self::Cancelled,
            // An error is never OK; a status that says so is no status.
            Code::Unknown | Code::Ok => Self::Unknown,
            Code::InvalidArgument => Self::InvalidArgument,
            Code::DeadlineExceeded => Self::DeadlineExceeded,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::AlreadyExists,
            Code::PermissionDenied => Self::PermissionDenied,
            Code::ResourceExhausted => Self::ResourceExhausted,
            Code::FailedPrecondition => Self::FailedPrecondition,
            Code::Aborted => Self::Aborted,
            Code::OutOfRange => Self::OutOfRange,
            Code::Unimplemented => Self::Unimplemented,
            Code::Internal => Self::Internal,
            Code::Unavailable => Self::Unavailable,
            Code::DataLoss => Self::DataLoss,
            Code::Unauthenticated => Self::Unauthenticated,
        }
    }
}

impl Error {
    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The name of the gRPC code, such as `NOT_FOUND`.
    pub fn code(&self) -> &'static str {
        self.0.kind.code()
    }

    /// The server's reason; none if it gave none, or one that this release does not know.
    pub fn reason(&self) -> Option<Reason> {
        Reason::from_name(&self.0.reason)
    }

    /// The name of the server's reason, such as `FILE_NOT_FOUND`; empty if it gave none.
    pub fn reason_name(&self) -> &str {
        &self.0.reason
    }

    /// What happened, for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the server said beside, by name.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// The id under which a writing call can be repeated; empty for calls that only read.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Whether the same call can succeed later without anybody changing it.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// How often the call was tried.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The delay that the server asked for before another attempt.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        self.0.retry_delay
    }

    pub(crate) fn from_status(status: Status, request_id: &str, attempts: u32) -> Self {
        let kind = kind_of(&status);
        let info = status.get_details_error_info().map(|info| (info.reason, info.metadata));
        let (reason, metadata) = info.unwrap_or_default();
        let metadata: BTreeMap<String, String> = metadata.into_iter().collect();
        let retryable = match Reason::from_name(&reason) {
            Some(reason) => reason.is_retryable(),
            None if reason.is_empty() => kind == ErrorKind::Unavailable,
            // A reason of a newer server, which says itself whether trying again helps.
            None => metadata.get("retryable").is_some_and(|value| value == "true"),
        };
        let retry_delay = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let message = status.message().to_owned();
        // What broke the connection, if that is what happened.
        let source: Option<Source> = if status.source().is_some() { Some(Box::new(status)) } else { None };
        Self(Box::new(Inner {
            kind,
            message,
            reason,
            metadata,
            request_id: request_id.to_owned(),
            attempts,
            retryable,
            retry_delay,
            source,
        }))
    }

    /// An error that this crate found itself.
    pub(crate) fn local(kind: ErrorKind, message: impl Into<String>, request_id: &str, attempts: u32) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            reason: String::new(),
            metadata: BTreeMap::new(),
            request_id: request_id.to_owned(),
            attempts,
            retryable: false,
            retry_delay: None,
            source: None,
        }))
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }
}

/// The kind of a status. One with a source was made on this side of the connection: the deadline passed, or the way to the
/// server broke, which tonic calls by many codes.
fn kind_of(status: &Status) -> ErrorKind {
    let mut cause = status.source();
    if cause.is_none() {
        return ErrorKind::of(status.code());
    }
    while let Some(error) = cause {
        if error.is::<TimeoutExpired>() {
            return ErrorKind::DeadlineExceeded;
        }
        cause = error.source();
    }
    ErrorKind::Unavailable
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.0.reason.is_empty() { self.code() } else { &self.0.reason };
        write!(formatter, "{name}: {}", self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, reason, metadata, request_id, attempts, retryable, retry_delay: _, source } = &*self.0;
        formatter
            .debug_struct("Error")
            .field("kind", kind)
            .field("reason", reason)
            .field("message", message)
            .field("metadata", metadata)
            .field("request_id", request_id)
            .field("attempts", attempts)
            .field("retryable", retryable)
            .field("source", source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}
