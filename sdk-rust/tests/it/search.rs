//! Searching, waiting, and what the server says of itself, on the real server.

use std::time::Duration;

use vexfs_client::{Filter, Reason, SearchMode, SearchQuery, ViewState};

use crate::proto;
use crate::support::faulty::{Faulty, answer};
use crate::support::real;

#[tokio::test]
async fn what_was_written_is_found() {
    let (client, directory) = real().await;
    let files = client.files();
    files.write(format!("{directory}/bread.md"), "Rye bread rises slowly.\n").await.unwrap();
    let written = files.write(format!("{directory}/stars.md"), "Telescopes show distant galaxies.\n").answer().await.unwrap();
    let views = client.wait_for_views().min_revision(written.revision).timeout(Duration::from_secs(120)).await.unwrap();
    assert!(views.iter().all(|view| view.revision >= written.revision && view.state != ViewState::Unavailable), "{views:?}");

    let found = client.search("baking a loaf").scope(&directory).limit(1).answer().await.unwrap();
    assert!(found.revision >= written.revision);
    let hit = &found.value.hits[0];
    assert_eq!(hit.file.path, format!("{directory}/bread.md"));
    let passage = hit.passage.as_ref().expect("the passage");
    assert!(passage.text.contains("Rye bread") && passage.start_line == 1);

    let found = client.search("galaxies").mode(SearchMode::Lexical).scope(&directory).await.unwrap();
    assert_eq!(found.hits.len(), 1);
    let matched = &found.hits[0].matches[0];
    assert_eq!((matched.mode, matched.rank), (SearchMode::Lexical, 1));
    assert!(!matched.terms.is_empty());

    let like = client.search(SearchQuery::like(format!("{directory}/stars.md"))).scope(&directory).await.unwrap();
    assert_eq!(like.hits.iter().map(|hit| hit.file.path.as_str()).collect::<Vec<_>>(), [format!("{directory}/bread.md")]);

    let found = client.search("galaxies").dense_weight(0.5).lexical_weight(2.0).scope(&directory).limit(1).await.unwrap();
    assert_eq!(found.hits[0].file.path, format!("{directory}/stars.md"));

    let found = client
        .search("food")
        .filter(Filter::all([Filter::name("*.md"), !Filter::name("bread*")]))
        .scope(&directory)
        .await
        .unwrap();
    assert_eq!(found.hits.iter().map(|hit| hit.file.path.as_str()).collect::<Vec<_>>(), [format!("{directory}/stars.md")]);

    let dimension = client.server_info().await.unwrap().embedding.dimension as usize;
    let mut vector = vec![0.0; dimension];
    vector[0] = 1.0;
    let found = client.search(vector).scope(&directory).await.unwrap();
    assert_eq!(found.hits.len(), 2);
    assert!(found.hits[0].score >= found.hits[1].score);
}

#[tokio::test]
async fn a_revision_that_does_not_come_is_told() {
    let (client, _) = real().await;
    let far = client.server_info().answer().await.unwrap().revision + 1_000_000;
    let error = client.wait_for_views().min_revision(far).timeout(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::RevisionNotReached), "{error:?}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn skipped_files_say_why() {
    let (client, directory) = real().await;
    let written = client.files().write(format!("{directory}/a.bin"), vec![0_u8; 1000]).answer().await.unwrap();
    client.wait_for_views().min_revision(written.revision).timeout(Duration::from_secs(120)).await.unwrap();
    let skipped = client.list_skipped_files().scope(&directory).all().await.unwrap();
    assert_eq!(skipped.iter().map(|skipped| skipped.file.id).collect::<Vec<_>>(), [written.value.id]);
    assert!(!skipped[0].reason.is_empty());
}

#[tokio::test]
async fn the_server_tells_what_it_is() {
    let (client, _) = real().await;
    let mut answer = client.server_info().answer().await.unwrap();
    // The server answers before it has loaded the model, and tells of it once it has.
    for _ in 0..600 {
        if !answer.value.embedding.name.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = client.server_info().answer().await.unwrap();
    }
    let info = answer.value;
    assert!(info.capabilities.contains(&"points".to_owned()) && !info.version.is_empty());
    assert_eq!((info.limits.page_size, info.limits.search_hits), (10_000, 1000));
    assert!(info.store.revision >= answer.revision && !info.store.read_only && info.store.file_count > 0);
    assert!(info.views.iter().any(|view| view.view == "dense"));
    assert!(info.embedding.dimension > 0 && !info.embedding.name.is_empty(), "{info:?}");
}

#[tokio::test]
async fn a_build_that_was_put_off_is_told() {
    let put_off = "20 MiB are available".to_owned();
    let views = vec![proto::ViewPosition { view: "dense".to_owned(), put_off: put_off.clone(), ..Default::default() }];
    let server = Faulty::start([answer(proto::WaitForViewsResponse { revision: 7, views })]).await;
    let views = server.client().await.wait_for_views().await.unwrap();
    assert_eq!(views.iter().map(|view| &view.put_off).collect::<Vec<_>>(), [&put_off]);
}
