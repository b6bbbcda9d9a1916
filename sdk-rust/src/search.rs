//! What is searched for, and what is found.

use crate::convert::{count, to_vector};
use crate::generated::proto;
use crate::{File, FileRef};

/// What the files shall answer: made from text, from a vector, or from a file that they shall be like.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SearchQuery {
    /// A question or a few words, in any language the model knows.
    Text(String),
    /// A vector of the model that embeds the files (`server_info` names it), or of the vector that the search names.
    Vector(Vec<f32>),
    /// This file: what is near to the mean of its passages is answered, without the file itself.
    Like(FileRef),
}

impl SearchQuery {
    /// What is like this file.
    pub fn like(file: impl Into<FileRef>) -> Self {
        Self::Like(file.into())
    }
}

impl From<&str> for SearchQuery {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SearchQuery {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<f32>> for SearchQuery {
    fn from(vector: Vec<f32>) -> Self {
        Self::Vector(vector)
    }
}

impl From<&[f32]> for SearchQuery {
    fn from(vector: &[f32]) -> Self {
        Self::Vector(vector.to_vec())
    }
}

impl From<SearchQuery> for proto::search_request::Query {
    fn from(query: SearchQuery) -> Self {
        match query {
            SearchQuery::Text(text) => Self::Text(text),
            SearchQuery::Vector(vector) => Self::Vector(to_vector(&vector)),
            SearchQuery::Like(file) => Self::Like(file.into()),
        }
    }
}

/// How to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SearchMode {
    /// By meaning and by words, the two rankings fused.
    Hybrid,
    /// By meaning only.
    Dense,
    /// By words only.
    Lexical,
}

impl From<SearchMode> for proto::SearchMode {
    fn from(mode: SearchMode) -> Self {
        match mode {
            SearchMode::Hybrid => Self::Hybrid,
            SearchMode::Dense => Self::Dense,
            SearchMode::Lexical => Self::Lexical,
        }
    }
}

impl From<proto::SearchMode> for SearchMode {
    fn from(mode: proto::SearchMode) -> Self {
        match mode {
            proto::SearchMode::Unspecified | proto::SearchMode::Hybrid => Self::Hybrid,
            proto::SearchMode::Dense => Self::Dense,
            proto::SearchMode::Lexical => Self::Lexical,
        }
    }
}

/// A passage of a file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passage {
    /// The text.
    pub text: String,
    /// Where it starts in the file's content, in bytes.
    pub start_byte: u64,
    /// The byte after its last.
    pub end_byte: u64,
    /// The line it starts on; the first line is 1.
    pub start_line: u32,
    /// The line it ends on.
    pub end_line: u32,
}

impl From<proto::Passage> for Passage {
    fn from(passage: proto::Passage) -> Self {
        Self {
            text: passage.text,
            start_byte: count(passage.start_byte),
            end_byte: count(passage.end_byte),
            start_line: passage.start_line.unsigned_abs(),
            end_line: passage.end_line.unsigned_abs(),
        }
    }
}

/// One way in which a file matched.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Match {
    /// Which ranking found it: dense or lexical.
    pub mode: SearchMode,
    /// Its place in that ranking; the first is 1.
    pub rank: u32,
    /// Its score in that ranking: cosine for dense, BM25 for lexical.
    pub score: f64,
    /// Lexical: the words of the question, as they stand in the passage.
    pub terms: Vec<String>,
}

impl From<proto::Match> for Match {
    fn from(found: proto::Match) -> Self {
        Self { mode: found.mode().into(), rank: found.rank.unsigned_abs(), score: found.score, terms: found.terms }
    }
}

/// One file that answers the question.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchHit {
    /// The file.
    pub file: File,
    /// How well it answers; higher is better. Comparable within one answer only.
    pub score: f64,
    /// Its best passage; none if a client's vector was compared.
    pub passage: Option<Passage>,
    /// Why it is here.
    pub matches: Vec<Match>,
}

/// The files that answer best.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchResults {
    /// The files, best first; equal scores by file id. A file stands here once, with its best passage.
    pub hits: Vec<SearchHit>,
    /// The generation of the dense index that answered; empty if none did.
    pub generation: String,
    /// No nearer vector can have been missed: the dense part compared every candidate.
    pub exact: bool,
    /// How the answer was found, such as `exact`, `scann`, `lexical` or `hybrid`.
    pub strategy: String,
    /// Something that was asked for could not be looked through: a view is missing or being rebuilt.
    pub partial: bool,
    /// Why the answer is partial, for people.
    pub partial_reasons: Vec<String>,
    /// How many changed files, or vectors, the views do not have yet.
    pub pending: u64,
    /// What to ask for the hits that follow with; empty after the last.
    pub next_page_token: String,
}

impl SearchResults {
    /// None if a hit has no file.
    pub(crate) fn from_response(response: proto::SearchResponse) -> Option<Self> {
        let hit = |hit: proto::SearchHit| {
            Some(SearchHit {
                file: hit.file?.into(),
                score: hit.score,
                passage: hit.passage.map(Passage::from),
                matches: hit.matches.into_iter().map(Match::from).collect(),
            })
        };
        Some(Self {
            hits: response.hits.into_iter().map(hit).collect::<Option<_>>()?,
            generation: response.generation,
            exact: response.exact,
            strategy: response.strategy,
            partial: response.partial,
            partial_reasons: response.partial_reasons,
            pending: count(response.pending),
            next_page_token: response.next_page_token,
        })
    }
}

/// A file whose text was not indexed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SkippedFile {
    /// The file.
    pub file: File,
    /// Why, such as `binary`, `ignored`, `too_large`.
    pub reason: String,
}
