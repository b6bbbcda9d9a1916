//! The group of methods about collections, and what a collection is.

use bytes::Bytes;

use crate::convert::{count, only_if_set};
use crate::files::named;
use crate::generated::proto;
use crate::requests::{CreateCollection, DeleteCollection, GetCollection, ListCollections};
use crate::{Client, FileRef};

/// Directories whose files carry vectors of a declared form. Made by [`Client::collections`].
#[derive(Clone, Debug)]
pub struct Collections {
    client: Client,
}

impl Collections {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Give a directory a vector schema. If it is named by a path and is not there, it is made.
    pub fn create(&self, collection: impl Into<FileRef>, schema: CollectionSchema) -> CreateCollection {
        let (collection, schema) = (named(collection), Some(schema.into()));
        CreateCollection::new(&self.client, proto::CreateCollectionRequest { collection, schema, ..Default::default() })
    }

    /// One collection.
    pub fn get(&self, collection: impl Into<FileRef>) -> GetCollection {
        GetCollection::new(&self.client, proto::GetCollectionRequest { collection: named(collection), ..Default::default() })
    }

    /// All collections, the root's first.
    pub fn list(&self) -> ListCollections {
        ListCollections::new(&self.client, Default::default())
    }

    /// Take the schema away from a directory, and with it the vectors of its points; the files stay.
    pub fn delete(&self, collection: impl Into<FileRef>) -> DeleteCollection {
        let collection = named(collection);
        DeleteCollection::new(&self.client, proto::DeleteCollectionRequest { collection, ..Default::default() })
    }
}

/// A collection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Collection {
    /// Id of the directory.
    pub id: i64,
    /// Path of the directory; empty if it is not UTF-8.
    pub path: String,
    /// The same path as bytes, if it is not UTF-8.
    pub path_bytes: Option<Bytes>,
    /// What vectors its files carry.
    pub schema: CollectionSchema,
    /// Revision of the last change of the schema.
    pub revision: i64,
    /// How many points it has.
    pub point_count: u64,
}

impl From<proto::Collection> for Collection {
    fn from(collection: proto::Collection) -> Self {
        Self {
            id: collection.id,
            path: collection.path,
            path_bytes: only_if_set(collection.path_bytes),
            schema: collection.schema.unwrap_or_default().into(),
            revision: collection.revision,
            point_count: count(collection.point_count),
        }
    }
}

/// What vectors the files of a collection carry: it has a vector, or embeds text, or both.
///
/// ```
/// use vexfs_client::{CollectionSchema, Metric};
///
/// let schema = CollectionSchema::new().vector("image", 512, Metric::Cosine).embed_text(true);
/// assert_eq!(schema.vectors[0].dimension, 512);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CollectionSchema {
    /// The vectors clients put; the first is the one meant when a request names none.
    pub vectors: Vec<VectorSpec>,
    /// Extract, split and embed the content of the files, as everywhere else.
    pub embed_text: bool,
}

impl CollectionSchema {
    /// A schema without a vector.
    pub fn new() -> Self {
        Self::default()
    }

    /// And a vector of that name and number of components.
    pub fn vector(mut self, name: impl Into<String>, dimension: u32, metric: Metric) -> Self {
        self.vectors.push(VectorSpec { name: name.into(), dimension, metric });
        self
    }

    /// Embed the content of the files, too.
    pub fn embed_text(mut self, embed_text: bool) -> Self {
        self.embed_text = embed_text;
        self
    }
}

impl From<CollectionSchema> for proto::CollectionSchema {
    fn from(schema: CollectionSchema) -> Self {
        Self { vectors: schema.vectors.into_iter().map(Into::into).collect(), embed_text: schema.embed_text }
    }
}

impl From<proto::CollectionSchema> for CollectionSchema {
    fn from(schema: proto::CollectionSchema) -> Self {
        Self { vectors: schema.vectors.into_iter().map(Into::into).collect(), embed_text: schema.embed_text }
    }
}

/// One named vector that each point may carry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VectorSpec {
    /// Its name within the collection.
    pub name: String,
    /// How many components it has.
    pub dimension: u32,
    /// How nearness is measured.
    pub metric: Metric,
}

impl From<VectorSpec> for proto::VectorSpec {
    fn from(spec: VectorSpec) -> Self {
        let metric = proto::Metric::from(spec.metric).into();
        Self { name: spec.name, dimension: crate::convert::limit(spec.dimension), metric }
    }
}

impl From<proto::VectorSpec> for VectorSpec {
    fn from(spec: proto::VectorSpec) -> Self {
        let metric = spec.metric().into();
        Self { name: spec.name, dimension: spec.dimension.unsigned_abs(), metric }
    }
}

/// How near two vectors are to each other; higher is nearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// The cosine of their angle; length does not matter.
    #[default]
    Cosine,
    /// Their inner product.
    Dot,
    /// The negated Euclidean distance.
    Euclidean,
}

impl From<Metric> for proto::Metric {
    fn from(metric: Metric) -> Self {
        match metric {
            Metric::Cosine => Self::Cosine,
            Metric::Dot => Self::Dot,
            Metric::Euclidean => Self::Euclidean,
        }
    }
}

impl From<proto::Metric> for Metric {
    fn from(metric: proto::Metric) -> Self {
        match metric {
            // What is not said is cosine.
            proto::Metric::Unspecified | proto::Metric::Cosine => Self::Cosine,
            proto::Metric::Dot => Self::Dot,
            proto::Metric::Euclidean => Self::Euclidean,
        }
    }
}
