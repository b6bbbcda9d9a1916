//! The spans of the feature `tracing`.
//!
//! A program of its own, with one test: tracing remembers for all threads whether anybody listens at a place in the code, and asks
//! the thread that comes there first. A test beside this one that gets there at the same moment, where nobody listens, would silence it.

#![allow(unreachable_pub)] // a test program has no public items; `pub` says what a module is for

#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all, dead_code)]
#[path = "../../src/generated/vexfs.v1.rs"]
mod proto;
#[allow(dead_code)] // what only other tests use
#[path = "../it/support/faulty.rs"]
mod faulty;

use std::sync::{Arc, Mutex};

use tonic::Code;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::faulty::{Faulty, answer, fail};

/// Remembers the names of spans and events with their fields.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("vexfs_client")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(span.metadata().name().to_owned());
        span.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields("event".to_owned());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_call_is_a_span_and_a_pause_an_event() {
    let found = answer(proto::StatFileResponse { revision: 7, file: Some(proto::File::default()) });
    let server = Faulty::start([fail(Code::Unavailable, ""), found]).await;
    let client = server.client().await;
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.clone());
    client.files().stat("/a").await.unwrap();
    drop(guard);
    let log = log.0.lock().unwrap();
    assert_eq!(log[0], r#"vexfs.call method="stat_file""#);
    assert_eq!(log.len(), 2);
    assert!(log[1].contains("attempt=1") && log[1].contains(r#"code="UNAVAILABLE""#), "{}", log[1]);
}
