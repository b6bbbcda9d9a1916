//! Tests of the public API: against the real server, and against one that fails on purpose.

#![allow(unreachable_pub)] // a test program has no public items; `pub` says what a module is for

#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all, dead_code)]
#[path = "../../src/generated/vexfs.v1.rs"]
mod proto;
#[rustfmt::skip]
#[path = "generated/methods.rs"]
mod methods;
mod support;

mod calls;
mod collections;
mod content;
mod errors;
mod every_method;
mod files;
mod hits;
mod lists;
mod points_stream;
mod readme;
mod search;
mod surface;
mod tls;
