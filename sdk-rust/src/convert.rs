//! Between the contract's messages and the types of the language: JSON objects, vectors, times.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Timestamp};
use serde_json::Value;

use crate::Metadata;
use crate::generated::proto;

/// Whole numbers up to here are the same as integers and as 64-bit floats.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

pub(crate) fn to_struct(metadata: Metadata) -> Struct {
    Struct { fields: metadata.into_iter().map(|(key, value)| (key, to_value(value))).collect() }
}

pub(crate) fn to_value(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(number) => number.as_f64().map_or(Kind::NullValue(0), Kind::NumberValue),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(values) => Kind::ListValue(ListValue { values: values.into_iter().map(to_value).collect() }),
        Value::Object(object) => Kind::StructValue(to_struct(object)),
    };
    prost_types::Value { kind: Some(kind) }
}

pub(crate) fn from_struct(object: Option<Struct>) -> Metadata {
    let fields = object.unwrap_or_default().fields;
    fields.into_iter().map(|(key, value)| (key, from_value(value))).collect()
}

fn from_value(value: prost_types::Value) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(number)) => from_number(number),
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::ListValue(list)) => Value::Array(list.values.into_iter().map(from_value).collect()),
        Some(Kind::StructValue(object)) => Value::Object(from_struct(Some(object))),
    }
}

fn from_number(number: f64) -> Value {
    let whole = number.fract() == 0.0 && number.abs() <= INTEGER_MAX && !(number == 0.0 && number.is_sign_negative());
    if whole { Value::from(number as i64) } else { Value::from(number) }
}

pub(crate) fn to_vector(values: &[f32]) -> proto::Vector {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    proto::Vector { values: Bytes::from(bytes) }
}

pub(crate) fn from_vector(vector: &proto::Vector) -> Vec<f32> {
    let (values, _) = vector.values.as_chunks::<4>();
    values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

pub(crate) fn to_timestamp(time: SystemTime) -> Timestamp {
    Timestamp::from(time)
}

pub(crate) fn from_timestamp(time: Option<Timestamp>) -> SystemTime {
    time.and_then(|time| SystemTime::try_from(time).ok()).unwrap_or(UNIX_EPOCH)
}

/// A count or size of the contract, which is never negative.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A size for the contract; what no file can have becomes the largest, and the server says so.
pub(crate) fn size(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A limit for the contract; what is over every limit becomes the largest, and the server says so.
pub(crate) fn limit(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Bytes that are set only if something is not UTF-8.
pub(crate) fn only_if_set(bytes: Bytes) -> Option<Bytes> {
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_comes_back_as_it_was() {
        let value = json!({"n": null, "b": true, "i": -3, "f": 0.5, "s": "ü", "l": [1, "a", {"x": []}], "o": {"k": 1e300}});
        let Value::Object(metadata) = value else { unreachable!() };
        assert_eq!(from_struct(Some(to_struct(metadata.clone()))), metadata);
        assert_eq!(from_struct(None), Metadata::new());
    }

    #[test]
    fn numbers_are_integers_only_where_nothing_is_lost() {
        assert_eq!(from_number(3.0), json!(3));
        assert_eq!(from_number(-0.0).to_string(), "-0.0");
        assert!(from_number(1e16).is_f64());
    }

    #[test]
    fn vectors_are_packed_little_endian() {
        let vector = to_vector(&[1.0, -2.5]);
        assert_eq!(vector.values.as_ref(), [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
        assert_eq!(from_vector(&vector), [1.0, -2.5]);
    }

    #[test]
    fn times_before_1970_keep_their_nanoseconds() {
        let time = UNIX_EPOCH - Duration::new(5, 7);
        assert_eq!(from_timestamp(Some(to_timestamp(time))), time);
    }
}
