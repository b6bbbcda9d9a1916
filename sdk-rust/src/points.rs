//! The group of methods about points, and what a point is.

use std::collections::HashMap;
use std::error::Error as StdError;

use bytes::Bytes;
use futures_util::stream::{Stream, TryStreamExt as _};

use crate::convert::{count, from_struct, from_vector, to_struct, to_vector};
use crate::files::named;
use crate::generated::proto;
use crate::points_stream;
use crate::requests::{BatchQueryPoints, DeletePoints, GetPoints, ListPoints, QueryPoints, UpsertPoints, UpsertPointsStream};
use crate::{Client, FileRef, Metadata};

/// Vectors with a payload: the files of a collection. Made by [`Client::points`].
#[derive(Clone, Debug)]
pub struct Points {
    client: Client,
}

impl Points {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Make points, or replace those of the same id: 10,000 and 16 MiB at most, [`upsert_stream`](Self::upsert_stream) takes more.
    /// More than 250 are put in several transactions, in order.
    pub fn upsert(&self, collection: impl Into<FileRef>, points: impl IntoIterator<Item = PointInput>) -> UpsertPoints {
        let points = points.into_iter().map(|point| point.0).collect();
        let request = proto::UpsertPointsRequest { collection: named(collection), points, ..Default::default() };
        UpsertPoints::new(&self.client, request)
    }

    /// Make points, or replace those of the same id, as a stream gives them: any number, of which few are in memory at a time.
    ///
    /// They are put in order, as they come, and the stream is asked for more as fast as the server puts them. A failure leaves those
    /// before it: `upserted` of the error's [`metadata`](crate::Error::metadata) says how many, at least, those are. Once it
    /// has answered all of them are durable.
    ///
    /// Unlike [`upsert`](Self::upsert) it is sent once, and not tried again once something was taken from the stream; it is safe to
    /// send all of it again. There is no time-out, not the client's either, unless the request is given one, for the whole stream.
    ///
    /// ```
    /// # async fn put(client: vexfs_client::Client) -> vexfs_client::Result<()> {
    /// use std::convert::Infallible;
    ///
    /// use futures_util::stream;
    /// use vexfs_client::PointInput;
    ///
    /// let points = (0..1_000_000).map(|n| PointInput::new(format!("{n}")).vector("image", [0.1, 0.9]));
    /// let upserted = client.points().upsert_stream("/images", stream::iter(points.map(Ok::<_, Infallible>))).await?;
    /// assert_eq!(upserted, 1_000_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn upsert_stream<S, E>(&self, collection: impl Into<FileRef>, points: S) -> UpsertPointsStream
    where
        S: Stream<Item = Result<PointInput, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        let request = proto::UpsertPointsStreamRequest { collection: named(collection), ..Default::default() };
        let source = points_stream::source(points.map_ok(|point| point.0).map_err(Into::into));
        UpsertPointsStream::new(&self.client, request, source)
    }

    /// Read points by their ids, in their order; one that is not there is left out.
    pub fn get<I: Into<String>>(&self, collection: impl Into<FileRef>, ids: impl IntoIterator<Item = I>) -> GetPoints {
        let (collection, ids) = (named(collection), ids.into_iter().map(Into::into).collect());
        GetPoints::new(&self.client, proto::GetPointsRequest { collection, ids, ..Default::default() })
    }

    /// Delete points by their ids; one that is not there is passed over.
    pub fn delete<I: Into<String>>(&self, collection: impl Into<FileRef>, ids: impl IntoIterator<Item = I>) -> DeletePoints {
        let (collection, ids) = (named(collection), ids.into_iter().map(Into::into).collect());
        DeletePoints::new(&self.client, proto::DeletePointsRequest { collection, ids, ..Default::default() })
    }

    /// The points of a collection in byte order of their ids.
    pub fn list(&self, collection: impl Into<FileRef>) -> ListPoints {
        ListPoints::new(&self.client, proto::ListPointsRequest { collection: named(collection), ..Default::default() })
    }

    /// Find the points whose vectors are nearest to a vector, to another point's, or to what several [`Examples`] have in common.
    pub fn query(&self, collection: impl Into<FileRef>, query: impl Into<PointQuery>) -> QueryPoints {
        let (collection, query) = (named(collection), Some(query.into().into()));
        QueryPoints::new(&self.client, proto::QueryPointsRequest { collection, query, ..Default::default() })
    }

    /// Answer up to 100 queries, made by [`Points::query`] and not sent, in their order and all of the same revision. Their limits
    /// may be 10,000 together, the answers 3 MiB. If one query cannot be answered all fail, and the error names it, in its message
    /// and as `index` of its metadata. The batch has the time-out and the revision to wait for, and the queries have none.
    pub fn batch_query(&self, queries: impl IntoIterator<Item = QueryPoints>) -> BatchQueryPoints {
        let queries = queries.into_iter().map(QueryPoints::into_request).collect();
        BatchQueryPoints::new(&self.client, proto::BatchQueryPointsRequest { queries, ..Default::default() })
    }
}

