//! Requests that carry content.

use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use bytes::Bytes;

use crate::builders::{awaitable, common};
use crate::call::{Call, fill, unary};
use crate::convert::size;
use crate::generated::proto;
use crate::generated::proto::write_file_request::Part;
use crate::source::Source;
use crate::upload::{self, SINGLE_MAX_BYTES};
use crate::{Answer, Client, Content, File, Reason, Result};

/// Reads content: `.await` gives all of it, [`stream`](Self::stream) pieces. Made by [`Files::read`](crate::Files::read).
#[derive(Clone)]
#[must_use = "a request does nothing until it is awaited"]
pub struct Read {
    client: Client,
    request: proto::ReadFileRequest,
    timeout: Option<Duration>,
    empty: bool,
}

impl Read {
    pub(crate) fn new(client: &Client, request: proto::ReadFileRequest) -> Self {
        Self { client: client.clone(), request, timeout: None, empty: false }
    }

    /// Only these bytes; what lies behind the end of the content is left out.
    pub fn range(mut self, range: impl RangeBounds<u64>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        self.request.offset = size(start);
        let length = match range.end_bound() {
            Bound::Included(end) => Some(end.saturating_add(1).saturating_sub(start)),
            Bound::Excluded(end) => Some(end.saturating_sub(start)),
            Bound::Unbounded => None,
        };
        // A length of 0 would mean all: for an empty range one byte is asked for, and not given on.
        self.empty = length == Some(0);
        self.request.length = length.map_or(0, |length| size(length.max(1)));
        self
    }

    /// Read the content as a stream, of any size.
    ///
    /// The time-out is for the whole stream. A stream that breaks goes on by itself, of the same revision.
    ///
    /// # Errors
    ///
    /// There is nothing to read: see [`Error`](crate::Error).
    pub async fn stream(self) -> Result<Content> {
        const METHOD: &str = "read_file";
        let call = Call::new(self.client, METHOD, self.timeout, String::new());
        let content = Call::traced(METHOD, Content::open(call, self.request)).await?;
        Ok(if self.empty { content.emptied() } else { content })
    }

    /// Read all of it; the answer comes with the revision it is of.
    ///
    /// # Errors
    ///
    /// The call failed; see [`Error`](crate::Error).
    pub async fn answer(self) -> Result<Answer<Bytes>> {
        let begin = std::time::Instant::now();
        let proto::ReadFileRequest { file, offset, length, at_revision, min_revision } = self.request.clone();
        let single = proto::GetContentRequest { file, offset, length, at_revision, min_revision };
        let answer = unary(self.client.clone(), single, self.timeout, |response| {
            let value = if self.empty { Bytes::new() } else { response.data };
            Some(Answer { revision: response.revision, value })
        });
        match answer.await {
            // More than one message holds: the same call goes on as a stream, with the time that is left.
            Err(error) if error.reason() == Some(Reason::TooLarge) => {}
            outcome => return outcome,
        }
        let timeout = self.timeout.or(self.client.core().timeout).filter(|timeout| !timeout.is_zero());
        let timeout = timeout.map(|timeout| timeout.saturating_sub(begin.elapsed()).max(Duration::from_nanos(1)));
        let content = Self { timeout: timeout.or(self.timeout), ..self }.stream().await?;
        Ok(Answer { revision: content.revision(), value: content.bytes().await? })
    }
}

common!(history Read);
awaitable!(Read -> Bytes);

/// What the two ways of writing share.
macro_rules! write_options {
    ($Name:ident) => {
        impl $Name {
            /// Write over what is there from this byte on, and leave the rest. If not set, the bytes become the whole content.
            pub fn offset(mut self, offset: u64) -> Self {
                self.options().offset = Some(size(offset));
                self
            }

            /// Write only if the content still is of this revision ([`File::content_revision`]); 0: only if there is no such file yet.
            pub fn if_content_revision(mut self, revision: i64) -> Self {
                self.options().if_content_revision = Some(revision);
                self
            }

            /// Make the directories above the file that are missing.
            pub fn make_parents(mut self, make_parents: bool) -> Self {
                self.options().make_parents = make_parents;
                self
            }

            /// Permission bits of a file that is made; 0o644 if not set. Those of a file that is there stay.
            pub fn mode(mut self, mode: u32) -> Self {
                self.options().mode = Some(mode);
                self
            }

            fn options(&mut self) -> &mut proto::WriteOptions {
                self.request.options.get_or_insert_default()
            }
        }

        common!(writes $Name);
        awaitable!($Name -> File);
    };
}

/// Writes bytes; a missing file is made. Made by [`Files::write`](crate::Files::write).
#[derive(Clone)]
#[must_use = "a request does nothing until it is awaited"]
pub struct Write {
    client: Client,
    request: proto::PutContentRequest,
    timeout: Option<Duration>,
}

impl Write {
    pub(crate) fn new(client: &Client, file: proto::FileRef, data: Bytes) -> Self {
        let request = proto::PutContentRequest { file: Some(file), data, ..Default::default() };
        Self { client: client.clone(), request, timeout: None }
    }

    /// Write; the answer comes with the revision it made.
    ///
    /// # Errors
    ///
    /// The call failed; see [`Error`](crate::Error).
    pub async fn answer(mut self) -> Result<Answer<File>> {
        if self.request.data.len() <= SINGLE_MAX_BYTES {
            return unary(self.client, self.request, self.timeout, |response| {
                let revision = response.revision;
                response.file.map(|file| Answer { revision, value: file.into() })
            })
            .await;
        }
        let data = std::mem::take(&mut self.request.data);
        let (call, first) = begin(self.client, self.request, self.timeout);
        Call::traced(METHOD, upload::bytes(call, first, data)).await
    }
}

write_options!(Write);

/// Writes what a stream gives; a missing file is made. Made by [`Files::write_stream`](crate::Files::write_stream) and
/// [`Files::write_from`](crate::Files::write_from).
#[must_use = "a request does nothing until it is awaited"]
pub struct WriteStream {
    client: Client,
    request: proto::PutContentRequest,
    source: Source<proto::WriteFileRequest>,
    timeout: Option<Duration>,
}

impl WriteStream {
    pub(crate) fn new(client: &Client, file: proto::FileRef, source: Source<proto::WriteFileRequest>) -> Self {
        let request = proto::PutContentRequest { file: Some(file), ..Default::default() };
        Self { client: client.clone(), request, source, timeout: None }
    }

    /// Write; the answer comes with the revision it made.
    ///
    /// # Errors
    ///
    /// The call failed; see [`Error`](crate::Error). When the stream to write ends with an error, nothing is written, and the error
    /// is of kind [`Cancelled`](crate::ErrorKind::Cancelled) with that error as its source.
    pub async fn answer(self) -> Result<Answer<File>> {
        let (call, first) = begin(self.client, self.request, self.timeout);
        Call::traced(METHOD, upload::stream(call, first, self.source)).await
    }
}

write_options!(WriteStream);

const METHOD: &str = "write_file";

/// The call and the first message of a stream.
fn begin(client: Client, mut request: proto::PutContentRequest, timeout: Option<Duration>) -> (Call, proto::WriteFileRequest) {
    let request_id = fill(&mut request.request_id).clone();
    let header = proto::WriteFileHeader { file: request.file, options: request.options };
    let first = proto::WriteFileRequest { part: Some(Part::Header(header)), request_id: request_id.clone() };
    (Call::new(client, METHOD, timeout, request_id), first)
}
