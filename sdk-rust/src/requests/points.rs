//! Requests about points.

use crate::builders::{hits, list, request};
use crate::convert::{count, limit};
use crate::generated::proto;
use crate::{Filter, Point, PointHit, QueryResults};

request! {
    /// Puts points; answers how many. Made by [`Points::upsert`](crate::Points::upsert).
    writes UpsertPoints(UpsertPointsRequest) -> u64, |response| Some(count(response.upserted))
}

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
