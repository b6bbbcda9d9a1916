//! Calls about files, but for their content.

use serde_json::json;
use vexfs_client::{Client, SymlinkTarget};

use crate::fields::{Fields, cannot, walk, with};
use crate::{Answered, Options, shown};

/// Sends a request and shows the file in its answer.
macro_rules! answers_file {
    ($request:ident) => {{
        let answer = $request.answer().await?;
        Ok(vec![json!({"revision": answer.revision, "file": shown::file(&answer.value)})])
    }};
}

pub(crate) async fn call(client: &Client, method: &str, mut fields: Fields, options: Options) -> Answered {
    let files = client.files();
    match method {
        "StatFile" => {
            let mut request = files.stat(fields.file("file")?);
            with!(request, fields, options, int at_revision, int min_revision);
            answers_file!(request)
        }
        "ListFiles" => {
            let mut list = files.list(fields.file("directory")?);
            with!(list, fields, options, uint page_size, text page_token, int at_revision, int min_revision);
            walk!(list, options, "files", shown::file)
        }
        "MakeDirectory" => {
            let mut request = files.make_directory(fields.file("directory")?);
            with!(request, fields, options, flag make_parents, uint mode, text request_id);
            answers_file!(request)
        }
        "MoveFile" => {
            let mut request = files.move_to(fields.file("source")?, fields.file("destination")?);
            with!(request, fields, options, flag no_replace, flag exchange, text request_id);
            answers_file!(request)
        }
        "CopyFile" => {
            let mut request = files.copy(fields.file("source")?, fields.file("destination")?);
            with!(request, fields, options, flag recursive, flag no_replace, text request_id);
            let answer = request.answer().await?;
            let (file, copied) = (shown::file(&answer.value.file), answer.value.count);
            Ok(vec![json!({"revision": answer.revision, "file": file, "copied": copied})])
        }
        "RemoveFile" => {
            let mut request = files.remove(fields.file("file")?);
            with!(request, fields, options, flag recursive, text request_id);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "removed": answer.value})])
        }
        "CreateSymlink" | "ReadSymlink" | "CreateLink" => links(client, method, fields, options).await,
        "SetAttributes" => {
            let mut request = files.set_attributes(fields.file("file")?);
            with!(request, fields, options, uint mode, uint uid, uint gid, time atime, time mtime, size size_bytes, text request_id);
            answers_file!(request)
        }
        "GetMetadata" => {
            let mut request = files.get_metadata(fields.file("file")?);
            with!(request, fields, options, int at_revision, int min_revision);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "metadata": answer.value})])
        }
        "SetMetadata" => {
            let metadata = Fields::needed(fields.metadata("metadata"), "metadata")?;
            let mut request = files.set_metadata(fields.file("file")?, metadata);
            with!(request, fields, options, text request_id);
            answers_file!(request)
        }
        _ => xattrs(client, method, fields, options).await,
    }
}

async fn links(client: &Client, method: &str, mut fields: Fields, options: Options) -> Answered {
    let files = client.files();
    match method {
        "CreateSymlink" => {
            let target = match (fields.text("target")?, fields.bytes("target_bytes")?) {
                (Some(path), None) => SymlinkTarget::Path(path),
                (None, Some(path)) => SymlinkTarget::Bytes(path.into()),
                _ => return cannot("a link has one target"),
            };
            let mut request = files.symlink(fields.file("link")?, target);
            with!(request, fields, options, text request_id);
            answers_file!(request)
        }
        "ReadSymlink" => {
            let mut request = files.read_symlink(fields.file("file")?);
            with!(request, fields, options, int at_revision, int min_revision);
            let answer = request.answer().await?;
            Ok(vec![shown::target(&answer.value, answer.revision)])
        }
        _ => {
            let mut request = files.link(fields.file("file")?, fields.file("link")?);
            with!(request, fields, options, text request_id);
            answers_file!(request)
        }
    }
}

async fn xattrs(client: &Client, method: &str, mut fields: Fields, options: Options) -> Answered {
    let files = client.files();
    let file = fields.file("file")?;
    let mut name = || fields.text("name").map(Option::unwrap_or_default);
    match method {
        "GetXattr" => {
            let mut request = files.get_xattr(file, name()?);
            with!(request, fields, options, int at_revision, int min_revision);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "value": shown::bytes(&answer.value)})])
        }
        "SetXattr" => {
            let (name, value) = (name()?, fields.bytes("value")?.unwrap_or_default());
            let mut request = files.set_xattr(file, name, value);
            with!(request, fields, options, flag create_only, flag replace_only, text request_id);
            Ok(vec![json!({"revision": request.answer().await?.revision})])
        }
        "ListXattrs" => {
            let mut request = files.list_xattrs(file);
            with!(request, fields, options, int at_revision, int min_revision);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "names": answer.value})])
        }
        "RemoveXattr" => {
            let mut request = files.remove_xattr(file, name()?);
            with!(request, fields, options, text request_id);
            Ok(vec![json!({"revision": request.answer().await?.revision})])
        }
        _ => cannot(format!("there is no {method}")),
    }
}
