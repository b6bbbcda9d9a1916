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
    pub fn vector(self, name: impl Into<String>, dimension: u32, metric: Metric) -> Self {
        self.spec(VectorSpec::new(name, dimension).metric(metric))
    }

    /// And that vector.
    pub fn spec(mut self, spec: VectorSpec) -> Self {
        self.vectors.push(spec);
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
///
/// ```
/// use vexfs_client::{CollectionSchema, VectorSpec, VectorStorage};
///
/// let spec = VectorSpec::new("image", 512).storage(VectorStorage::Bfloat16);
/// assert_eq!(CollectionSchema::new().spec(spec).vectors[0].storage, VectorStorage::Bfloat16);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VectorSpec {
    /// Its name within the collection.
    pub name: String,
    /// How many components it has.
    pub dimension: u32,
    /// How nearness is measured.
    pub metric: Metric,
    /// How a search index keeps it in memory.
    pub storage: VectorStorage,
}

impl VectorSpec {
    /// A vector of that name and number of components, compared by cosine and kept as float32.
    pub fn new(name: impl Into<String>, dimension: u32) -> Self {
        Self { name: name.into(), dimension, metric: Metric::default(), storage: VectorStorage::default() }
    }

    /// How nearness is measured.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// How a search index keeps it in memory.
    pub fn storage(mut self, storage: VectorStorage) -> Self {
        self.storage = storage;
        self
    }
}

impl From<VectorSpec> for proto::VectorSpec {
    fn from(spec: VectorSpec) -> Self {
        let metric = proto::Metric::from(spec.metric).into();
        let storage = proto::VectorStorage::from(spec.storage).into();
        Self { name: spec.name, dimension: crate::convert::limit(spec.dimension), metric, storage }
    }
}

impl From<proto::VectorSpec> for VectorSpec {
    fn from(spec: proto::VectorSpec) -> Self {
        let (metric, storage) = (spec.metric().into(), spec.storage().into());
        Self { name: spec.name, dimension: spec.dimension.unsigned_abs(), metric, storage }
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

/// How a search index keeps vectors in memory. What was put is kept, and scores are exact, whatever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VectorStorage {
    /// 4 bytes a component.
    #[default]
    Float32,
    /// 2 bytes a component.
    Bfloat16,
    /// 1 byte a component.
    Int8,
}

impl From<VectorStorage> for proto::VectorStorage {
    fn from(storage: VectorStorage) -> Self {
        match storage {
            VectorStorage::Float32 => Self::Float32,
            VectorStorage::Bfloat16 => Self::Bfloat16,
            VectorStorage::Int8 => Self::Int8,
        }
    }
}

impl From<proto::VectorStorage> for VectorStorage {
    fn from(storage: proto::VectorStorage) -> Self {
        match storage {
            // What is not said is float32.
            proto::VectorStorage::Unspecified | proto::VectorStorage::Float32 => Self::Float32,
            proto::VectorStorage::Bfloat16 => Self::Bfloat16,
            proto::VectorStorage::Int8 => Self::Int8,
        }
    }
}
