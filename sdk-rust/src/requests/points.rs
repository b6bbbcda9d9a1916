//! Requests about points.

use std::time::Duration;

use crate::builders::{awaitable, common, hits, list, request};
use crate::call::{Call, fill};
use crate::convert::{count, limit};
use crate::generated::proto;
use crate::points_stream;
use crate::source::Source;
use crate::{Answer, Client, Filter, Point, PointHit, QueryResults, Result};

request! {
    /// Puts points; answers how many. Made by [`Points::upsert`](crate::Points::upsert).
    writes UpsertPoints(UpsertPointsRequest) -> u64, |response| Some(count(response.upserted))
}

/// Puts what a stream gives; answers how many points that were. Made by [`Points::upsert_stream`](crate::Points::upsert_stream).
#[must_use = "a request does nothing until it is awaited"]
pub struct UpsertPointsStream {
    client: Client,
    request: proto::UpsertPointsStreamRequest,
    source: Source<proto::UpsertPointsStreamRequest>,
    timeout: Option<Duration>,
}

impl UpsertPointsStream {
    pub(crate) fn new(
        client: &Client,
        request: proto::UpsertPointsStreamRequest,
        source: Source<proto::UpsertPointsStreamRequest>,
    ) -> Self {
        // How long it takes is the caller's business, as its length is: the client's time-out is for other calls.
        Self { client: client.clone(), request, source, timeout: Some(Duration::ZERO) }
    }

    /// Put the points; the answer comes with the revision it reflects.
    ///
    /// # Errors
    ///
    /// The call failed; see [`Error`](crate::Error). When the stream of points ends with an error, the error is of kind
    /// [`Cancelled`](crate::ErrorKind::Cancelled) with that error as its source; points before it may have been put.
    pub async fn answer(mut self) -> Result<Answer<u64>> {
        const METHOD: &str = "upsert_points_stream";
        let request_id = fill(&mut self.request.request_id).clone();
        let call = Call::new(self.client, METHOD, self.timeout, request_id);
        Call::traced(METHOD, points_stream::upsert(call, self.request, self.source)).await
    }
}

common!(writes UpsertPointsStream);
awaitable!(UpsertPointsStream -> u64);

request! {
    /// Reads points by id. Made by [`Points::get`](crate::Points::get).
    reads GetPoints(GetPointsRequest) -> Vec<Point>, |response| Some(response.points.into_iter().map(Point::from).collect())
}

request! {
    /// Deletes points; answers how many were there. Made by [`Points::delete`](crate::Points::delete).
    writes DeletePoints(DeletePointsRequest) -> u64, |response| Some(count(response.deleted))
}

list! {
    /// Lists points in byte order of their ids. Made by [`Points::list`](crate::Points::list).
    reads ListPoints(ListPointsRequest) -> Point, |response| Some(response.points.into_iter().map(Point::from).collect())
}

request! {
    /// Finds the nearest points. Made by [`Points::query`](crate::Points::query).
    reads QueryPoints(QueryPointsRequest) -> QueryResults, |response| QueryResults::from_response(response)
}

hits!(QueryPoints(QueryPointsRequest) -> QueryResults of PointHit);

request! {
    /// Answers several queries at once. Made by [`Points::batch_query`](crate::Points::batch_query).
    reads BatchQueryPoints(BatchQueryPointsRequest) -> Vec<QueryResults>, |response| {
        response.answers.into_iter().map(QueryResults::from_response).collect()
    }
}

impl QueryPoints {
    pub(crate) fn into_request(self) -> proto::QueryPointsRequest {
        self.request
    }

    /// Which named vector to compare; the collection's first if not set.
    pub fn vector_name(mut self, name: impl Into<String>) -> Self {
        self.request.vector_name = name.into();
        self
    }

    /// Only points that pass this.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.request.filter = Some(filter.into());
        self
    }

    /// How many hits at most; 10 if not set. Of [`hits`](Self::hits): in all; no limit if not set.
    pub fn limit(mut self, hits: u32) -> Self {
        self.request.limit = limit(hits);
        self
    }

    /// Compare with every vector that may be answered, so that none is missed, however long that takes.
    pub fn exact(mut self, exact: bool) -> Self {
        self.request.exact = exact;
        self
    }

    /// The hits that follow an answer to the same question, by its `next_page_token`; `limit` may be another.
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.request.page_token = token.into();
        self
    }
}

macro_rules! with_vectors {
    ($($Name:ident)*) => { $(
        impl $Name {
            /// Answer the vectors, too.
            pub fn with_vectors(mut self, with_vectors: bool) -> Self {
                self.request.with_vectors = with_vectors;
                self
            }
        }
    )* };
}

with_vectors!(GetPoints ListPoints QueryPoints);
