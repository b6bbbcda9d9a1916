//! Which files a search or a query may return: a tree of conditions.

use std::ops::{Bound, Not, RangeBounds};
use std::time::SystemTime;

use serde_json::Value;

use crate::convert::{to_timestamp, to_value};
use crate::generated::proto;
use crate::generated::proto::{attribute_condition, filter::Node, metadata_condition};

/// A condition on files; conditions combine with [`all`](Self::all), [`any`](Self::any) and `!`. At most 8 levels deep.
///
/// ```
/// use vexfs_client::Filter;
///
/// let filter = Filter::all([
///     Filter::metadata("lang").equals("en"),
///     Filter::metadata("year").range(1990.0..2000.0),
///     !Filter::name("*.tmp"),
/// ]);
/// # let _ = filter;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(proto::Filter);

impl Filter {
    /// Every one of these holds.
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::node(Node::All(list(filters)))
    }

    /// At least one of these holds.
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        Self::node(Node::Any(list(filters)))
    }

    /// Begin a condition on the value at `key` of the metadata: keys joined by dots, such as `author.name`. An array passes if one
    /// of its elements does; a file without the value passes only `exists(false)`.
    pub fn metadata(key: impl Into<String>) -> MetadataKey {
        MetadataKey(key.into())
    }

    /// The length of the content in bytes is in this range.
    pub fn size_bytes(range: impl RangeBounds<u64>) -> Self {
        // Sizes are exact as 64-bit floats up to 8 PiB.
        Self::attribute(attribute_condition::Test::SizeBytes(numbers(range, |bytes| bytes as f64)))
    }

    /// The content was changed last at `from` or later, and before `until`; `None` is open.
    pub fn mtime(from: impl Into<Option<SystemTime>>, until: impl Into<Option<SystemTime>>) -> Self {
        Self::attribute(attribute_condition::Test::Mtime(times(from.into(), until.into())))
    }

    /// The file was made at `from` or later, and before `until`; `None` is open.
    pub fn btime(from: impl Into<Option<SystemTime>>, until: impl Into<Option<SystemTime>>) -> Self {
        Self::attribute(attribute_condition::Test::Btime(times(from.into(), until.into())))
    }

    /// The file's name matches this shell pattern: `*`, `?` and `[…]`.
    pub fn name(pattern: impl Into<String>) -> Self {
        Self::attribute(attribute_condition::Test::Name(pattern.into()))
    }

    /// The owner has this number.
    pub fn uid(uid: u32) -> Self {
        Self::attribute(attribute_condition::Test::Uid(uid))
    }

    /// The owning group has this number.
    pub fn gid(gid: u32) -> Self {
        Self::attribute(attribute_condition::Test::Gid(gid))
    }

    fn attribute(test: attribute_condition::Test) -> Self {
        Self::node(Node::Attribute(proto::AttributeCondition { test: Some(test) }))
    }

    fn node(node: Node) -> Self {
        Self(proto::Filter { node: Some(node) })
    }
}

/// This condition does not hold.
impl Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self::node(Node::Negated(Box::new(self.0)))
    }
}

impl From<Filter> for proto::Filter {
    fn from(filter: Filter) -> Self {
        filter.0
    }
}

/// A place in the metadata, waiting for what its value must be. Made by [`Filter::metadata`].
#[derive(Clone, Debug)]
#[must_use = "it is no filter yet"]
pub struct MetadataKey(String);

impl MetadataKey {
    /// Equal to this string, number, bool or null.
    pub fn equals(self, value: impl Into<Value>) -> Filter {
        self.test(metadata_condition::Test::Equals(to_value(value.into())))
    }

    /// Equal to one of these strings, numbers, bools or nulls.
    pub fn one_of<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        let values = values.into_iter().map(|value| to_value(value.into())).collect();
        self.test(metadata_condition::Test::OneOf(proto::ValueList { values }))
    }

    /// A number in this range.
    pub fn range(self, range: impl RangeBounds<f64>) -> Filter {
        self.test(metadata_condition::Test::Range(numbers(range, |number| number)))
    }

    /// A string that starts so.
    pub fn prefix(self, prefix: impl Into<String>) -> Filter {
        self.test(metadata_condition::Test::Prefix(prefix.into()))
    }

    /// There (true) or not there (false).
    pub fn exists(self, exists: bool) -> Filter {
        self.test(metadata_condition::Test::Exists(exists))
    }

    fn test(self, test: metadata_condition::Test) -> Filter {
        Filter::node(Node::Metadata(proto::MetadataCondition { key: self.0, test: Some(test) }))
    }
}

fn list(filters: impl IntoIterator<Item = Filter>) -> proto::FilterList {
    proto::FilterList { filters: filters.into_iter().map(|filter| filter.0).collect() }
}

fn numbers<T: Copy>(range: impl RangeBounds<T>, float: impl Fn(T) -> f64) -> proto::NumberRange {
    let mut numbers = proto::NumberRange::default();
    match range.start_bound() {
        Bound::Included(start) => numbers.gte = Some(float(*start)),
        Bound::Excluded(start) => numbers.gt = Some(float(*start)),
        Bound::Unbounded => {}
    }
    match range.end_bound() {
        Bound::Included(end) => numbers.lte = Some(float(*end)),
        Bound::Excluded(end) => numbers.lt = Some(float(*end)),
        Bound::Unbounded => {}
    }
    numbers
}

fn times(from: Option<SystemTime>, until: Option<SystemTime>) -> proto::TimeRange {
    proto::TimeRange { from: from.map(to_timestamp), until: until.map(to_timestamp) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_which_bounds_are_open() {
        assert_eq!(numbers(1..5_u64, |n| n as f64), proto::NumberRange { gte: Some(1.0), lt: Some(5.0), ..Default::default() });
        assert_eq!(numbers(..=5_u64, |n| n as f64), proto::NumberRange { lte: Some(5.0), ..Default::default() });
        let above = (Bound::Excluded(2.5), Bound::Unbounded);
        assert_eq!(numbers(above, |n| n), proto::NumberRange { gt: Some(2.5), ..Default::default() });
    }
}
