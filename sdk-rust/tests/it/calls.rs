//! The deadline over all attempts, trying again, `request_id`, cancelling, and what goes along with every call.

use std::time::{Duration, Instant};

use tonic::Code;
use vexfs_client::{Client, ErrorKind, Reason};

use crate::proto;
use crate::support::faulty::{Faulty, Step, answer, fail, status};
use crate::support::nobody;

/// A time-out in which a call gets to the server, however busy the machine is.
const ENOUGH_TO_ARRIVE: Duration = Duration::from_secs(5);

fn file() -> Step {
    answer(proto::StatFileResponse { revision: 7, file: Some(proto::File { id: 3, ..Default::default() }) })
}

fn written() -> Step {
    answer(proto::PutContentResponse { revision: 7, file: Some(proto::File { id: 3, ..Default::default() }) })
}

#[tokio::test]
async fn what_can_succeed_later_is_tried_again_and_keeps_its_request_id() {
    let steps = [fail(Code::Unavailable, ""), fail(Code::ResourceExhausted, "QUEUE_FULL"), written()];
    let server = Faulty::start(steps).await;
    let client = server.client().await;
    assert_eq!(client.files().write("/a", "x").await.unwrap().id, 3);
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    let ids: Vec<String> = seen.iter().map(|request| request.request_id()).collect();
    assert_eq!(ids[0].len(), 36, "a random UUID: {}", ids[0]);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    client.files().write("/a", "x").await.unwrap();
    assert_ne!(server.seen()[3].request_id(), ids[0], "each call has its own");
}

#[tokio::test]
async fn a_given_request_id_is_sent() {
    let server = Faulty::start([fail(Code::Unavailable, ""), written(), fail(Code::NotFound, "FILE_NOT_FOUND")]).await;
    let client = server.client().await;
    client.files().write("/a", "x").request_id("mine").await.unwrap();
    assert!(server.seen().iter().all(|request| request.request_id() == "mine"));
    let error = client.files().write("/a", "x").request_id("other").await.unwrap_err();
    assert_eq!((error.request_id(), error.attempts()), ("other", 1));
}

