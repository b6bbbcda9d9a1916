//! Calls about finding files and about the server, and filters.

use std::ops::Bound;

use serde_json::{Value, json};
use vexfs_client::requests::Search;
use vexfs_client::{Client, Filter, SearchMode, SearchQuery, SearchResults};

use crate::fields::{Fields, cannot, set, take, walk, with};
use crate::{Answered, Options, Stop, shown};

const MODES: &[&str] = &["UNSPECIFIED", "HYBRID", "DENSE", "LEXICAL"];

pub(crate) async fn call(client: &Client, method: &str, mut fields: Fields, options: Options) -> Answered {
    match method {
        "Search" => search(client, fields, options).await,
        "BatchSearch" => batch(client, fields, options).await,
        "WaitForViews" => {
            let mut request = client.wait_for_views();
            with!(request, fields, options, int min_revision);
            let answer = request.answer().await?;
            let views: Vec<Value> = answer.value.iter().map(shown::view).collect();
            Ok(vec![json!({"revision": answer.revision, "views": views})])
        }
        "ListSkippedFiles" => {
            let mut list = client.list_skipped_files();
            if let Some(scope) = fields.file_or_none("scope")? {
                list = list.scope(scope);
            }
            with!(list, fields, options, uint page_size, text page_token, int min_revision);
            walk!(list, options, "files", shown::skipped)
        }
        _ => {
            let mut request = client.server_info();
            with!(request, fields, options, int min_revision);
            let answer = request.answer().await?;
            Ok(vec![shown::server(&answer.value, answer.revision)])
        }
    }
}

async fn search(client: &Client, mut fields: Fields, options: Options) -> Answered {
    let mut request = query(client, &mut fields)?;
    with!(request, fields, options, int min_revision);
    if let Some(page_size) = options.hits_page_size {
        return take!(request.hits(page_size), options, "hits", shown::hit);
    }
    let answer = request.answer().await?;
    Ok(vec![found(&answer.value, answer.revision)])
}

async fn batch(client: &Client, mut fields: Fields, options: Options) -> Answered {
    let one = |mut fields: Fields| -> Result<Search, Stop> {
        let request = query(client, &mut fields)?;
        fields.finish()?;
        Ok(request)
    };
    let searches = fields.objects("searches")?.unwrap_or_default().into_iter().map(one).collect::<Result<Vec<_>, _>>()?;
    let mut request = client.batch_search(searches);
    with!(request, fields, options, int min_revision);
    let answer = request.answer().await?;
    let answers: Vec<_> = answer.value.iter().map(|results| found(results, answer.revision)).collect();
    Ok(vec![json!({"revision": answer.revision, "answers": answers})])
}

/// A search without what a batch says for all.
fn query(client: &Client, fields: &mut Fields) -> Result<Search, Stop> {
    let query = match (fields.text("text")?, fields.vector("vector")?, fields.file_or_none("like")?) {
        (Some(text), None, None) => SearchQuery::Text(text),
        (None, Some(vector), None) => SearchQuery::Vector(vector),
        (None, None, Some(file)) => SearchQuery::like(file),
        _ => return cannot("a search has words, a vector or a file"),
    };
    let mut request = client.search(query);
    if let Some(scope) = fields.file_or_none("scope")? {
        request = request.scope(scope);
    }
    if let Some(filter) = filter_of(fields, "filter")? {
        request = request.filter(filter);
    }
    match fields.name("mode", "SEARCH_MODE_", MODES)?.as_deref() {
        None => {}
        Some("HYBRID") => request = request.mode(SearchMode::Hybrid),
        Some("DENSE") => request = request.mode(SearchMode::Dense),
        Some("LEXICAL") => request = request.mode(SearchMode::Lexical),
        Some(other) => return cannot(format!("there is no mode {other}")),
    }
    set!(request, fields, uint limit, text vector_name, flag exact, number dense_weight, number lexical_weight, text page_token);
    Ok(request)
}

