//! A request in protojson: its fields are taken out one by one, in the types of the crate.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use vexfs_client::{FileRef, Metadata};

use crate::Stop;

/// What is left of a JSON object.
pub(crate) struct Fields(Map<String, Value>);

type Taken<T> = Result<Option<T>, Stop>;

/// The crate's types cannot hold it.
pub(crate) fn cannot<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Unsupported(what.into()))
}

impl Fields {
    pub(crate) fn parse(json: &str) -> Result<Self, Stop> {
        match serde_json::from_str(json) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => cannot(format!("{json} is no JSON object")),
        }
    }

    /// Nothing is left that the crate has no argument for.
    pub(crate) fn finish(self) -> Result<(), Stop> {
        match self.0.keys().next() {
            Some(name) => cannot(format!("there is no argument for `{name}`")),
            None => Ok(()),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn with<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Taken<T> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match read(&value) {
            Some(value) => Ok(Some(value)),
            None => cannot(format!("`{name}` cannot be {value}")),
        }
    }

    /// A field without which the crate has no call.
    pub(crate) fn needed<T>(taken: Taken<T>, name: &str) -> Result<T, Stop> {
        taken?.map_or_else(|| cannot(format!("`{name}` cannot be left out")), Ok)
    }

    pub(crate) fn int(&mut self, name: &str) -> Taken<i64> {
        self.with(name, integer)
    }

    pub(crate) fn uint(&mut self, name: &str) -> Taken<u32> {
        self.with(name, |value| u32::try_from(integer(value)?).ok())
    }

    pub(crate) fn size(&mut self, name: &str) -> Taken<u64> {
        self.with(name, |value| u64::try_from(integer(value)?).ok())
    }

    pub(crate) fn flag(&mut self, name: &str) -> Taken<bool> {
        self.with(name, Value::as_bool)
    }

    pub(crate) fn text(&mut self, name: &str) -> Taken<String> {
        self.with(name, |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn texts(&mut self, name: &str) -> Taken<Vec<String>> {
        self.with(name, |value| value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect())
    }

    pub(crate) fn bytes(&mut self, name: &str) -> Taken<Vec<u8>> {
        self.with(name, |value| STANDARD.decode(value.as_str()?).ok())
    }

    pub(crate) fn vector(&mut self, name: &str) -> Taken<Vec<f32>> {
        self.with(name, vector)
    }

    pub(crate) fn vectors(&mut self, name: &str) -> Taken<Vec<(String, Vec<f32>)>> {
        self.with(name, |value| value.as_object()?.iter().map(|(name, value)| Some((name.clone(), vector(value)?))).collect())
    }

    pub(crate) fn number(&mut self, name: &str) -> Taken<f64> {
        self.with(name, |value| value.as_f64().or_else(|| value.as_str()?.parse().ok()))
    }

    pub(crate) fn time(&mut self, name: &str) -> Taken<SystemTime> {
        self.with(name, |value| {
            let time: prost_types::Timestamp = value.as_str()?.parse().ok()?;
            SystemTime::try_from(time).ok()
        })
    }

    pub(crate) fn metadata(&mut self, name: &str) -> Taken<Metadata> {
        self.with(name, |value| value.as_object().cloned())
    }

    /// A value that may be null.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    pub(crate) fn values(&mut self, name: &str) -> Taken<Vec<Value>> {
        self.with(name, |value| value.as_array().cloned())
    }

    pub(crate) fn object(&mut self, name: &str) -> Taken<Self> {
        self.with(name, |value| value.as_object().cloned().map(Self))
    }

    pub(crate) fn objects(&mut self, name: &str) -> Taken<Vec<Self>> {
        self.with(name, |value| value.as_array()?.iter().map(|item| item.as_object().cloned().map(Self)).collect())
    }

    /// The name of an enum's value without its prefix, such as `DENSE`; none for the value that says nothing.
    pub(crate) fn name(&mut self, name: &str, prefix: &str, names: &[&str]) -> Taken<String> {
        let name = self.with(name, |value| match value.as_u64() {
            Some(number) => names.get(usize::try_from(number).ok()?).map(|name| (*name).to_owned()),
            None => value.as_str()?.strip_prefix(prefix).map(str::to_owned),
        });
        Ok(name?.filter(|name| name != "UNSPECIFIED"))
    }

    pub(crate) fn file(&mut self, name: &str) -> Result<FileRef, Stop> {
        Self::needed(self.file_or_none(name), name)
    }

    pub(crate) fn file_or_none(&mut self, name: &str) -> Taken<FileRef> {
        let Some(mut fields) = self.object(name)? else { return Ok(None) };
        let file = if let Some(path) = fields.text("path")? {
            FileRef::path(path)
        } else if let Some(id) = fields.int("id")? {
            FileRef::id(id)
        } else if let Some(path) = fields.bytes("path_bytes")? {
            FileRef::path_bytes(path)
        } else {
            return cannot(format!("`{name}` names no file"));
        };
        let follow = fields.flag("follow")?.unwrap_or_default();
        fields.finish()?;
        Ok(Some(file.follow(follow)))
    }
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn vector(value: &Value) -> Option<Vec<f32>> {
    let values = match value {
        Value::Object(fields) => fields.get("values").map_or(Some(""), Value::as_str)?,
        _ => return None,
    };
    let bytes = STANDARD.decode(values).ok()?;
    let (values, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Gives a request of the crate the fields that are set, each by the builder's method of the same name.
macro_rules! set {
    ($request:ident, $fields:ident $(, $kind:ident $field:ident)*) => {
        $(if let Some(value) = $fields.$kind(stringify!($field))? {
            $request = $request.$field(value);
        })*
    };
}

/// The same for the last fields of a call, and its time-out.
macro_rules! with {
    ($request:ident, $fields:ident, $options:ident $(, $kind:ident $field:ident)*) => {
        $crate::fields::set!($request, $fields $(, $kind $field)*);
        $fields.finish()?;
        if let Some(timeout) = $options.timeout {
            $request = $request.timeout(timeout);
        }
    };
}

/// Walks a list as the call says: to its end, so many items, or one page. The items are shown as `$name`.
macro_rules! walk {
    ($list:ident, $options:ident, $name:literal, $shown:expr) => {{
        if $options.one_page {
            let page = $list.pages().next().await.transpose()?;
            let Some(page) = page else { return Ok(vec![serde_json::json!({})]) };
            let items: Vec<_> = page.items.iter().take($options.take).map($shown).collect();
            Ok(vec![serde_json::json!({"revision": page.revision, $name: items, "next_page_token": page.next_page_token})])
        } else {
            $crate::fields::take!($list.items(), $options, $name, $shown)
        }
    }};
}

/// Takes what a list has, or so many items.
macro_rules! take {
    ($items:expr, $options:ident, $name:literal, $shown:expr) => {{
        let mut list = $items;
        let mut items = Vec::new();
        while items.len() < $options.take {
            let Some(item) = list.next().await else { break };
            items.push($shown(&item?));
        }
        Ok(vec![serde_json::json!({"revision": list.revision(), $name: items})])
    }};
}

pub(crate) use {set, take, walk, with};
