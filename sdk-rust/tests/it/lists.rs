//! Lists that page by themselves.

use futures_util::TryStreamExt as _;
use tonic::Code;
use vexfs_client::File;

use crate::proto;
use crate::support::faulty::{Faulty, answer, fail};
use crate::support::real;

#[tokio::test]
async fn items_come_in_order_over_all_pages() {
    let (client, directory) = real().await;
    let mut names = Vec::new();
    for number in 0..7 {
        let file = client.files().write(format!("{directory}/{number}"), "x").await.unwrap();
        names.push(file.path);
    }
    let list = || client.files().list(&directory).page_size(3);
    let paths = |files: Vec<File>| files.into_iter().map(|file| file.path).collect::<Vec<_>>();
    assert_eq!(paths(list().all().await.unwrap()), names);
    assert_eq!(paths(list().items().try_collect().await.unwrap()), names);
    let mut items = list().items();
    assert_eq!(items.revision(), 0);
    let mut walked = Vec::new();
    while let Some(file) = items.next().await {
        walked.push(file.unwrap().path);
    }
    assert_eq!(walked, names);
    assert!(items.revision() > 0);

    let mut pages = list().pages();
    let mut sizes = Vec::new();
    let mut token = String::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.items.len());
        if token.is_empty() {
            token = page.next_page_token;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(paths(list().page_token(token).all().await.unwrap()), names[3..]);
}

fn page(id: i64, next: &str) -> crate::support::faulty::Step {
    let files = vec![proto::File { id, ..Default::default() }];
    answer(proto::ListFilesResponse { revision: id, files, next_page_token: next.to_owned() })
}

#[tokio::test]
async fn pages_are_asked_for_when_they_are_needed_and_each_is_tried_again() {
    let server =
        Faulty::start([page(1, "two"), fail(Code::Unavailable, ""), page(2, "three"), fail(Code::NotFound, "FILE_NOT_FOUND")])
            .await;
    let mut items = server.client().await.files().list("/").items();
    assert_eq!(items.next().await.unwrap().unwrap().id, 1);
    assert_eq!(server.seen().len(), 1);
    assert_eq!(items.next().await.unwrap().unwrap().id, 2);
    assert_eq!(server.seen().len(), 3);
    assert!(items.next().await.unwrap().is_err());
    assert!(items.next().await.is_none(), "nothing comes after an error");
    assert_eq!(server.seen().len(), 4);
}