/// A point to put.
///
/// ```
/// use vexfs_client::PointInput;
///
/// let point = PointInput::new("cat.png").vector("image", [0.1, 0.9]).metadata([("animal", "cat")]);
/// # let _ = point;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PointInput(proto::PointInput);

impl PointInput {
    /// A point of that id, the name of its file in the collection's directory; without vectors, with an empty payload.
    pub fn new(id: impl Into<String>) -> Self {
        Self(proto::PointInput { id: id.into(), ..Default::default() })
    }

    /// And this vector. A name that is left out keeps no vector.
    pub fn vector(mut self, name: impl Into<String>, values: impl AsRef<[f32]>) -> Self {
        self.0.vectors.insert(name.into(), to_vector(values.as_ref()));
        self
    }

    /// Its payload, at most 64 KiB as JSON: pairs of a name and a JSON value, or a whole [`Metadata`].
    pub fn metadata<K, V>(mut self, metadata: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<serde_json::Value>,
    {
        let metadata = metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.0.metadata = Some(to_struct(metadata));
        self
    }

    /// Content of its file; if not set, a new file is empty and an old one keeps what it has.
    pub fn content(mut self, content: impl Into<Bytes>) -> Self {
        self.0.content = Some(content.into());
        self
    }
}

/// A point as it is stored.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The name of its file in the collection's directory.
    pub id: String,
    /// Id of its file.
    pub file_id: i64,
    /// Its payload.
    pub metadata: Metadata,
    /// Its vectors by name, if they were asked for.
    pub vectors: HashMap<String, Vec<f32>>,
    /// Revision of the last change to its file.
    pub revision: i64,
}

impl From<proto::Point> for Point {
    fn from(point: proto::Point) -> Self {
        Self {
            id: point.id,
            file_id: point.file_id,
            metadata: from_struct(point.metadata),
            vectors: point.vectors.iter().map(|(name, vector)| (name.clone(), from_vector(vector))).collect(),
            revision: point.revision,
        }
    }
}

/// What points shall be near to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PointQuery {
    /// This vector.
    Vector(Vec<f32>),
    /// The vector of the point with this id, which is itself left out of the answer.
    Point(String),
    /// What these have in common.
    Examples(Examples),
}

impl PointQuery {
    /// Near to the point with this id.
    pub fn point(id: impl Into<String>) -> Self {
        Self::Point(id.into())
    }
}

impl From<Vec<f32>> for PointQuery {
    fn from(vector: Vec<f32>) -> Self {
        Self::Vector(vector)
    }
}

impl From<&[f32]> for PointQuery {
    fn from(vector: &[f32]) -> Self {
        Self::Vector(vector.to_vec())
    }
}

