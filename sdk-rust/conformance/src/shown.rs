//! What the crate gives back, as the contract's messages in JSON.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vexfs_client::{
    Collection, CollectionSchema, File, FileKind, Metric, Point, SearchHit, SearchMode, ServerInfo, SkippedFile, SymlinkTarget,
    VectorStorage, ViewPosition, ViewState,
};

pub(crate) fn bytes(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn time(time: SystemTime) -> String {
    prost_types::Timestamp::from(time).to_string()
}

pub(crate) fn file(file: &File) -> Value {
    let kind = match file.kind {
        FileKind::Regular => "FILE_KIND_REGULAR",
        FileKind::Directory => "FILE_KIND_DIRECTORY",
        FileKind::Symlink => "FILE_KIND_SYMLINK",
        FileKind::Fifo => "FILE_KIND_FIFO",
        FileKind::Socket => "FILE_KIND_SOCKET",
        FileKind::CharacterDevice => "FILE_KIND_CHARACTER_DEVICE",
        FileKind::BlockDevice => "FILE_KIND_BLOCK_DEVICE",
        _ => "FILE_KIND_UNSPECIFIED",
    };
    json!({
        "id": file.id,
        "path": file.path,
        "path_bytes": file.path_bytes.as_deref().map(bytes),
        "kind": kind,
        "mode": file.mode,
        "nlink": file.nlink,
        "uid": file.uid,
        "gid": file.gid,
        "rdev": file.rdev,
        "size_bytes": file.size_bytes,
        "atime": time(file.atime),
        "mtime": time(file.mtime),
        "ctime": time(file.ctime),
        "btime": time(file.btime),
        "revision": file.revision,
        "content_revision": file.content_revision,
    })
}

pub(crate) fn target(target: &SymlinkTarget, revision: i64) -> Value {
    match target {
        SymlinkTarget::Path(path) => json!({"revision": revision, "target": path}),
        SymlinkTarget::Bytes(path) => json!({"revision": revision, "target_bytes": bytes(path)}),
    }
}

pub(crate) fn collection(collection: &Collection) -> Value {
    json!({
        "id": collection.id,
        "path": collection.path,
        "path_bytes": collection.path_bytes.as_deref().map(bytes),
        "schema": schema(&collection.schema),
        "revision": collection.revision,
        "point_count": collection.point_count,
    })
}

fn schema(schema: &CollectionSchema) -> Value {
    let vectors = schema.vectors.iter().map(|spec| {
        let metric = match spec.metric {
            Metric::Cosine => "METRIC_COSINE",
            Metric::Dot => "METRIC_DOT",
            Metric::Euclidean => "METRIC_EUCLIDEAN",
            _ => "METRIC_UNSPECIFIED",
        };
        let storage = match spec.storage {
            VectorStorage::Float32 => "VECTOR_STORAGE_FLOAT32",
            VectorStorage::Bfloat16 => "VECTOR_STORAGE_BFLOAT16",
            VectorStorage::Int8 => "VECTOR_STORAGE_INT8",
            _ => "VECTOR_STORAGE_UNSPECIFIED",
        };
        json!({"name": spec.name, "dimension": spec.dimension, "metric": metric, "storage": storage})
    });
    json!({"vectors": vectors.collect::<Vec<_>>(), "embed_text": schema.embed_text})
}

pub(crate) fn point(point: &Point) -> Value {
    let vectors = point.vectors.iter().map(|(name, values)| {
        let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (name.clone(), json!({"values": bytes(&packed)}))
    });
    json!({
        "id": point.id,
        "file_id": point.file_id,
        "metadata": point.metadata,
        "vectors": vectors.collect::<serde_json::Map<_, _>>(),
        "revision": point.revision,
    })
}

pub(crate) fn hit(hit: &SearchHit) -> Value {
    let matches = hit.matches.iter().map(|found| {
        let mode = match found.mode {
            SearchMode::Hybrid => "SEARCH_MODE_HYBRID",
            SearchMode::Dense => "SEARCH_MODE_DENSE",
            SearchMode::Lexical => "SEARCH_MODE_LEXICAL",
            _ => "SEARCH_MODE_UNSPECIFIED",
        };
        json!({"mode": mode, "rank": found.rank, "score": found.score, "terms": found.terms})
    });
    let passage = hit.passage.as_ref().map(|passage| {
        json!({
            "text": passage.text,
            "start_byte": passage.start_byte,
            "end_byte": passage.end_byte,
            "start_line": passage.start_line,
            "end_line": passage.end_line,
        })
    });
    json!({"file": file(&hit.file), "score": hit.score, "passage": passage, "matches": matches.collect::<Vec<_>>()})
}

pub(crate) fn skipped(skipped: &SkippedFile) -> Value {
    json!({"file": file(&skipped.file), "reason": skipped.reason})
}

pub(crate) fn view(view: &ViewPosition) -> Value {
    let state = match view.state {
        ViewState::Ready => "VIEW_STATE_READY",
        ViewState::Behind => "VIEW_STATE_BEHIND",
        ViewState::Rebuilding => "VIEW_STATE_REBUILDING",
        ViewState::Unavailable => "VIEW_STATE_UNAVAILABLE",
        _ => "VIEW_STATE_UNSPECIFIED",
    };
    json!({
        "view": view.view,
        "revision": view.revision,
        "pending": view.pending,
        "state": state,
        "generation": view.generation,
        "put_off": view.put_off,
    })
}

pub(crate) fn server(info: &ServerInfo, revision: i64) -> Value {
    let limits = info.limits;
    json!({
        "revision": revision,
        "version": info.version,
        "capabilities": info.capabilities,
        "limits": {
            "message_size_bytes": limits.message_size_bytes,
            "content_size_bytes": limits.content_size_bytes,
            "search_hits": limits.search_hits,
            "page_size": limits.page_size,
            "points": limits.points,
            "dimension": limits.dimension,
            "metadata_size_bytes": limits.metadata_size_bytes,
            "name_size_bytes": limits.name_size_bytes,
            "path_size_bytes": limits.path_size_bytes,
        },
        "store": {
            "revision": info.store.revision,
            "oldest_revision": info.store.oldest_revision,
            "read_only": info.store.read_only,
            "file_count": info.store.file_count,
            "used_bytes": info.store.used_bytes,
            "quota_bytes": info.store.quota_bytes,
            "quota_files": info.store.quota_files,
        },
        "views": info.views.iter().map(view).collect::<Vec<_>>(),
        "text": {
            "ready": info.text.ready,
            "pending": info.text.pending,
            "skipped": info.text.skipped,
            "passages": info.text.passages,
        },
        "embedding": {"name": info.embedding.name, "dimension": info.embedding.dimension},
    })
}
