//! The macros that make a request of one method: a builder that is sent by `.await`.
//!
//! `request!` is for methods that answer once, `list!` for those that answer pages; `hits!` adds all pages to a request that
//! answers one. `history` requests can be answered from
//! an old revision, `reads` and `history` can wait for one, `writes` carry a `request_id`.

macro_rules! request {
    ($(#[$attribute:meta])* $effect:ident $Name:ident($Request:ident) -> $Output:ty, |$response:ident| $convert:expr) => {
        $(#[$attribute])*
        #[derive(Clone)]
        #[must_use = "a request does nothing until it is awaited"]
        pub struct $Name {
            client: crate::Client,
            request: crate::generated::proto::$Request,
            timeout: Option<std::time::Duration>,
        }

        impl $Name {
            pub(crate) fn new(client: &crate::Client, request: crate::generated::proto::$Request) -> Self {
                Self { client: client.clone(), request, timeout: None }
            }

            /// Send it; the answer comes with the revision it reflects.
            ///
            /// # Errors
            ///
            /// The call failed; see [`Error`](crate::Error).
            pub async fn answer(self) -> crate::Result<crate::Answer<$Output>> {
                crate::call::unary(self.client, self.request, self.timeout, |$response| {
                    let revision = $response.revision;
                    let value: Option<$Output> = $convert;
                    value.map(|value| crate::Answer { revision, value })
                })
                .await
            }
        }

        crate::builders::common!($effect $Name);
        crate::builders::awaitable!($Name -> $Output);
    };
}

macro_rules! list {
    ($(#[$attribute:meta])* $effect:ident $Name:ident($Request:ident) -> $Item:ty, |$response:ident| $items:expr) => {
        $(#[$attribute])*
        #[derive(Clone)]
        #[must_use = "a list is not asked for until `items`, `pages` or `all`"]
        pub struct $Name {
            client: crate::Client,
            request: crate::generated::proto::$Request,
            timeout: Option<std::time::Duration>,
        }

        impl $Name {
            pub(crate) fn new(client: &crate::Client, request: crate::generated::proto::$Request) -> Self {
                Self { client: client.clone(), request, timeout: None }
            }

            /// How many items a page has at most, up to 10,000; the server's 1,000 if not set.
            pub fn page_size(mut self, items: u32) -> Self {
                self.request.page_size = crate::convert::limit(items);
                self
            }

            /// Begin with the page of this token ([`Page::next_page_token`](crate::Page::next_page_token)) instead of the first.
            pub fn page_token(mut self, token: impl Into<String>) -> Self {
                self.request.page_token = token.into();
                self
            }

            /// The items as a stream, which asks for pages as it goes.
            pub fn items(self) -> crate::Items<$Item> {
                crate::Items::new(self.pages())
            }

            /// The pages as a stream; each is a call of its own, with a time-out of its own.
            pub fn pages(self) -> crate::Pages<$Item> {
                let Self { client, request, timeout } = self;
                crate::Pages::new(request.page_token.clone(), move |page_token| {
                    let mut request = request.clone();
                    request.page_token = page_token;
                    crate::call::unary(client.clone(), request, timeout, |$response| {
                        let revision = $response.revision;
                        let next_page_token = $response.next_page_token;
                        let items: Option<Vec<$Item>> = $items;
                        items.map(|items| crate::Page { revision, items, next_page_token })
                    })
                })
            }

            /// All items at once.
            ///
            /// # Errors
            ///
            /// The call for one of the pages failed; see [`Error`](crate::Error).
            pub async fn all(self) -> crate::Result<Vec<$Item>> {
                let mut pages = self.pages();
                let mut items = Vec::new();
                while let Some(page) = pages.next().await {
                    items.append(&mut page?.items);
                }
                Ok(items)
            }
        }

        crate::builders::common!($effect $Name);
    };
}

/// All hits of a request that answers one page of them.
macro_rules! hits {
    ($Name:ident($Request:ident) -> $Output:ident of $Hit:ty) => {
        impl $Name {
            /// All hits as a stream, best first, which asks for pages of so many (up to 1,000; 0: 100) as it goes, and never for
            /// more than are wanted. [`limit`](Self::limit) is how many hits there are in all; no limit if not set. The pages have
            /// 10,000 hits in all: where there are more, [`InvalidArgument`](crate::ErrorKind::InvalidArgument) ends them.
            pub fn hits(self, page_size: u32) -> crate::Items<$Hit> {
                let Self { client, request, timeout } = self;
                let page_size = if page_size == 0 { crate::pages::HITS_AT_ONCE } else { page_size };
                let limit = if request.limit == 0 { u64::MAX } else { crate::convert::count(request.limit.into()) };
                crate::Items::new(crate::Pages::limited(request.page_token.clone(), limit, move |page_token, wanted| {
                    let size = u32::try_from(wanted).unwrap_or(u32::MAX).min(page_size);
                    let request =
                        crate::generated::proto::$Request { page_token, limit: crate::convert::limit(size), ..request.clone() };
                    crate::call::unary(client.clone(), request, timeout, |response| {
                        let revision = response.revision;
                        let found = <$Output>::from_response(response)?;
                        Some(crate::Page { revision, items: found.hits, next_page_token: found.next_page_token })
                    })
                }))
            }
        }
    };
}

/// `.await` on a request.
macro_rules! awaitable {
    ($Name:ident -> $Output:ty) => {
        impl IntoFuture for $Name {
            type Output = crate::Result<$Output>;
            type IntoFuture = futures_util::future::BoxFuture<'static, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(async move { Ok(self.answer().await?.value) })
            }
        }
    };
}

/// What all requests have, and those of an effect.
macro_rules! common {
    (history $Name:ident) => {
        impl $Name {
            /// Answer from the state at this revision, inside the history window; the newest if not set.
            pub fn at_revision(mut self, revision: i64) -> Self {
                self.request.at_revision = revision;
                self
            }
        }

        crate::builders::common!(reads $Name);
    };
    (reads $Name:ident) => {
        impl $Name {
            /// Wait, until the time-out, for this revision.
            pub fn min_revision(mut self, revision: i64) -> Self {
                self.request.min_revision = revision;
                self
            }
        }

        crate::builders::common!(timeout $Name);
    };
    (writes $Name:ident) => {
        impl $Name {
            /// The id that makes it safe to send the request again, instead of a random one. The server keeps it for 10 minutes.
            pub fn request_id(mut self, id: impl Into<String>) -> Self {
                self.request.request_id = id.into();
                self
            }
        }

        crate::builders::common!(timeout $Name);
    };
    (timeout $Name:ident) => {
        impl $Name {
            /// How long the call may take, all its attempts together, instead of the client's time-out; zero is no limit.
            pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                self.timeout = Some(timeout);
                self
            }
        }

        impl std::fmt::Debug for $Name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.debug_struct(stringify!($Name)).field("request", &self.request).finish_non_exhaustive()
            }
        }
    };
}

pub(crate) use {awaitable, common, hits, list, request};
