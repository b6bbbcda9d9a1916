//! Requests about collections.

use crate::Collection;
use crate::builders::{list, request};

request! {
    /// Gives a directory a vector schema. Made by [`Collections::create`](crate::Collections::create).
    writes CreateCollection(CreateCollectionRequest) -> Collection, |response| response.collection.map(Collection::from)
}

request! {
    /// Reads one collection. Made by [`Collections::get`](crate::Collections::get).
    reads GetCollection(GetCollectionRequest) -> Collection, |response| response.collection.map(Collection::from)
}

list! {
    /// Lists all collections, the root's first. Made by [`Collections::list`](crate::Collections::list).
    reads ListCollections(ListCollectionsRequest) -> Collection, |response| {
        Some(response.collections.into_iter().map(Collection::from).collect())
    }
}

request! {
    /// Takes the schema away from a directory. Made by [`Collections::delete`](crate::Collections::delete).
    writes DeleteCollection(DeleteCollectionRequest) -> (), |response| Some(())
}
