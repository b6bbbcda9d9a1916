#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod builders;
mod call;
mod client;
mod collections;
mod content;
mod convert;
mod error;
mod file;
mod file_ref;
mod files;
mod filter;
#[rustfmt::skip]
mod generated;
mod pages;
mod points;
mod points_stream;
pub mod requests;
mod rpc;
mod search;
mod server;
mod settings;
mod source;
mod tls;
mod upload;

pub use answer::Answer;
pub use client::{Client, ClientBuilder};
pub use collections::{Collection, CollectionSchema, Collections, Metric, VectorSpec, VectorStorage};
pub use content::Content;
pub use error::{Error, ErrorKind, Result};
pub use file::{Copied, File, FileKind, SymlinkTarget};
pub use file_ref::FileRef;
pub use files::Files;
pub use filter::{Filter, MetadataKey};
pub use generated::reason::Reason;
pub use pages::{Items, Page, Pages};
pub use points::{Examples, Point, PointExample, PointHit, PointInput, PointQuery, Points, QueryResults};
pub use search::{Match, Passage, SearchHit, SearchMode, SearchQuery, SearchResults, SkippedFile};
pub use server::{EmbeddingModel, Limits, ServerInfo, StorePosition, TextCounts, ViewPosition, ViewState};
pub use settings::SettingsError;

/// A JSON object: a file's metadata, a point's payload. Numbers are 64-bit floats on the way; whole ones come back as integers.
pub type Metadata = serde_json::Map<String, serde_json::Value>;

/// The release of this crate, which calls itself `vexfs-rust/VERSION`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
