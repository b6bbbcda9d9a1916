//! Calls about collections.

use serde_json::json;
use vexfs_client::{Client, CollectionSchema, Metric, VectorSpec, VectorStorage};

use crate::fields::{Fields, cannot, walk, with};
use crate::{Answered, Options, Stop, shown};

const METRICS: &[&str] = &["UNSPECIFIED", "COSINE", "DOT", "EUCLIDEAN"];
const STORAGES: &[&str] = &["UNSPECIFIED", "FLOAT32", "BFLOAT16", "INT8"];

pub(crate) async fn call(client: &Client, method: &str, mut fields: Fields, options: Options) -> Answered {
    let collections = client.collections();
    match method {
        "CreateCollection" => {
            let schema = schema(Fields::needed(fields.object("schema"), "schema")?)?;
            let mut request = collections.create(fields.file("collection")?, schema);
            with!(request, fields, options, text request_id);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "collection": shown::collection(&answer.value)})])
        }
        "GetCollection" => {
            let mut request = collections.get(fields.file("collection")?);
            with!(request, fields, options, int min_revision);
            let answer = request.answer().await?;
            Ok(vec![json!({"revision": answer.revision, "collection": shown::collection(&answer.value)})])
        }
        "ListCollections" => {
            let mut list = collections.list();
            with!(list, fields, options, uint page_size, text page_token, int min_revision);
            walk!(list, options, "collections", shown::collection)
        }
        _ => {
            let mut request = collections.delete(fields.file("collection")?);
            with!(request, fields, options, text request_id);
            Ok(vec![json!({"revision": request.answer().await?.revision})])
        }
    }
}

fn schema(mut fields: Fields) -> Result<CollectionSchema, Stop> {
    let mut schema = CollectionSchema::new();
    for mut spec in fields.objects("vectors")?.unwrap_or_default() {
        let metric = match spec.name("metric", "METRIC_", METRICS)?.as_deref() {
            None | Some("COSINE") => Metric::Cosine,
            Some("DOT") => Metric::Dot,
            Some("EUCLIDEAN") => Metric::Euclidean,
            Some(other) => return cannot(format!("there is no metric {other}")),
        };
        let storage = match spec.name("storage", "VECTOR_STORAGE_", STORAGES)?.as_deref() {
            None | Some("FLOAT32") => VectorStorage::Float32,
            Some("BFLOAT16") => VectorStorage::Bfloat16,
            Some("INT8") => VectorStorage::Int8,
            Some(other) => return cannot(format!("there is no storage {other}")),
        };
        let (name, dimension) = (spec.text("name")?.unwrap_or_default(), spec.uint("dimension")?.unwrap_or_default());
        spec.finish()?;
        schema = schema.spec(VectorSpec::new(name, dimension).metric(metric).storage(storage));
    }
    schema = schema.embed_text(fields.flag("embed_text")?.unwrap_or_default());
    fields.finish()?;
    Ok(schema)
}
