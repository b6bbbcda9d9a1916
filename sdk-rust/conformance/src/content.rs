//! Calls that carry content.

use std::convert::Infallible;

use futures_util::stream;
use serde_json::json;
use vexfs_client::Client;
use vexfs_client::requests::Read;

use crate::fields::{Fields, with};
use crate::{Answered, Options, Stop, shown};

fn read(client: &Client, mut fields: Fields, options: Options) -> Result<Read, Stop> {
    let mut request = client.files().read(fields.file("file")?);
    let offset = fields.size("offset")?.unwrap_or_default();
    request = match fields.size("length")?.unwrap_or_default() {
        0 => request.range(offset..),
        length => request.range(offset..offset.saturating_add(length)),
    };
    with!(request, fields, options, int at_revision, int min_revision);
    Ok(request)
}

pub(crate) async fn read_file(client: &Client, fields: Fields, options: Options) -> Answered {
    let mut content = read(client, fields, options)?.stream().await?;
    let (revision, file) = (content.revision(), shown::file(content.file()));
    let mut pieces = Vec::new();
    while pieces.len() < options.take {
        let Some(piece) = content.next().await else { break };
        let data = shown::bytes(&piece?);
        // The file stands in the first piece only.
        pieces.push(if pieces.is_empty() {
            json!({"revision": revision, "data": data, "file": file})
        } else {
            json!({"revision": revision, "data": data})
        });
    }
    Ok(pieces)
}

pub(crate) async fn get_content(client: &Client, fields: Fields, options: Options) -> Answered {
    let answer = read(client, fields, options)?.answer().await?;
    Ok(vec![json!({"revision": answer.revision, "data": shown::bytes(&answer.value)})])
}

pub(crate) async fn put_content(client: &Client, mut fields: Fields, options: Options) -> Answered {
    let data = fields.bytes("data")?.unwrap_or_default();
    let mut request = client.files().write(fields.file("file")?, data);
    if let Some(mut set) = fields.object("options")? {
        with!(request, set, options, size offset, int if_content_revision, flag make_parents, uint mode);
    }
    with!(request, fields, options, text request_id);
    let answer = request.answer().await?;
    Ok(vec![json!({"revision": answer.revision, "file": shown::file(&answer.value)})])
}

pub(crate) async fn write_file(client: &Client, mut first: Fields, rest: Vec<Fields>, options: Options) -> Answered {
    let mut header = Fields::needed(first.object("header"), "header")?;
    let pieces = rest.into_iter().map(|mut fields| {
        let data = Fields::needed(fields.bytes("data"), "data")?;
        fields.finish()?;
        Ok(Ok::<_, Infallible>(data))
    });
    let pieces: Vec<_> = pieces.collect::<Result<_, Stop>>()?;
    let mut request = client.files().write_stream(header.file("file")?, stream::iter(pieces));
    if let Some(mut set) = header.object("options")? {
        with!(request, set, options, size offset, int if_content_revision, flag make_parents, uint mode);
    }
    header.finish()?;
    with!(request, first, options, text request_id);
    let answer = request.answer().await?;
    Ok(vec![json!({"revision": answer.revision, "file": shown::file(&answer.value)})])
}
