//! What an error tells, on the real server.

use std::error::Error as _;

use vexfs_client::{Client, ErrorKind, Reason};

use crate::support::{real, server};

#[tokio::test]
async fn an_error_says_all_that_the_server_said() {
    let (client, directory) = real().await;
    let error = client.files().stat(format!("{directory}/none")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NOT_FOUND"));
    assert_eq!((error.reason(), error.reason_name()), (Some(Reason::FileNotFound), "FILE_NOT_FOUND"));
    assert!(!error.message().is_empty() && error.to_string().contains("FILE_NOT_FOUND"));
    assert_eq!((error.request_id(), error.attempts(), error.is_retryable()), ("", 1, false));
    assert_eq!(error.metadata()["retryable"], "false");
    assert!(error.source().is_none());
    let error = client.files().remove(format!("{directory}/none")).await.unwrap_err();
    assert_eq!(error.request_id().len(), 36);
}

#[tokio::test]
async fn a_wrong_token_is_told_apart() {
    let server = server::shared();
    for builder in [Client::builder().token("wrong"), Client::builder()] {
        let error = builder.address(&server.address).connect().await.unwrap().server_info().await.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (ErrorKind::Unauthenticated, Some(Reason::Unauthenticated)));
    }
}

#[test]
fn reasons_have_their_names() {
    assert!(Reason::ALL.len() > 40);
    for reason in Reason::ALL {
        assert_eq!(Reason::from_name(reason.as_str()), Some(*reason));
    }
    assert_eq!(Reason::from_name("UNSPECIFIED"), None);
    let retryable: Vec<&str> =
        Reason::ALL.iter().filter(|reason| reason.is_retryable()).map(|reason| reason.as_str()).collect();
    assert_eq!(
        retryable,
        ["REVISION_NOT_REACHED", "DEADLINE_EXCEEDED", "QUEUE_FULL", "UNAVAILABLE", "VIEW_UNAVAILABLE", "VOLUME_IN_USE"]
    );
}
