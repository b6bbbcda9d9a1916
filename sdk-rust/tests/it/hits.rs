//! All hits of a search and of a query of points, page after page.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use tonic::Code;
use vexfs_client::{Client, CollectionSchema, ErrorKind, Metric, PointHit, PointInput, Reason, SearchHit, SearchMode};

use crate::proto;
use crate::support::faulty::{Faulty, Step, answer, fail};
use crate::support::real;

const HITS_MAX: usize = 10_000;

fn ids(hits: &[PointHit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.point.id.as_str()).collect()
}

fn paths(hits: &[SearchHit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.file.path.as_str()).collect()
}

/// A collection of points; their ids, nearest to the direction (1, 0) first, and the revision that has them all.
async fn put(client: &Client, path: &str, count: usize) -> (Vec<String>, i64) {
    let schema = CollectionSchema::new().vector("v", 2, Metric::Cosine);
    client.collections().create(path, schema).await.unwrap();
    let wanted: Vec<_> = (0..count).map(|number| format!("{number:05}")).collect();
    let mut revision = 0;
    for (part, some) in wanted.chunks(HITS_MAX).enumerate() {
        let point = |(number, id): (usize, &String)| {
            PointInput::new(id.as_str()).vector("v", [1000.0, (HITS_MAX * part + number) as f32])
        };
        revision = client.points().upsert(path, some.iter().enumerate().map(point)).answer().await.unwrap().revision;
    }
    (wanted, revision)
}

#[tokio::test]
async fn all_points_come_once_and_in_order() {
    let (client, directory) = real().await;
    let path = format!("{directory}/c");
    let (wanted, revision) = put(&client, &path, 25).await;
    let query = || client.points().query(&path, [1.0, 0.0]).min_revision(revision);
    for page_size in [4, 0] {
        let hits: Vec<_> = query().hits(page_size).try_collect().await.unwrap();
        assert_eq!(ids(&hits), wanted);
    }
    for limit in [1, 4, 6, 25, 26] {
        let hits: Vec<_> = query().limit(limit).hits(4).try_collect().await.unwrap();
        assert_eq!(ids(&hits), wanted[..wanted.len().min(limit as usize)]);
    }
    let token = query().limit(4).await.unwrap().next_page_token;
    let behind: Vec<_> = query().page_token(token).limit(3).hits(4).try_collect().await.unwrap();
    assert_eq!(ids(&behind), wanted[4..7]);
}

#[tokio::test]
async fn all_files_come_once_and_in_order() {
    let (client, directory) = real().await;
    let mut revision = 0;
    for number in 0..7 {
        let text = format!("The harbour opens at noon. {}", "Fog is rare. ".repeat(number));
        revision = client.files().write(format!("{directory}/{number}.md"), text).answer().await.unwrap().revision;
    }
    for mode in [SearchMode::Dense, SearchMode::Lexical, SearchMode::Hybrid] {
        let search = || {
            let search = client.search("when does the harbour open?").scope(&directory).mode(mode);
            search.min_revision(revision).timeout(Duration::from_secs(120))
        };
        let hits: Vec<_> = search().hits(2).try_collect().await.unwrap();
        let mut once = paths(&hits);
        once.sort_unstable();
        once.dedup();
        assert_eq!((once.len(), hits.len()), (7, 7), "{mode:?}");
        let some: Vec<_> = search().limit(3).hits(2).try_collect().await.unwrap();
        assert_eq!(paths(&some), paths(&hits)[..3]);
        if mode != SearchMode::Hybrid {
            // Whose first page is how deep it is fused.
            assert_eq!(paths(&search().limit(7).await.unwrap().hits), paths(&hits));
        }
    }
}

#[tokio::test]
async fn behind_the_last_page_is_an_error_and_a_limit_ends_before_it() {
    let (client, directory) = real().await;
    let path = format!("{directory}/many");
    let (wanted, revision) = put(&client, &path, HITS_MAX + 5).await;
    let query = || client.points().query(&path, [1.0, 0.0]).exact(true).min_revision(revision);
    let hits: Vec<_> = query().limit(HITS_MAX as u32).hits(1000).try_collect().await.unwrap();
    assert_eq!(ids(&hits), wanted[..HITS_MAX]);
    let mut came: Vec<_> = query().hits(1000).collect().await;
    let last = came.pop().unwrap().unwrap_err();
    assert_eq!(last.kind(), ErrorKind::InvalidArgument, "{last:?}");
    assert!(came.len() == HITS_MAX && came.iter().all(Result::is_ok));
}

fn page(ids: &[i64], next: &str) -> Step {
    let hit = |id: &i64| proto::SearchHit { file: Some(proto::File { id: *id, ..Default::default() }), ..Default::default() };
    let hits = ids.iter().map(hit).collect();
    answer(proto::SearchResponse { revision: 7, hits, next_page_token: next.to_owned(), ..Default::default() })
}

/// Limit and token of each request that came.
fn asked(server: &Faulty) -> Vec<(i32, String)> {
    let request = |message: &[u8]| proto::SearchRequest::decode(message).unwrap();
    let told = |request: proto::SearchRequest| (request.limit, request.page_token);
    server.seen().iter().map(|seen| told(request(&seen.messages[0]))).collect()
}

#[tokio::test]
async fn a_page_is_asked_for_when_it_is_needed() {
    let server = Faulty::start([page(&[1, 2], "b"), page(&[3, 4], "c"), page(&[5], "d")]).await;
    let mut hits = server.client().await.search("x").limit(5).hits(2);
    assert!(asked(&server).is_empty() && hits.revision() == 0);
    for id in [1, 2] {
        assert_eq!(hits.next().await.unwrap().unwrap().file.id, id);
    }
    assert_eq!(asked(&server), [(2, String::new())]);
    for id in [3, 4, 5] {
        assert_eq!(hits.next().await.unwrap().unwrap().file.id, id);
    }
    assert!(hits.next().await.is_none() && hits.revision() == 7);
    let wanted = [(2, ""), (2, "b"), (1, "c")].map(|(limit, token)| (limit, token.to_owned()));
    assert_eq!(asked(&server), wanted, "no more than is wanted, and nothing behind it");
}

#[tokio::test]
async fn an_error_in_the_middle_comes_after_the_hits_before_it() {
    let server = Faulty::start([page(&[1, 2], "b"), fail(Code::FailedPrecondition, "VIEW_UNAVAILABLE")]).await;
    let mut hits = server.client().await.search("x").hits(0);
    for id in [1, 2] {
        assert_eq!(hits.next().await.unwrap().unwrap().file.id, id);
    }
    let error = hits.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ViewUnavailable));
    assert!(hits.next().await.is_none(), "nothing comes after an error");
    assert_eq!(asked(&server)[0], (100, String::new()));
}
