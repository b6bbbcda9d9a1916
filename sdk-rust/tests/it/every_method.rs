//! Every method of the contract is in the SDK, is tried again, and carries a `request_id` if and only if it writes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;

use futures_util::stream;
use tonic::Code;
use vexfs_client::{Client, CollectionSchema, Error, PointInput};

use crate::methods::METHODS;
use crate::support::faulty::{Faulty, Step, status};

type Sent = Pin<Box<dyn Future<Output = Option<Error>>>>;

/// Each method by its name in the contract.
fn calls(client: &Client) -> BTreeMap<&'static str, Sent> {
    let (files, collections, points) = (client.files(), client.collections(), client.points());
    let client = client.clone();
    macro_rules! table {
        ($($name:literal => $call:expr;)*) => {
            BTreeMap::from([$(($name, Box::pin(async move { $call.await.err() }) as Sent),)*])
        };
    }
    macro_rules! cloned {
        ($($value:ident)*) => { $(let $value = $value.clone();)* };
    }
    let mut all = BTreeMap::new();
    {
        cloned!(files);
        let f = move || files.clone();
        let [a, b, c, d, e, g, h, i, j, k] = std::array::from_fn(|_| f());
        all.append(&mut table! {
            "FilesService/StatFile" => a.stat("/a");
            "FilesService/ListFiles" => b.list("/").all();
            "FilesService/ReadFile" => c.read("/a").stream();
            "FilesService/GetContent" => d.read("/a");
            "FilesService/PutContent" => e.write("/a", "x");
            "FilesService/MakeDirectory" => g.make_directory("/a");
            "FilesService/MoveFile" => h.move_to("/a", "/b");
            "FilesService/CopyFile" => i.copy("/a", "/b");
            "FilesService/RemoveFile" => j.remove("/a");
            "FilesService/CreateSymlink" => k.symlink("/a", "b");
        });
        let [a, b, c, d, e, g, h, i, j] = std::array::from_fn(|_| f());
        all.append(&mut table! {
            "FilesService/ReadSymlink" => a.read_symlink("/a");
            "FilesService/CreateLink" => b.link("/a", "/b");
            "FilesService/SetAttributes" => c.set_attributes("/a").mode(0o600);
            "FilesService/GetXattr" => d.get_xattr("/a", "user.a");
            "FilesService/SetXattr" => e.set_xattr("/a", "user.a", "x");
            "FilesService/ListXattrs" => g.list_xattrs("/a");
            "FilesService/RemoveXattr" => h.remove_xattr("/a", "user.a");
            "FilesService/GetMetadata" => i.get_metadata("/a");
            "FilesService/SetMetadata" => j.set_metadata("/a", [("a", 1)]);
        });
    }
    let [c, d, e, f] = std::array::from_fn(|_| collections.clone());
    all.append(&mut table! {
        "CollectionsService/CreateCollection" => c.create("/c", CollectionSchema::new().embed_text(true));
        "CollectionsService/GetCollection" => d.get("/c");
        "CollectionsService/ListCollections" => e.list().all();
        "CollectionsService/DeleteCollection" => f.delete("/c");
    });
    let [c, d, e, f, g, h] = std::array::from_fn(|_| points.clone());
    all.append(&mut table! {
        "PointsService/UpsertPoints" => c.upsert("/c", [PointInput::new("a")]);
        "PointsService/GetPoints" => d.get("/c", ["a"]);
        "PointsService/DeletePoints" => e.delete("/c", ["a"]);
        "PointsService/ListPoints" => f.list("/c").all();
        "PointsService/QueryPoints" => g.query("/c", [1.0]);
        "PointsService/BatchQueryPoints" => h.batch_query([h.query("/c", [1.0])]);
    });
    let [a, b, c, d, e] = std::array::from_fn(|_| client.clone());
    all.append(&mut table! {
        "SearchService/Search" => a.search("x");
        "SearchService/BatchSearch" => e.batch_search([e.search("x")]);
        "SearchService/WaitForViews" => b.wait_for_views();
        "SearchService/ListSkippedFiles" => c.list_skipped_files().all();
        "ServerService/GetServerInfo" => d.server_info();
    });
    all
}

#[tokio::test]
async fn every_method_is_tried_again_and_those_that_write_keep_their_request_id() {
    let mut tried = 0;
    for method in METHODS {
        let name = method.path.strip_prefix("vexfs.v1.").unwrap();
        let busy = Step::Fail(vec![], status(Code::ResourceExhausted, "QUEUE_FULL", None));
        let server = Faulty::start([busy, Step::Fail(vec![], status(Code::NotFound, "FILE_NOT_FOUND", None))]).await;
        let client = server.client().await;
        let (error, attempts) = match name {
            // A stream was taken from: it is not tried again.
            "FilesService/WriteFile" => {
                let pieces = stream::iter([Ok::<_, Infallible>("x")]);
                (client.files().write_stream("/a", pieces).await.err(), 1)
            }
            "PointsService/UpsertPointsStream" => {
                let points = stream::iter([Ok::<_, Infallible>(PointInput::new("a"))]);
                (client.points().upsert_stream("/c", points).await.err(), 1)
            }
            _ => (calls(&client).remove(name).unwrap_or_else(|| panic!("the SDK has no {name}")).await, 2),
        };
        let error = error.expect("the server fails");
        let seen = server.seen();
        assert_eq!((seen.len(), error.attempts()), (attempts, attempts as u32), "{name}");
        assert!(seen.iter().all(|request| request.path == format!("/{}", method.path)), "{name}");
        assert_eq!(error.request_id().is_empty(), !method.writes, "{name}");
        assert!(seen.iter().all(|request| request.request_id() == error.request_id()), "{name}");
        tried += 1;
    }
    assert_eq!(tried, 36);
}
