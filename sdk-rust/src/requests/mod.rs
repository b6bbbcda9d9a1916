//! The requests that the methods of [`Client`](crate::Client) and its groups begin: builders, sent by `.await`.
//!
//! What is not set has the contract's default. `.answer().await` instead of `.await` also tells the revision of the answer.

mod collections;
mod content;
mod files;
mod points;
mod search;

pub use collections::{CreateCollection, DeleteCollection, GetCollection, ListCollections};
pub use content::{Read, Write, WriteStream};
pub use files::{
    Copy, GetMetadata, GetXattr, Link, List, ListXattrs, MakeDirectory, MoveTo, ReadSymlink, Remove, RemoveXattr,
    SetAttributes, SetMetadata, SetXattr, Stat, Symlink,
};
pub use points::{BatchQueryPoints, DeletePoints, GetPoints, ListPoints, QueryPoints, UpsertPoints, UpsertPointsStream};
pub use search::{BatchSearch, ListSkippedFiles, Search, ServerInfoRequest, WaitForViews};
