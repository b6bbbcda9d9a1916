//! Requests about finding files, and about the server.

use crate::builders::{hits, list, request};
use crate::convert::limit;
use crate::files::named;
use crate::generated::proto;
use crate::{
    Client, FileRef, Filter, SearchHit, SearchMode, SearchQuery, SearchResults, ServerInfo, SkippedFile, ViewPosition,
};

request! {
    /// Finds files. Made by [`Client::search`](crate::Client::search).
    reads Search(SearchRequest) -> SearchResults, |response| SearchResults::from_response(response)
}

hits!(Search(SearchRequest) -> SearchResults of SearchHit);

request! {
    /// Answers several searches at once. Made by [`Client::batch_search`](crate::Client::batch_search).
    reads BatchSearch(BatchSearchRequest) -> Vec<SearchResults>, |response| {
        response.answers.into_iter().map(SearchResults::from_response).collect()
    }
}

impl BatchSearch {
    pub(crate) fn of(client: &Client, searches: impl IntoIterator<Item = Search>) -> Self {
        let searches = searches.into_iter().map(|search| search.request).collect();
        Self::new(client, proto::BatchSearchRequest { searches, ..Default::default() })
    }
}

impl Search {
    pub(crate) fn of(client: &Client, query: SearchQuery) -> Self {
        Self::new(client, proto::SearchRequest { query: Some(query.into()), ..Default::default() })
    }

    /// Only files in this directory or below it.
    pub fn scope(mut self, directory: impl Into<FileRef>) -> Self {
        self.request.scope = named(directory);
        self
    }

    /// Only files that pass this.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.request.filter = Some(filter.into());
        self
    }

    /// How to look; hybrid if not set. A vector has no words: it is always dense.
    pub fn mode(mut self, mode: SearchMode) -> Self {
        self.request.set_mode(mode.into());
        self
    }

    /// How many hits at most; 10 if not set. Of [`hits`](Self::hits): in all; no limit if not set.
    pub fn limit(mut self, hits: u32) -> Self {
        self.request.limit = limit(hits);
        self
    }

    /// For a vector: compare with this named vector of the collection that `scope` names, instead of the embedded text.
    pub fn vector_name(mut self, name: impl Into<String>) -> Self {
        self.request.vector_name = name.into();
        self
    }

    /// By meaning, compare with every passage that may be answered, so that none is missed, however long that takes.
    pub fn exact(mut self, exact: bool) -> Self {
        self.request.exact = exact;
        self
    }

    /// Hybrid: how much the ranking by meaning counts, 0.001 to 1,000; 1 if not set.
    pub fn dense_weight(mut self, weight: f64) -> Self {
        self.request.dense_weight = weight;
        self
    }

    /// Hybrid: how much the ranking by words counts, likewise.
    pub fn lexical_weight(mut self, weight: f64) -> Self {
        self.request.lexical_weight = weight;
        self
    }

    /// The hits that follow an answer to the same question, by its `next_page_token`; `limit` may be another.
    pub fn page_token(mut self, token: impl Into<String>) -> Self {
        self.request.page_token = token.into();
        self
    }
}

request! {
    /// Waits for the views; answers where each is. Made by [`Client::wait_for_views`](crate::Client::wait_for_views).
    reads WaitForViews(WaitForViewsRequest) -> Vec<ViewPosition>, |response| {
        Some(response.views.into_iter().map(ViewPosition::from).collect())
    }
}

list! {
    /// Lists files whose text was not indexed, by id. Made by [`Client::list_skipped_files`](crate::Client::list_skipped_files).
    reads ListSkippedFiles(ListSkippedFilesRequest) -> SkippedFile, |response| {
        let skipped = |skipped: proto::SkippedFile| Some(SkippedFile { file: skipped.file?.into(), reason: skipped.reason });
        response.files.into_iter().map(skipped).collect()
    }
}

impl ListSkippedFiles {
    /// Only files in this directory or below it.
    pub fn scope(mut self, directory: impl Into<FileRef>) -> Self {
        self.request.scope = named(directory);
        self
    }
}

request! {
    /// Asks about the server. Made by [`Client::server_info`](crate::Client::server_info).
    reads ServerInfoRequest(GetServerInfoRequest) -> ServerInfo, |response| ServerInfo::from_response(response)
}