#[tokio::test]
async fn what_cannot_succeed_is_not_tried_again() {
    for (code, reason, kind) in [
        (Code::NotFound, "FILE_NOT_FOUND", ErrorKind::NotFound),
        (Code::Unavailable, "VOLUME_READ_ONLY", ErrorKind::Unavailable),
        (Code::Internal, "", ErrorKind::Internal),
        (Code::DeadlineExceeded, "", ErrorKind::DeadlineExceeded),
        (Code::ResourceExhausted, "", ErrorKind::ResourceExhausted),
        (Code::Unavailable, "SOMETHING_NEW", ErrorKind::Unavailable),
    ] {
        let server = Faulty::start([fail(code, reason)]).await;
        let error = server.client().await.files().stat("/a").await.unwrap_err();
        assert_eq!((error.kind(), error.reason_name(), error.attempts()), (kind, reason, 1));
        assert!(!error.is_retryable());
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn nothing_is_tried_again_after_a_deadline() {
    let server = Faulty::start([fail(Code::DeadlineExceeded, "REVISION_NOT_REACHED"), file()]).await;
    let error = server.client().await.files().stat("/a").await.unwrap_err();
    assert_eq!((error.reason(), error.attempts()), (Some(Reason::RevisionNotReached), 1));
    assert!(error.is_retryable(), "with more time");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn the_last_attempts_error_is_given_back() {
    let server = Faulty::start([fail(Code::Unavailable, ""), fail(Code::Unavailable, "VIEW_UNAVAILABLE")]).await;
    let error = server.builder().max_attempts(3).connect().await.unwrap().files().stat("/a").await.unwrap_err();
    assert_eq!((error.reason(), error.attempts()), (Some(Reason::ViewUnavailable), 3));
    assert!(error.is_retryable());
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn one_attempt_never_tries_again() {
    let server = Faulty::start([fail(Code::Unavailable, "")]).await;
    let error = server.builder().max_attempts(1).connect().await.unwrap().files().stat("/a").await.unwrap_err();
    assert_eq!((error.attempts(), server.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_delay_that_the_server_asks_for_is_waited() {
    let delay = Duration::from_millis(700);
    let busy = Step::Fail(vec![], status(Code::ResourceExhausted, "QUEUE_FULL", Some(delay)));
    let server = Faulty::start([busy, file()]).await;
    server.client().await.files().stat("/a").await.unwrap();
    let seen = server.seen();
    assert!(seen[1].at - seen[0].at >= delay);
}

#[tokio::test]
async fn no_pause_goes_beyond_the_deadline() {
    let busy = Step::Fail(vec![], status(Code::ResourceExhausted, "QUEUE_FULL", Some(Duration::from_secs(60))));
    let server = Faulty::start([busy]).await;
    let begin = Instant::now();
    let error = server.client().await.files().stat("/a").timeout(Duration::from_secs(30)).await.unwrap_err();
    assert_eq!((error.reason(), error.attempts()), (Some(Reason::QueueFull), 1), "the error itself, at once");
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn one_deadline_covers_all_attempts() {
    let server = Faulty::start([fail(Code::Unavailable, ""), Step::Hang]).await;
    let begin = Instant::now();
    let error = server.client().await.files().stat("/a").timeout(ENOUGH_TO_ARRIVE).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::DeadlineExceeded, 2));
    assert!(begin.elapsed() >= ENOUGH_TO_ARRIVE - Duration::from_millis(100), "{:?}", begin.elapsed());
    server.given_up().await;
    let told: Vec<String> = server.seen().iter().map(|request| request.header("grpc-timeout").to_owned()).collect();
    let micros = |text: &str| text.strip_suffix('u').unwrap_or_else(|| panic!("in µs: {text}")).parse::<u64>().unwrap();
    assert!(u128::from(micros(&told[0])) <= ENOUGH_TO_ARRIVE.as_micros(), "{told:?}");
    assert!(micros(&told[1]) < micros(&told[0]), "the second attempt has what the first left: {told:?}");
}

#[tokio::test]
async fn a_client_has_a_timeout_and_zero_is_none() {
    let server = Faulty::start([Step::Hang, file()]).await;
    let client = server.builder().timeout(ENOUGH_TO_ARRIVE).connect().await.unwrap();
    let error = client.files().stat("/a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    server.given_up().await;
    client.files().stat("/a").timeout(Duration::ZERO).await.unwrap();
    assert_eq!(server.seen()[1].header("grpc-timeout"), "");
}

#[tokio::test]
async fn dropping_a_call_ends_it_on_the_server() {
    let server = Faulty::start([Step::Hang]).await;
    let client = server.client().await;
    let call = tokio::spawn(async move { client.files().stat("/a").await });
    while server.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    server.given_up().await;
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn every_call_says_who_it_is() {
    let server = Faulty::start([file()]).await;
    let client = server.builder().token("secret").connect().await.unwrap();
    client.files().stat("/a").await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("authorization"), "Bearer secret");
    let agent = seen[0].header("user-agent");
    assert!(agent.starts_with(concat!("vexfs-rust/", env!("CARGO_PKG_VERSION"), " ")), "{agent}");
    assert!(!format!("{client:?}").contains("secret"));
    assert!(!format!("{:?}", server.builder().token("secret")).contains("secret"));
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_tried_again() {
    let (_kept, address) = nobody();
    let client = Client::builder().address(address).max_attempts(2).connect().await.unwrap();
    let error = client.files().stat("/a").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unavailable, 2));
    assert!(error.is_retryable());
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let server = Faulty::start([Step::Break(vec![]), file()]).await;
    assert_eq!(server.client().await.files().stat("/a").await.unwrap().id, 3);
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_answer_without_what_the_contract_promises_is_an_error() {
    let server = Faulty::start([answer(proto::StatFileResponse::default())]).await;
    let error = server.client().await.files().stat("/a").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Internal, 1));
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_told_when_the_client_is_made() {
    for (builder, setting) in [
        (Client::builder().address("no port"), "address"),
        (Client::builder().address("host"), "address"),
        (Client::builder().address("host:1/path"), "address"),
        (Client::builder().token("line\nbreak"), "token"),
        (Client::builder().max_attempts(0), "max_attempts"),
        (Client::builder().tls_ca("/nowhere.pem"), "tls_ca"),
        (Client::builder().tls_client_cert("/nowhere.pem"), "tls_client_key"),
        (Client::builder().tls_ca(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")), "tls_ca"),
    ] {
        assert_eq!(builder.connect().await.unwrap_err().setting(), setting);
    }
}
