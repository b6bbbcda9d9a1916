//! The enum of error reasons, with what the contract says about each: its comment and whether a retry can help.

use std::error::Error;
use std::fmt::Write;

use prost_reflect::{DescriptorPool, EnumDescriptor, EnumValueDescriptor, Value};

const ENUM: &str = "vexfs.v1.ErrorReason";
const EXTENSION: &str = "vexfs.v1.error";
const PREFIX: &str = "ERROR_REASON_";

struct Reason {
    name: String,
    variant: String,
    comment: String,
    retryable: bool,
}

/// The text of `reason.rs`.
pub(crate) fn render(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let reasons = pool.get_enum_by_name(ENUM).ok_or("the contract has no ErrorReason")?;
    let extension = pool.get_extension_by_name(EXTENSION).ok_or("the contract has no error option")?;
    let list: Vec<Reason> = reasons
        .values()
        .filter(|value| value.number() != 0)
        .map(|value| {
            let options = value.options();
            let contract = options.get_extension(&extension);
            let retryable = contract
                .as_message()
                .and_then(|message| message.get_field_by_name("retryable").as_deref().and_then(Value::as_bool));
            let name = value.name().trim_start_matches(PREFIX).to_owned();
            Reason {
                variant: camel_case(&name),
                comment: comment_of(&reasons, &value),
                retryable: retryable.unwrap_or(false),
                name,
            }
        })
        .collect();
    Ok(write(&list)?)
}

fn write(reasons: &[Reason]) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    out.push_str("// @generated from the contract by sdk-rust/generate.\n\n");
    out.push_str("/// Why a call failed. Reasons that a newer server may send and this list does not have are in\n");
    out.push_str("/// [`Error::reason_name`](crate::Error::reason_name).\n");
    out.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[non_exhaustive]\npub enum Reason {\n");
    for reason in reasons {
        let lines: Vec<String> = reason.comment.lines().map(|line| format!("    /// {}\n", line.trim())).collect();
        out.push_str(&lines.join("    ///\n"));
        writeln!(out, "    {},", reason.variant)?;
    }
    out.push_str("}\n\nimpl Reason {\n    /// Every reason this release knows.\n    pub const ALL: &'static [Self] = &[\n");
    for reason in reasons {
        writeln!(out, "        Self::{},", reason.variant)?;
    }
    out.push_str("    ];\n\n    /// The name on the wire, such as `FILE_NOT_FOUND`.\n");
    out.push_str("    pub const fn as_str(self) -> &'static str {\n        match self {\n");
    for reason in reasons {
        writeln!(out, "            Self::{} => \"{}\",", reason.variant, reason.name)?;
    }
    out.push_str("        }\n    }\n\n    /// The reason of that name, if this release knows it.\n");
    out.push_str("    pub fn from_name(name: &str) -> Option<Self> {\n        Some(match name {\n");
    for reason in reasons {
        writeln!(out, "            \"{}\" => Self::{},", reason.name, reason.variant)?;
    }
    out.push_str("            _ => return None,\n        })\n    }\n\n");
    out.push_str("    /// Whether the same request can succeed later without anybody changing it.\n");
    out.push_str("    pub const fn is_retryable(self) -> bool {\n        matches!(\n            self,\n            ");
    let retryable: Vec<String> =
        reasons.iter().filter(|reason| reason.retryable).map(|reason| format!("Self::{}", reason.variant)).collect();
    out.push_str(&retryable.join("\n                | "));
    out.push_str("\n        )\n    }\n}\n");
    Ok(out)
}

fn comment_of(reasons: &EnumDescriptor, value: &EnumValueDescriptor) -> String {
    let file = reasons.parent_file();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    info.and_then(|info| info.location.iter().find(|location| location.path == value.path()))
        .map(|location| location.leading_comments().to_owned())
        .unwrap_or_default()
}

fn camel_case(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase()).collect()
}
