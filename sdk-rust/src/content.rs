//! Reading content: all at once, or as a stream that goes on after the connection broke.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_util::future::poll_fn;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use tokio::io::{AsyncRead, ReadBuf};
use tonic::Streaming;

use crate::call::Call;
use crate::generated::proto;
use crate::generated::proto::files_service_client::FilesServiceClient;
use crate::rpc::MESSAGE_MAX_BYTES;
use crate::{File, Result};

/// The content of a file while it is read: a [`Stream`] of pieces, or an [`AsyncRead`].
///
/// All of it is of one revision, also when the connection breaks on the way: then it goes on where it was.
pub struct Content {
    file: File,
    revision: i64,
    pieces: BoxStream<'static, Result<Bytes>>,
    rest: Bytes,
}

impl Content {
    /// Send the request, and wait for the first piece.
    pub(crate) async fn open(mut call: Call, request: proto::ReadFileRequest) -> Result<Self> {
        let (first, stream) = begin(&mut call, &request).await?;
        let file = first.file.ok_or_else(|| call.incomplete())?.into();
        let revision = first.revision;
        let reading = Reading { call, request, revision, received: first.data.len(), stream };
        let rest =
            stream::try_unfold(reading, |mut reading| async move { Ok(reading.next().await?.map(|data| (data, reading))) });
        let pieces = stream::iter([Ok(first.data)]).chain(rest).boxed();
        Ok(Self { file, revision, pieces, rest: Bytes::new() })
    }

    /// The same without any content: what an empty range holds.
    pub(crate) fn emptied(self) -> Self {
        Self { pieces: stream::empty().boxed(), ..self }
    }

    /// The file that is read.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The revision of the store that the content is of.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// The next piece; none at the end. Pieces have the size that the server chooses; an empty file has one that is empty.
    ///
    /// # Errors
    ///
    /// The rest could not be read; nothing comes after that.
    pub async fn next(&mut self) -> Option<Result<Bytes>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// All that is left, in one.
    ///
    /// # Errors
    ///
    /// Some of it could not be read.
    pub async fn bytes(mut self) -> Result<Bytes> {
        let mut all = Vec::new();
        while let Some(piece) = self.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all.into())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Content").field("file", &self.file).field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl Stream for Content {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.rest))));
        }
        self.pieces.poll_next_unpin(context)
    }
}

/// Errors are [`io::Error`]s around an [`Error`](crate::Error).
impl AsyncRead for Content {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(self.pieces.poll_next_unpin(context)) {
                Some(piece) => self.rest = piece.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..count]);
        self.rest.advance(count);
        Poll::Ready(Ok(()))
    }
}

/// A stream under way, and what is needed to go on with it.
struct Reading {
    call: Call,
    request: proto::ReadFileRequest,
    revision: i64,
    received: usize,
    stream: Streaming<proto::ReadFileResponse>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.call.within(self.stream.message()).await {
                Ok(None) => return Ok(None),
                Ok(Some(piece)) => {
                    self.received += piece.data.len();
                    return Ok(Some(piece.data));
                }
                Err(error) => self.call.pause_after(error).await?,
            }
            let Some(rest) = rest_of(&self.request, self.received, self.revision) else { return Ok(None) };
            let (first, stream) = begin(&mut self.call, &rest).await?;
            self.stream = stream;
            self.received += first.data.len();
            if !first.data.is_empty() {
                return Ok(Some(first.data));
            }
        }
    }
}

/// What is left to ask for after `received` bytes, of the same revision; none if that was all.
fn rest_of(request: &proto::ReadFileRequest, received: usize, revision: i64) -> Option<proto::ReadFileRequest> {
    let received = i64::try_from(received).unwrap_or(i64::MAX);
    if request.length > 0 && received >= request.length {
        return None;
    }
    let length = if request.length > 0 { request.length - received } else { 0 };
    let offset = request.offset.saturating_add(received);
    Some(proto::ReadFileRequest { offset, length, at_revision: revision, min_revision: 0, ..request.clone() })
}

/// The first piece and the stream of the others, tried again as often as that can help.
async fn begin(
    call: &mut Call,
    request: &proto::ReadFileRequest,
) -> Result<(proto::ReadFileResponse, Streaming<proto::ReadFileResponse>)> {
    let first = call.run(|call| start(call.channel(), call.request(request.clone())), || true).await?;
    match first {
        (Some(first), stream) => Ok((first, stream)),
        (None, _) => Err(call.incomplete()),
    }
}

async fn start(
    channel: tonic::transport::Channel,
    request: tonic::Request<proto::ReadFileRequest>,
) -> Result<(Option<proto::ReadFileResponse>, Streaming<proto::ReadFileResponse>), tonic::Status> {
    let mut stub = FilesServiceClient::new(channel).max_decoding_message_size(MESSAGE_MAX_BYTES);
    let mut stream = stub.read_file(request).await?.into_inner();
    Ok((stream.message().await?, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_begins_where_the_stream_broke() {
        let request = proto::ReadFileRequest { offset: 10, length: 6, min_revision: 3, ..Default::default() };
        let rest = rest_of(&request, 4, 9).unwrap();
        assert_eq!((rest.offset, rest.length, rest.at_revision, rest.min_revision), (14, 2, 9, 0));
        assert_eq!(rest_of(&request, 6, 9), None);
        let open = proto::ReadFileRequest { offset: 10, ..Default::default() };
        assert_eq!(rest_of(&open, 6, 9).map(|rest| (rest.offset, rest.length)), Some((16, 0)));
    }
}
