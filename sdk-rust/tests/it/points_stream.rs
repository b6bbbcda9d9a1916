//! Points of any number, put as a stream gives them.

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use prost::Message as _;
use tonic::Code;
use vexfs_client::{Client, CollectionSchema, ErrorKind, Metric, PointInput, Reason};

use crate::proto;
use crate::support::faulty::{Faulty, Step, answer, fail};
use crate::support::{nobody, real};

/// A client, and the path of a collection of vectors with two components.
async fn collection() -> (Client, String) {
    let (client, directory) = real().await;
    let schema = CollectionSchema::new().vector("a", 2, Metric::Euclidean);
    let collection = client.collections().create(format!("{directory}/c"), schema).await.unwrap();
    (client, collection.path)
}

async fn point_count(client: &Client, path: &str) -> u64 {
    client.collections().get(path).await.unwrap().point_count
}

fn point(number: u32) -> PointInput {
    PointInput::new(format!("{number:04}")).vector("a", [number as f32, 1.0])
}

fn sound(points: impl IntoIterator<Item = PointInput>) -> impl Stream<Item = Result<PointInput, Infallible>> + Send + 'static {
    stream::iter(points.into_iter().map(Ok).collect::<Vec<_>>())
}

#[tokio::test]
async fn more_points_than_a_message_has_are_put() {
    let (client, path) = collection().await;
    let put = client.points().upsert_stream(&path, sound((0..600).map(point))).answer().await.unwrap();
    assert_eq!(put.value, 600);
    let ids = ["0000", "0599"];
    let points = client.points().get(&path, ids).with_vectors(true).min_revision(put.revision).await.unwrap();
    assert_eq!(points.iter().map(|point| point.vectors["a"][0]).collect::<Vec<_>>(), [0.0, 599.0]);
    assert_eq!(point_count(&client, &path).await, 600);
}

#[tokio::test]
async fn a_stream_without_points_puts_none() {
    let (client, path) = collection().await;
    assert_eq!(client.points().upsert_stream(&path, sound([])).await.unwrap(), 0);
    assert_eq!(point_count(&client, &path).await, 0);
}

#[tokio::test]
async fn a_stream_sent_again_with_its_request_id_is_put_once() {
    let (client, path) = collection().await;
    let points = client.points();
    let first = points.upsert_stream(&path, sound((0..300).map(point))).request_id("mine").answer().await.unwrap();
    points.delete(&path, ["0000"]).await.unwrap();
    let again = points.upsert_stream(&path, sound((0..300).map(point))).request_id("mine").answer().await.unwrap();
    assert_eq!(again, first);
    assert_eq!(point_count(&client, &path).await, 299);
}

#[tokio::test]
async fn a_failing_stream_ends_the_call_and_is_what_is_told() {
    let (client, path) = collection().await;
    let points = sound((0..300).map(point)).map(|point| Ok(point.unwrap()));
    let points = points.chain(stream::iter([Err(io::Error::other("disk on fire"))]));
    let error = client.points().upsert_stream(&path, points).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Cancelled, 1));
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).expect("what the stream said");
    assert_eq!(cause.to_string(), "disk on fire");
    assert!(point_count(&client, &path).await <= 250, "what stood beside the error in a message is not sent");
}

#[tokio::test]
async fn a_refusal_in_the_middle_is_told_and_leaves_the_points_before_it() {
    let (client, path) = collection().await;
    let wrong = PointInput::new("wrong").vector("a", [1.0]);
    // Without an end: the answer comes while more is being sent.
    let points = sound((0..550).map(point).chain([wrong])).chain(stream::iter((1000..).map(point).map(Ok)));
    let error = client.points().upsert_stream(&path, points).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::InvalidArgument, Some(Reason::DimensionMismatch)));
    assert_eq!((error.metadata()["upserted"].as_str(), error.attempts()), ("500", 1));
    assert_eq!(point_count(&client, &path).await, 500);
}

#[tokio::test]
async fn a_collection_that_is_not_there_is_told_before_the_first_point() {
    let (client, directory) = real().await;
    let error = client.points().upsert_stream(&directory, stream::pending::<io::Result<_>>()).await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::NotFound, Some(Reason::CollectionNotFound)));
}

fn put() -> Step {
    answer(proto::UpsertPointsStreamResponse { revision: 7, upserted: 600 })
}

#[tokio::test]
async fn the_first_message_names_the_collection_and_the_others_have_the_points() {
    let server = Faulty::start([put()]).await;
    let points = server.client().await.points();
    points.upsert_stream("/c", sound((0..600).map(point))).request_id("mine").await.unwrap();
    let seen = server.seen().remove(0);
    let messages: Vec<_> =
        seen.messages.iter().map(|message| proto::UpsertPointsStreamRequest::decode(&**message).unwrap()).collect();
    assert_eq!(messages.iter().map(|message| message.points.len()).collect::<Vec<_>>(), [0, 250, 250, 100]);
    assert!(messages[0].collection.is_some() && messages[0].request_id == "mine");
    assert!(messages[1..].iter().all(|message| message.collection.is_none() && message.request_id.is_empty()));
}

#[tokio::test]
async fn only_a_timeout_of_its_own_limits_a_stream_of_points() {
    let server = Faulty::start([put(), Step::Hang]).await;
    let points = server.builder().timeout(Duration::from_secs(60)).connect().await.unwrap().points();
    points.upsert_stream("/c", sound([point(1)])).await.unwrap();
    assert_eq!(server.seen()[0].header("grpc-timeout"), "");
    let limited = points.upsert_stream("/c", sound([point(1)])).timeout(Duration::from_millis(500));
    assert_eq!(limited.await.unwrap_err().kind(), ErrorKind::DeadlineExceeded);
}

#[tokio::test]
async fn points_are_sent_once_and_only_a_stream_that_gave_none_is_tried_again() {
    let server = Faulty::start([fail(Code::Unavailable, ""), put()]).await;
    let error = server.client().await.points().upsert_stream("/c", sound([point(1)])).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), server.seen().len()), (ErrorKind::Unavailable, 1, 1));
    assert_eq!((error.request_id(), error.request_id().len()), (&*server.seen()[0].request_id(), 36));

    let (_kept, address) = nobody();
    let client = Client::builder().address(address).max_attempts(2).connect().await.unwrap();
    let error = client.points().upsert_stream("/c", sound([point(1)])).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unavailable, 2));
}

#[tokio::test]
async fn a_server_that_does_not_read_holds_the_stream_up() {
    let server = Faulty::start([Step::Stall]).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let taking = taken.clone();
    let endless = stream::repeat_with(move || {
        taking.fetch_add(1, Ordering::Relaxed);
        Ok::<_, Infallible>(PointInput::new("a").content(vec![0; 4096]))
    });
    let call = tokio::spawn(server.client().await.points().upsert_stream("/c", endless).into_future());
    let settled = async {
        let mut before = 0;
        while before == 0 || taken.load(Ordering::Relaxed) > before {
            before = taken.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), settled).await.expect("no more points are taken");
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < 2_500, "what was taken is 10 MiB at most: {taken}");
    call.abort();
}
