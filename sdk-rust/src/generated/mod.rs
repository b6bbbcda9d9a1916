//! What `sdk-rust/generate` writes from the contract; nothing in the other files is changed by hand.

#[allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all, dead_code)]
#[path = "vexfs.v1.rs"]
pub(crate) mod proto;
pub(crate) mod reason;