fn found(results: &SearchResults, revision: i64) -> Value {
    json!({
        "revision": revision,
        "hits": results.hits.iter().map(shown::hit).collect::<Vec<_>>(),
        "generation": results.generation,
        "exact": results.exact,
        "strategy": results.strategy,
        "partial": results.partial,
        "partial_reasons": results.partial_reasons,
        "pending": results.pending,
        "next_page_token": results.next_page_token,
    })
}

/// The filter that is this field.
pub(crate) fn filter_of(fields: &mut Fields, name: &str) -> Result<Option<Filter>, Stop> {
    fields.object(name)?.map(filter).transpose()
}

fn filter(mut fields: Fields) -> Result<Filter, Stop> {
    let list = |mut list: Fields| -> Result<Vec<Filter>, Stop> {
        let filters = list.objects("filters")?.unwrap_or_default().into_iter().map(filter).collect::<Result<_, _>>()?;
        list.finish()?;
        Ok(filters)
    };
    let filter = if let Some(all) = fields.object("all")? {
        Filter::all(list(all)?)
    } else if let Some(any) = fields.object("any")? {
        Filter::any(list(any)?)
    } else if let Some(negated) = fields.object("negated")? {
        !self::filter(negated)?
    } else if let Some(condition) = fields.object("metadata")? {
        metadata(condition)?
    } else if let Some(condition) = fields.object("attribute")? {
        attribute(condition)?
    } else {
        return cannot("a filter demands something");
    };
    fields.finish()?;
    Ok(filter)
}

fn metadata(mut fields: Fields) -> Result<Filter, Stop> {
    let key = Filter::metadata(fields.text("key")?.unwrap_or_default());
    let filter = if let Some(value) = fields.value("equals") {
        key.equals(value)
    } else if let Some(mut list) = fields.object("one_of")? {
        let values = list.values("values")?.unwrap_or_default();
        list.finish()?;
        key.one_of(values)
    } else if let Some(bounds) = fields.object("range")? {
        key.range(range(bounds, Ok)?)
    } else if let Some(prefix) = fields.text("prefix")? {
        key.prefix(prefix)
    } else if let Some(exists) = fields.flag("exists")? {
        key.exists(exists)
    } else {
        return cannot("a condition tests something");
    };
    fields.finish()?;
    Ok(filter)
}

fn attribute(mut fields: Fields) -> Result<Filter, Stop> {
    let filter = if let Some(bounds) = fields.object("size_bytes")? {
        Filter::size_bytes(range(bounds, whole)?)
    } else if let Some(mut span) = fields.object("mtime")? {
        let filter = Filter::mtime(span.time("from")?, span.time("until")?);
        span.finish()?;
        filter
    } else if let Some(mut span) = fields.object("btime")? {
        let filter = Filter::btime(span.time("from")?, span.time("until")?);
        span.finish()?;
        filter
    } else if let Some(pattern) = fields.text("name")? {
        Filter::name(pattern)
    } else if let Some(uid) = fields.uint("uid")? {
        Filter::uid(uid)
    } else if let Some(gid) = fields.uint("gid")? {
        Filter::gid(gid)
    } else {
        return cannot("a condition tests something");
    };
    fields.finish()?;
    Ok(filter)
}

fn range<T>(mut fields: Fields, read: impl Fn(f64) -> Result<T, Stop>) -> Result<(Bound<T>, Bound<T>), Stop> {
    let mut bound = |excluded: &str, included: &str| match (fields.number(excluded)?, fields.number(included)?) {
        (Some(number), None) => Ok(Bound::Excluded(read(number)?)),
        (None, Some(number)) => Ok(Bound::Included(read(number)?)),
        (None, None) => Ok(Bound::Unbounded),
        (Some(_), Some(_)) => cannot("a range has one bound on each side"),
    };
    let range = (bound("gt", "gte")?, bound("lt", "lte")?);
    fields.finish()?;
    Ok(range)
}

fn whole(number: f64) -> Result<u64, Stop> {
    if number.fract() == 0.0 && (0.0..=u64::MAX as f64).contains(&number) {
        Ok(number as u64)
    } else {
        cannot("sizes are whole numbers")
    }
}
