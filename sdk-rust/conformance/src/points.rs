//! Calls about points.

use std::convert::Infallible;

use futures_util::stream;
use serde_json::{Value, json};
use vexfs_client::requests::QueryPoints;
use vexfs_client::{Client, Examples, FileRef, PointExample, PointHit, PointInput, PointQuery, Points, QueryResults};

use crate::fields::{Fields, cannot, set, take, walk, with};
use crate::search::filter_of;
use crate::{Answered, Options, Stop, shown};

pub(crate) async fn call(client: &Client, method: &str, mut fields: Fields, options: Options) -> Answered {
    let points = client.points();
    if method == "BatchQueryPoints" {
        return batch(&points, fields, options).await;
    }
    let collection = fields.file("collection")?;
    let shown_all = |points: &[_]| points.iter().map(shown::point).collect::<Vec<_>>();
    match method {
        "UpsertPoints" => {
            let mut request = points.upsert(collection, inputs(&mut fields)?);
            with!(request, fields, options, text request_id);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "upserted": answer.value})])
        }
        "GetPoints" => {
            let mut request = points.get(collection, fields.texts("ids")?.unwrap_or_default());
            with!(request, fields, options, flag with_vectors, int min_revision);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "points": shown_all(&answer.value)})])
        }
        "DeletePoints" => {
            let mut request = points.delete(collection, fields.texts("ids")?.unwrap_or_default());
            with!(request, fields, options, text request_id);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "deleted": answer.value})])
        }
        "ListPoints" => {
            let mut list = points.list(collection);
            with!(list, fields, options, uint page_size, text page_token, flag with_vectors, int min_revision);
            walk!(list, options, "points", shown::point)
        }
        _ => {
            let mut request = query(&points, collection, &mut fields)?;
            with!(request, fields, options, int min_revision);
            if let Some(page_size) = options.hits_page_size {
                return take!(request.hits(page_size), options, "hits", shown_hit);
            }
            let answer = request.answer().await?;
            Ok(vec![found(&answer.value, answer.revision)])
        }
    }
}

pub(crate) async fn upsert_stream(client: &Client, mut first: Fields, rest: Vec<Fields>, options: Options) -> Answered {
    let collection = first.file("collection")?;
    let mut all = inputs(&mut first)?;
    for mut fields in rest {
        all.append(&mut inputs(&mut fields)?);
        fields.finish()?;
    }
    let mut request = client.points().upsert_stream(collection, stream::iter(all.into_iter().map(Ok::<_, Infallible>)));
    with!(request, first, options, text request_id);
    let answer = request.answer().await?;
    Ok(vec![json!({"revision": answer.revision, "upserted": answer.value})])
}

async fn batch(points: &Points, mut fields: Fields, options: Options) -> Answered {
    let one = |mut fields: Fields| -> Result<QueryPoints, Stop> {
        let collection = fields.file("collection")?;
        let request = query(points, collection, &mut fields)?;
        fields.finish()?;
        Ok(request)
    };
    let queries = fields.objects("queries")?.unwrap_or_default().into_iter().map(one).collect::<Result<Vec<_>, _>>()?;
    let mut request = points.batch_query(queries);
    with!(request, fields, options, int min_revision);
    let answer = request.answer().await?;
    let answers: Vec<_> = answer.value.iter().map(|results| found(results, answer.revision)).collect();
    Ok(vec![json!({"revision": answer.revision, "answers": answers})])
}

/// A query without what a batch says for all.
fn query(points: &Points, collection: FileRef, fields: &mut Fields) -> Result<QueryPoints, Stop> {
    let query = match (fields.vector("vector")?, fields.text("point_id")?, fields.object("examples")?) {
        (Some(vector), None, None) => PointQuery::Vector(vector),
        (None, Some(id), None) => PointQuery::point(id),
        (None, None, Some(given)) => examples(given)?.into(),
        _ => return cannot("a query has a vector, a point or examples"),
    };
    let mut request = points.query(collection, query);
    if let Some(filter) = filter_of(fields, "filter")? {
        request = request.filter(filter);
    }
    set!(request, fields, text vector_name, uint limit, flag with_vectors, flag exact, text page_token);
    Ok(request)
}

fn shown_hit(hit: &PointHit) -> Value {
    json!({"point": shown::point(&hit.point), "score": hit.score})
}

fn found(results: &QueryResults, revision: i64) -> Value {
    json!({
        "revision": revision,
        "hits": results.hits.iter().map(shown_hit).collect::<Vec<Value>>(),
        "generation": results.generation,
        "exact": results.exact,
        "strategy": results.strategy,
        "partial": results.partial,
        "partial_reasons": results.partial_reasons,
        "pending": results.pending,
        "next_page_token": results.next_page_token,
    })
}

fn examples(mut given: Fields) -> Result<Examples, Stop> {
    let mut made = Examples::new();
    for one in given.objects("positive")?.unwrap_or_default() {
        made = made.positive(example(one)?);
    }
    for one in given.objects("negative")?.unwrap_or_default() {
        made = made.negative(example(one)?);
    }
    given.finish()?;
    Ok(made)
}

fn example(mut given: Fields) -> Result<PointExample, Stop> {
    let made = match (given.vector("vector")?, given.text("point_id")?) {
        (Some(vector), None) => vector.into(),
        (None, Some(id)) => PointExample::point(id),
        _ => return cannot("an example is a vector or a point"),
    };
    given.finish()?;
    Ok(made)
}

fn inputs(fields: &mut Fields) -> Result<Vec<PointInput>, Stop> {
    fields.objects("points")?.unwrap_or_default().into_iter().map(input).collect()
}

fn input(mut fields: Fields) -> Result<PointInput, Stop> {
    let mut point = PointInput::new(fields.text("id")?.unwrap_or_default());
    for (name, vector) in fields.vectors("vectors")?.unwrap_or_default() {
        point = point.vector(name, vector);
    }
    if let Some(metadata) = fields.metadata("metadata")? {
        point = point.metadata(metadata);
    }
    if let Some(content) = fields.bytes("content")? {
        point = point.content(content);
    }
    fields.finish()?;
    Ok(point)
}
