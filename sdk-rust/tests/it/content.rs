//! Content of any size, in ranges, as streams and readers, also when the connection breaks on the way.

use std::error::Error as _;
use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::Code;
use vexfs_client::{ErrorKind, Reason};

use crate::proto;
use crate::support::faulty::{Faulty, Step, answer, encoded, fail};
use crate::support::{nobody, real};

/// Larger than one message may be.
fn large() -> Bytes {
    (0..20 * 1024 * 1024 / 4_u32).flat_map(u32::to_le_bytes).collect()
}

#[tokio::test]
async fn large_content_goes_and_comes_as_a_whole() {
    let (client, directory) = real().await;
    let content = large();
    let file = client.files().write(format!("{directory}/a"), content.clone()).await.unwrap();
    assert_eq!(file.size_bytes, content.len() as u64);
    assert!(client.files().read(&file).await.unwrap() == content);
    let middle = client.files().read(&file).range(1_000_000..19_000_000).await.unwrap();
    assert!(middle == content[1_000_000..19_000_000]);
    let streamed: Vec<Bytes> = client.files().read(&file).stream().await.unwrap().try_collect().await.unwrap();
    assert!(streamed.len() > 1 && streamed.concat() == content);
}

#[tokio::test]
async fn ranges_mean_what_they_say() {
    let (client, directory) = real().await;
    let file = client.files().write(format!("{directory}/a"), "0123456789").await.unwrap();
    let files = client.files();
    assert_eq!(files.read(&file).range(2..5).await.unwrap(), "234");
    assert_eq!(files.read(&file).range(2..=5).await.unwrap(), "2345");
    assert_eq!(files.read(&file).range(7..).await.unwrap(), "789");
    assert_eq!(files.read(&file).range(..2).await.unwrap(), "01");
    assert_eq!(files.read(&file).range(..).await.unwrap(), "0123456789");
    assert_eq!(files.read(&file).range(8..99).await.unwrap(), "89");
    assert_eq!(files.read(&file).range(99..).await.unwrap(), "");
    assert_eq!(files.read(&file).range(3..3).await.unwrap(), "");
    assert_eq!(files.read(&file).range(3..3).stream().await.unwrap().bytes().await.unwrap(), "");
}

#[tokio::test]
async fn content_is_a_reader() {
    let (client, directory) = real().await;
    let file = client.files().write(format!("{directory}/a"), "line one\nline two\n").await.unwrap();
    let mut content = client.files().read(&file).stream().await.unwrap();
    assert_eq!(content.file().id, file.id);
    assert_eq!(content.revision(), file.revision.max(content.revision()));
    let mut word = [0; 4];
    content.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"line");
    let mut rest = String::new();
    content.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, " one\nline two\n");
}

#[tokio::test]
async fn a_reader_and_a_stream_are_written() {
    let (client, directory) = real().await;
    let (mut pipe, reader) = tokio::io::duplex(1000);
    let path = format!("{directory}/a/b");
    let writing = tokio::spawn(client.files().write_from(&path, reader).make_parents(true).into_future());
    for _ in 0..1000 {
        pipe.write_all(&[7; 999]).await.unwrap();
    }
    drop(pipe);
    let file = writing.await.unwrap().unwrap();
    assert_eq!((file.size_bytes, file.path.as_str()), (999_000, path.as_str()));

    let pieces = stream::iter(["one ", "two"].map(Ok::<_, io::Error>));
    let answer = client.files().write_stream(&path, pieces).offset(1).answer().await.unwrap();
    assert_eq!(client.files().read(&path).min_revision(answer.revision).range(..9).await.unwrap(), "\x07one two\x07");
    client.files().write_from(&path, tokio::io::empty()).await.unwrap();
    assert_eq!(client.files().read(&path).await.unwrap(), "");
}

#[tokio::test]
async fn a_stream_that_fails_writes_nothing() {
    let (client, directory) = real().await;
    let file = client.files().write(format!("{directory}/a"), "before").await.unwrap();
    let pieces = stream::iter([Ok("after"), Err(io::Error::other("disk on fire"))]);
    let error = client.files().write_stream(&file, pieces).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Cancelled, 1));
    let cause = error.source().expect("what the stream said");
    assert_eq!(cause.downcast_ref::<io::Error>().map(io::Error::to_string).as_deref(), Some("disk on fire"));
    assert_eq!(client.files().read(&file).await.unwrap(), "before");
}

