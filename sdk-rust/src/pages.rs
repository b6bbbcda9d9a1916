//! Lists that page by themselves: a stream of items, or of pages for those who want to hold one.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::future::poll_fn;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};

use crate::Result;

/// How many hits a page has when nothing is said: few enough to come fast, many enough to seldom wait.
pub(crate) const HITS_AT_ONCE: u32 = 100;

/// One page of a list.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The revision that this page reflects.
    pub revision: i64,
    /// The items.
    pub items: Vec<T>,
    /// What to ask for the next page with; empty after the last.
    pub next_page_token: String,
}

/// The pages of a list, asked for one by one as they are taken. It ends after the last page, or after an error.
#[must_use = "a stream does nothing until it is polled"]
pub struct Pages<T>(BoxStream<'static, Result<Page<T>>>);

impl<T: Send + 'static> Pages<T> {
    /// Pages from `fetch`, which answers the page of a token.
    pub(crate) fn new<F>(first: String, fetch: impl Fn(String) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Page<T>>> + Send + 'static,
    {
        Self::limited(first, u64::MAX, move |token, _| fetch(token))
    }

    /// Pages of so many items in all; `fetch` answers the page of a token, and is told how many items are still to come.
    pub(crate) fn limited<F>(first: String, limit: u64, fetch: impl Fn(String, u64) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Page<T>>> + Send + 'static,
    {
        let pages = stream::try_unfold((Some(first), limit, fetch), |(token, wanted, fetch)| async move {
            let Some(token) = token else { return Ok(None) };
            let page = fetch(token, wanted).await?;
            let wanted = wanted.saturating_sub(page.items.len() as u64);
            let next = (wanted > 0 && !page.next_page_token.is_empty()).then(|| page.next_page_token.clone());
            Ok(Some((page, (next, wanted, fetch))))
        });
        Self(pages.boxed())
    }

    /// The next page; none after the last.
    ///
    /// # Errors
    ///
    /// The call for this page failed; nothing comes after that.
    pub async fn next(&mut self) -> Option<Result<Page<T>>> {
        self.0.next().await
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl<T> Stream for Pages<T> {
    type Item = Result<Page<T>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

/// The items of a list; the next page is asked for when the last item of the one before was taken.
#[must_use = "a stream does nothing until it is polled"]
pub struct Items<T> {
    pages: Pages<T>,
    page: std::vec::IntoIter<T>,
    revision: i64,
}

impl<T: Send + Unpin + 'static> Items<T> {
    pub(crate) fn new(pages: Pages<T>) -> Self {
        Self { pages, page: Vec::new().into_iter(), revision: 0 }
    }

    /// The next item; none after the last.
    ///
    /// # Errors
    ///
    /// The call for the next page failed; nothing comes after that.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The revision that the newest page reflects; 0 before the first.
    pub fn revision(&self) -> i64 {
        self.revision
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Items").field("revision", &self.revision).finish_non_exhaustive()
    }
}

impl<T: Unpin> Stream for Items<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.page.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(Pin::new(&mut self.pages).poll_next(context)) {
                Some(Ok(page)) => {
                    self.revision = page.revision;
                    self.page = page.items.into_iter();
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}
