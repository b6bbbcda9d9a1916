//! Collections and points, on the real server.

use vexfs_client::{
    CollectionSchema, ErrorKind, Examples, Filter, Metadata, Metric, PointExample, PointInput, PointQuery, Reason, VectorSpec,
    VectorStorage,
};

use crate::support::real;

fn schema() -> CollectionSchema {
    let kept_small = VectorSpec::new("b", 3).storage(VectorStorage::Int8);
    CollectionSchema::new().vector("a", 2, Metric::Euclidean).spec(kept_small)
}

#[tokio::test]
async fn a_collection_is_made_found_and_deleted() {
    let (client, directory) = real().await;
    let collections = client.collections();
    let path = format!("{directory}/c");
    let made = collections.create(&path, schema()).answer().await.unwrap();
    let collection = made.value;
    assert_eq!((collection.path.as_str(), &collection.schema, collection.point_count), (path.as_str(), &schema(), 0));
    assert_eq!(collection.revision, made.revision);
    assert_eq!(collections.get(&path).await.unwrap(), collection);
    let other = CollectionSchema::new().embed_text(true);
    assert_eq!(collections.create(&path, other).await.unwrap_err().reason(), Some(Reason::CollectionExists));
    let all = collections.list().page_size(1).all().await.unwrap();
    assert_eq!((all[0].path.as_str(), all[0].id), ("/", 1));
    assert!(all.contains(&collection));
    collections.delete(&path).await.unwrap();
    let error = collections.get(&path).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::NotFound, Some(Reason::CollectionNotFound)));
}

#[tokio::test]
async fn points_are_put_found_and_deleted() {
    let (client, directory) = real().await;
    let collection = client.collections().create(format!("{directory}/c"), schema()).await.unwrap();
    let points = client.points();
    let path = collection.path.as_str();
    let put = points
        .upsert(
            path,
            [
                PointInput::new("one").vector("a", [1.0, 0.5]).metadata([("n", 1)]).content("text of one"),
                PointInput::new("two").vector("a", vec![2.0, 0.0]).metadata([("n", 2)]),
                PointInput::new("three").vector("a", [3.0, 0.0]).vector("b", [0.0, 0.0, 1.0]),
            ],
        )
        .answer()
        .await
        .unwrap();
    assert_eq!(put.value, 3);
    assert_eq!(client.files().read(format!("{path}/one")).await.unwrap(), "text of one");

    let got = points.get(path, ["two", "none", "one"]).with_vectors(true).min_revision(put.revision).await.unwrap();
    assert_eq!(got.iter().map(|point| point.id.as_str()).collect::<Vec<_>>(), ["two", "one"]);
    assert_eq!(got[1].vectors["a"], [1.0, 0.5]);
    assert_eq!(got[0].metadata, [("n".to_owned(), 2.into())].into_iter().collect::<Metadata>());

    let listed = points.list(path).page_size(2).all().await.unwrap();
    assert_eq!(listed.iter().map(|point| point.id.as_str()).collect::<Vec<_>>(), ["one", "three", "two"]);
    assert!(listed[0].vectors.is_empty(), "not asked for");

    let found = points.query(path, [2.1, 0.0]).min_revision(put.revision).limit(2).with_vectors(true).await.unwrap();
    assert_eq!(found.hits.iter().map(|hit| hit.point.id.as_str()).collect::<Vec<_>>(), ["two", "three"]);
    assert!((found.hits[0].score + 0.1).abs() < 1e-3 && found.exact && !found.partial, "{found:?}");
    let rest = points.query(path, [2.1, 0.0]).page_token(found.next_page_token).await.unwrap();
    assert_eq!(rest.hits.iter().map(|hit| hit.point.id.as_str()).collect::<Vec<_>>(), ["one"]);
    assert!(rest.next_page_token.is_empty());
    let near =
        points.query(path, PointQuery::point("two")).filter(Filter::metadata("n").exists(true)).exact(true).await.unwrap();
    assert_eq!(near.hits[0].point.id, "one");
    let near = points.query(path, vec![0.0, 0.0, 1.0]).vector_name("b").await.unwrap();
    assert_eq!(near.hits.len(), 1);
    let like = Examples::new().positive(PointExample::point("one")).positive([2.0, 0.0]).negative(PointExample::point("three"));
    let found = points.query(path, like).await.unwrap();
    assert_eq!(found.hits.iter().map(|hit| hit.point.id.as_str()).collect::<Vec<_>>(), ["two"]);
    let like = points.query(path, PointQuery::point("one")).limit(1);
    let both = points.batch_query([like.clone(), points.query(path, [2.1, 0.0])]).min_revision(put.revision).await.unwrap();
    assert_eq!(both[0], like.clone().await.unwrap());
    assert_eq!(both[1].hits[0].point.id, "two");
    let error = points.batch_query([like, points.query(path, PointQuery::point("none"))]).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::PointNotFound));
    assert!(error.to_string().contains("queries[1]"), "{error}");
    let error = points.query(path, [1.0]).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::InvalidArgument, Some(Reason::DimensionMismatch)));

    assert_eq!(points.delete(path, ["one", "none"]).await.unwrap(), 1);
    assert_eq!(client.collections().get(path).await.unwrap().point_count, 2);
}