fn written() -> Step {
    answer(proto::WriteFileResponse { revision: 7, file: Some(proto::File::default()) })
}

#[tokio::test]
async fn a_stream_is_not_tried_again_once_something_was_taken() {
    let server = Faulty::start([fail(Code::Unavailable, ""), written()]).await;
    let pieces = stream::iter([Ok::<_, io::Error>("x")]);
    let error = server.client().await.files().write_stream("/a", pieces).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), server.seen().len()), (ErrorKind::Unavailable, 1, 1));
    assert_eq!(error.request_id(), server.seen()[0].request_id());
}

#[tokio::test]
async fn a_stream_of_which_nothing_was_taken_is_tried_again() {
    let (_kept, address) = nobody();
    let client = vexfs_client::Client::builder().address(address).connect().await.unwrap();
    let pieces = stream::iter([Ok::<_, io::Error>("x")]);
    let error = client.files().write_stream("/a", pieces).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unavailable, 4));
}

#[tokio::test]
async fn large_bytes_are_tried_again_from_their_start() {
    let server = Faulty::start([fail(Code::Unavailable, ""), written()]).await;
    let content = large();
    server.client().await.files().write("/a", content.clone()).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].request_id(), seen[1].request_id());
    let data = seen[1].messages[1..].iter().map(|message| {
        match prost::Message::decode(message.clone()).map(|request: proto::WriteFileRequest| request.part).unwrap() {
            Some(proto::write_file_request::Part::Data(data)) => data,
            other => panic!("{other:?}"),
        }
    });
    assert!(data.collect::<Vec<_>>().concat() == content);
}

fn piece(offset: i64, data: &str) -> Bytes {
    let file = (offset == 10).then(proto::File::default);
    encoded(proto::ReadFileResponse { revision: 42, data: data.to_owned().into(), offset, file })
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_where_it_was_and_of_the_same_revision() {
    let rest =
        encoded(proto::ReadFileResponse { revision: 42, data: "ef".into(), offset: 14, file: Some(proto::File::default()) });
    let server = Faulty::start([
        fail(Code::Unavailable, ""),
        Step::Break(vec![piece(10, "ab"), piece(12, "cd")]),
        Step::Answer(vec![rest]),
    ])
    .await;
    let content = server.client().await.files().read("/a").range(10..16).min_revision(5).stream().await.unwrap();
    assert_eq!(content.map(Result::unwrap).collect::<Vec<_>>().await.concat(), b"abcdef");
    let requests: Vec<proto::ReadFileRequest> =
        server.seen().iter().map(|seen| prost::Message::decode(seen.messages[0].clone()).unwrap()).collect();
    let asked: Vec<_> =
        requests.iter().map(|request| (request.offset, request.length, request.at_revision, request.min_revision)).collect();
    assert_eq!(asked, [(10, 6, 0, 5), (10, 6, 0, 5), (14, 2, 42, 0)]);
}

#[tokio::test]
async fn a_stream_ends_with_what_cannot_succeed() {
    let error = Step::Fail(vec![piece(10, "ab")], crate::support::faulty::status(Code::DataLoss, "CORRUPT_CONTENT", None));
    let server = Faulty::start([error]).await;
    let mut content = server.client().await.files().read("/a").stream().await.unwrap();
    assert_eq!(content.next().await.unwrap().unwrap(), "ab");
    let error = content.next().await.unwrap().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::CorruptContent));
    assert!(content.next().await.is_none());
}

#[tokio::test]
async fn leaving_a_stream_ends_it_on_the_server() {
    let (client, directory) = real().await;
    let file = client.files().write(format!("{directory}/a"), large()).await.unwrap();
    let mut content = client.files().read(&file).stream().await.unwrap();
    content.next().await.unwrap().unwrap();
    drop(content);
    assert_eq!(client.files().stat(&file).await.unwrap().id, file.id);
}
