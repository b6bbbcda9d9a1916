//! What the server is, what it can, and how it is.

use crate::convert::count;
use crate::generated::proto;

/// About the server.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The release, such as `0.1.0`.
    pub version: String,
    /// What this server can, by name: `files`, `collections`, `points`, `search.dense`, `search.lexical`, `history`.
    pub capabilities: Vec<String>,
    /// What a request may ask at most.
    pub limits: Limits,
    /// Where the store is.
    pub store: StorePosition,
    /// Where the views are.
    pub views: Vec<ViewPosition>,
    /// How far the text of files is indexed.
    pub text: TextCounts,
    /// The model that embeds it.
    pub embedding: EmbeddingModel,
}

impl ServerInfo {
    /// None if a part is missing.
    pub(crate) fn from_response(response: proto::GetServerInfoResponse) -> Option<Self> {
        Some(Self {
            version: response.version,
            capabilities: response.capabilities,
            limits: response.limits?.into(),
            store: response.store?.into(),
            views: response.views.into_iter().map(ViewPosition::from).collect(),
            text: response.text.unwrap_or_default().into(),
            embedding: response.embedding.unwrap_or_default().into(),
        })
    }
}

/// What a request may ask of a server at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one message.
    pub message_size_bytes: u64,
    /// Bytes of content that fit one message.
    pub content_size_bytes: u64,
    /// Hits of a search or query.
    pub search_hits: u32,
    /// Entries of a page.
    pub page_size: u32,
    /// Points of one upsert.
    pub points: u32,
    /// Components of a vector.
    pub dimension: u32,
    /// Bytes of a file's metadata as JSON.
    pub metadata_size_bytes: u32,
    /// Bytes of a file's name.
    pub name_size_bytes: u32,
    /// Bytes of a path.
    pub path_size_bytes: u32,
}

impl From<proto::Limits> for Limits {
    fn from(limits: proto::Limits) -> Self {
        Self {
            message_size_bytes: count(limits.message_size_bytes),
            content_size_bytes: count(limits.content_size_bytes),
            search_hits: limits.search_hits.unsigned_abs(),
            page_size: limits.page_size.unsigned_abs(),
            points: limits.points.unsigned_abs(),
            dimension: limits.dimension.unsigned_abs(),
            metadata_size_bytes: limits.metadata_size_bytes.unsigned_abs(),
            name_size_bytes: limits.name_size_bytes.unsigned_abs(),
            path_size_bytes: limits.path_size_bytes.unsigned_abs(),
        }
    }
}

/// Where the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StorePosition {
    /// The newest revision.
    pub revision: i64,
    /// The oldest revision that `at_revision` can name.
    pub oldest_revision: i64,
    /// The volume takes no writes.
    pub read_only: bool,
    /// How many files of any kind there are.
    pub file_count: u64,
    /// How many bytes their content has, holes not counted.
    pub used_bytes: u64,
    /// How many bytes it may have at most; 0: there is no limit.
    pub quota_bytes: u64,
    /// How many files of any kind there may be; 0: there is no limit.
    pub quota_files: u64,
}

impl From<proto::StorePosition> for StorePosition {
    fn from(store: proto::StorePosition) -> Self {
        Self {
            revision: store.revision,
            oldest_revision: store.oldest_revision,
            read_only: store.read_only,
            file_count: count(store.file_count),
            used_bytes: count(store.used_bytes),
            quota_bytes: count(store.quota_bytes),
            quota_files: count(store.quota_files),
        }
    }
}

/// How far one view has followed the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewPosition {
    /// Which view: `text` (extraction and splitting), `dense`, `lexical`.
    pub view: String,
    /// The newest revision up to which it has everything.
    pub revision: i64,
    /// How many files, or vectors, it knows of and does not have yet.
    pub pending: u64,
    /// How it is.
    pub state: ViewState,
    /// The generation being served, if the view has generations; else empty.
    pub generation: String,
    /// Why the build of a generation was put off, for people, such as too little memory; else empty.
    pub put_off: String,
}

impl From<proto::ViewPosition> for ViewPosition {
    fn from(position: proto::ViewPosition) -> Self {
        Self {
            state: position.state().into(),
            view: position.view,
            revision: position.revision,
            pending: count(position.pending),
            generation: position.generation,
            put_off: position.put_off,
        }
    }
}

/// How a view is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ViewState {
    /// It has everything up to its revision.
    Ready,
    /// It follows, and has not yet caught up with the store.
    Behind,
    /// It was lost, or never was, and is being built from the store.
    Rebuilding,
    /// It cannot be read.
    Unavailable,
    /// Something that this release does not know.
    Unknown,
}

impl From<proto::ViewState> for ViewState {
    fn from(state: proto::ViewState) -> Self {
        match state {
            proto::ViewState::Unspecified => Self::Unknown,
            proto::ViewState::Ready => Self::Ready,
            proto::ViewState::Behind => Self::Behind,
            proto::ViewState::Rebuilding => Self::Rebuilding,
            proto::ViewState::Unavailable => Self::Unavailable,
        }
    }
}

/// How far the text of files is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextCounts {
    /// Files whose text can be found.
    pub ready: u64,
    /// Files that are waiting.
    pub pending: u64,
    /// Files that are not indexed; `list_skipped_files` lists them.
    pub skipped: u64,
    /// Passages that can be found.
    pub passages: u64,
}

impl From<proto::TextCounts> for TextCounts {
    fn from(text: proto::TextCounts) -> Self {
        Self {
            ready: count(text.ready),
            pending: count(text.pending),
            skipped: count(text.skipped),
            passages: count(text.passages),
        }
    }
}

/// How the text of files is embedded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmbeddingModel {
    /// The name of the model whose vectors are searched.
    pub name: String,
    /// Components of its vectors.
    pub dimension: u32,
    /// The model that embeds everything anew, to take over once it has; empty when none does.
    pub next_name: String,
    /// Passages that it has embedded, each distinct text once.
    pub next_done: u64,
    /// Passages that it has to embed in all.
    pub next_total: u64,
    /// Why passages cannot be embedded now; empty when they can.
    pub failure: String,
}

impl From<proto::EmbeddingModel> for EmbeddingModel {
    fn from(model: proto::EmbeddingModel) -> Self {
        Self {
            name: model.name,
            dimension: model.dimension.unsigned_abs(),
            next_name: model.next_name,
            next_done: count(model.next_done),
            next_total: count(model.next_total),
            failure: model.failure,
        }
    }
}
