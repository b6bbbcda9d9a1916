//! Putting points as they come: a stream of the caller's in messages of several points.

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use prost::Message as _;

use crate::call::Call;
use crate::convert::count;
use crate::generated::proto;
use crate::source::{Source, SourceError};
use crate::{Answer, Result};

/// The points of a message at most, which the server puts in one transaction.
const MESSAGE_POINTS: usize = 250;
/// The bytes of a message's points at most; a point of more goes alone.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// Put what a stream gives.
pub(crate) async fn upsert(
    mut call: Call,
    first: proto::UpsertPointsStreamRequest,
    source: Source<proto::UpsertPointsStreamRequest>,
) -> Result<Answer<u64>> {
    const UNREAD: &str = "the points to put could not be read; some of those before may have been put";
    let response = source.send(&mut call, first, UNREAD).await?;
    Ok(Answer { revision: response.revision, value: count(response.upserted) })
}

/// The messages of a stream of the caller's.
pub(crate) fn source(
    points: impl Stream<Item = Result<proto::PointInput, SourceError>> + Send + 'static,
) -> Source<proto::UpsertPointsStreamRequest> {
    let points = points.fuse().boxed();
    Source::new(stream::try_unfold((points, None), |(mut points, mut next)| async move {
        let pack = pack(&mut points, &mut next).await?;
        let message = |points| proto::UpsertPointsStreamRequest { points, ..Default::default() };
        Ok((!pack.is_empty()).then(|| (message(pack), (points, next))))
    }))
}

/// The points of the next message; none at the end. One that did not fit is left in `next`.
async fn pack(
    points: &mut BoxStream<'static, Result<proto::PointInput, SourceError>>,
    next: &mut Option<proto::PointInput>,
) -> Result<Vec<proto::PointInput>, SourceError> {
    let (mut pack, mut bytes) = (Vec::new(), 0);
    while pack.len() < MESSAGE_POINTS {
        let point = match next.take() {
            Some(point) => Some(point),
            None => points.try_next().await?,
        };
        let Some(point) = point else { break };
        bytes += point.encoded_len();
        if bytes > MESSAGE_BYTES && !pack.is_empty() {
            *next = Some(point);
            break;
        }
        pack.push(point);
    }
    Ok(pack)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many points the messages have, of points with content of these sizes.
    async fn packed(sizes: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let point = |size| proto::PointInput { content: Some(vec![0; size].into()), ..Default::default() };
        let points: Vec<_> = sizes.into_iter().map(|size| Ok(point(size))).collect();
        let (mut points, mut next) = (stream::iter(points).fuse().boxed(), None);
        let mut counts = Vec::new();
        loop {
            match pack(&mut points, &mut next).await.unwrap().len() {
                0 => return counts,
                count => counts.push(count),
            }
        }
    }

    #[tokio::test]
    async fn a_message_has_250_points_or_one_mebibyte() {
        assert_eq!(packed([]).await, [0; 0]);
        assert_eq!(packed([1; 250]).await, [250]);
        assert_eq!(packed([1; 600]).await, [250, 250, 100]);
        assert_eq!(packed([400_000; 5]).await, [2, 2, 1]);
        assert_eq!(packed([1, 2_000_000, 2_000_000, 1, 1]).await, [1, 1, 1, 2], "what is larger goes alone");
    }
}