impl<const N: usize> From<[f32; N]> for PointQuery {
    fn from(vector: [f32; N]) -> Self {
        Self::Vector(vector.to_vec())
    }
}

impl From<PointQuery> for proto::query_points_request::Query {
    fn from(query: PointQuery) -> Self {
        match query {
            PointQuery::Vector(vector) => Self::Vector(to_vector(&vector)),
            PointQuery::Point(id) => Self::PointId(id),
            PointQuery::Examples(examples) => Self::Examples(examples.0),
        }
    }
}

/// What points shall be like, and what they shall not be like, up to 100 of each.
///
/// The mean of the positive ones is compared; if there are negative ones, twice that mean less the mean of those. Under cosine
/// each is brought to length 1 before. Points that are named are left out of the answer.
///
/// ```
/// use vexfs_client::{Examples, PointExample};
///
/// let like = Examples::new().positive(PointExample::point("cat.png")).positive([0.1, 0.9]).negative(PointExample::point("dog.png"));
/// # let _ = like;
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examples(proto::Examples);

impl Examples {
    /// None yet; at least one has to be positive.
    pub fn new() -> Self {
        Self::default()
    }

    /// And points shall be like this.
    pub fn positive(mut self, example: impl Into<PointExample>) -> Self {
        self.0.positive.push(example.into().0);
        self
    }

    /// And points shall not be like this.
    pub fn negative(mut self, example: impl Into<PointExample>) -> Self {
        self.0.negative.push(example.into().0);
        self
    }
}

impl From<Examples> for PointQuery {
    fn from(examples: Examples) -> Self {
        Self::Examples(examples)
    }
}

/// One of [`Examples`]: a point, or a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct PointExample(proto::Example);

impl PointExample {
    /// The vector of the point with this id, which is itself left out of the answer.
    pub fn point(id: impl Into<String>) -> Self {
        Self(proto::Example { example: Some(proto::example::Example::PointId(id.into())) })
    }

    fn vector(values: &[f32]) -> Self {
        Self(proto::Example { example: Some(proto::example::Example::Vector(to_vector(values))) })
    }
}

impl From<Vec<f32>> for PointExample {
    fn from(vector: Vec<f32>) -> Self {
        Self::vector(&vector)
    }
}

impl From<&[f32]> for PointExample {
    fn from(vector: &[f32]) -> Self {
        Self::vector(vector)
    }
}

impl<const N: usize> From<[f32; N]> for PointExample {
    fn from(vector: [f32; N]) -> Self {
        Self::vector(&vector)
    }
}

/// One point that is near.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PointHit {
    /// The point.
    pub point: Point,
    /// How near it is under the collection's metric; higher is nearer.
    pub score: f64,
}

/// The nearest points.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QueryResults {
    /// The points, best first; equal scores by file id.
    pub hits: Vec<PointHit>,
    /// The generation of the dense index that answered; empty if none did.
    pub generation: String,
    /// No nearer vector can have been missed.
    pub exact: bool,
    /// How the answer was found, such as `exact` or `scann`.
    pub strategy: String,
    /// Something that was asked for could not be looked through.
    pub partial: bool,
    /// Why the answer is partial, for people.
    pub partial_reasons: Vec<String>,
    /// How many changed vectors the views do not have yet.
    pub pending: u64,
    /// What to ask for the hits that follow with; empty after the last.
    pub next_page_token: String,
}

impl QueryResults {
    /// None if a hit has no point.
    pub(crate) fn from_response(response: proto::QueryPointsResponse) -> Option<Self> {
        let hit = |hit: proto::PointHit| Some(PointHit { point: hit.point?.into(), score: hit.score });
        Some(Self {
            hits: response.hits.into_iter().map(hit).collect::<Option<_>>()?,
            generation: response.generation,
            exact: response.exact,
            strategy: response.strategy,
            partial: response.partial,
            partial_reasons: response.partial_reasons,
            pending: count(response.pending),
            next_page_token: response.next_page_token,
        })
    }
}
