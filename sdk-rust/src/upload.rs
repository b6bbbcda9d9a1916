//! Writing content: bytes in one message, more bytes or a stream in several.

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use crate::call::Call;
use crate::generated::proto;
use crate::generated::proto::write_file_request::Part;
use crate::rpc::Streamed as _;
use crate::source::{Source, SourceError};
use crate::{Answer, File, Result};

/// Up to here bytes go in one message.
pub(crate) const SINGLE_MAX_BYTES: usize = 4 * 1024 * 1024;
const PIECE_BYTES: usize = 256 * 1024;

/// Write bytes in pieces; tried again as any call.
pub(crate) async fn bytes(mut call: Call, first: proto::WriteFileRequest, data: Bytes) -> Result<Answer<File>> {
    let messages = |data: Bytes| stream::iter([first.clone()]).chain(pieces(data).map(message));
    let response =
        call.run(|call| proto::WriteFileRequest::send(call.request(messages(data.clone())), call.channel()), || true).await?;
    answer(&call, response)
}

/// Write what a stream gives.
pub(crate) async fn stream(
    mut call: Call,
    first: proto::WriteFileRequest,
    source: Source<proto::WriteFileRequest>,
) -> Result<Answer<File>> {
    const UNREAD: &str = "the content to write could not be read; nothing was written";
    let response = source.send(&mut call, first, UNREAD).await?;
    answer(&call, response)
}

/// The messages of a stream of the caller's.
pub(crate) fn source(
    content: impl Stream<Item = Result<Bytes, SourceError>> + Send + 'static,
) -> Source<proto::WriteFileRequest> {
    Source::new(content.map_ok(|data| pieces(data).map(message).map(Ok)).try_flatten())
}

fn answer(call: &Call, response: proto::WriteFileResponse) -> Result<Answer<File>> {
    let file = response.file.ok_or_else(|| call.incomplete())?;
    Ok(Answer { revision: response.revision, value: file.into() })
}

fn message(data: Bytes) -> proto::WriteFileRequest {
    proto::WriteFileRequest { part: Some(Part::Data(data)), request_id: String::new() }
}

fn pieces(data: Bytes) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::unfold(data, |mut data| async move {
        let piece = data.split_to(data.len().min(PIECE_BYTES));
        (!piece.is_empty()).then_some((piece, data))
    })
}
