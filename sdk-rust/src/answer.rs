//! An answer with the revision it reflects.

/// What a call answered, and when: `.answer().await` on a request gives it, plain `.await` the value alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Answer<T> {
    /// The revision of the store that the answer reflects; of a writing call, the revision it made. Give it to `min_revision`
    /// of another request to be sure that this one is seen.
    pub revision: i64,
    /// What was asked for.
    pub value: T,
}
