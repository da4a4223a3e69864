//! JSONL: a line is an object, one of its fields is the document.

use std::path::Path;

use serde_json::Value;

use super::delimited::Delimited;
use crate::error::{Error, Result};

/// A file of one JSON object a line; blank lines are passed over.
#[derive(Debug)]
pub(super) struct Jsonl {
    lines: Delimited,
    line: u64,
}

impl Jsonl {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { lines: Delimited::open(path, b"\n", "line")?, line: 0 })
    }

    /// The text of the next line; `None` at the end of the file.
    pub(super) fn next(&mut self, field: &str, longest: u64) -> Result<Option<String>> {
        while let Some(line) = self.lines.next(longest)? {
            self.line += 1;
            if !line.trim().is_empty() {
                return text(&line, field).map(Some).map_err(|found| Error::BadLine {
                    path: self.lines.path().to_owned(),
                    line: self.line,
                    found,
                    field: field.to_owned(),
                });
            }
        }
        Ok(None)
    }

    pub(super) fn offset(&self) -> u64 {
        self.lines.offset()
    }
}

/// The field's text, or what was found instead.
fn text(line: &str, field: &str) -> std::result::Result<String, String> {
    let value = serde_json::from_str(line).map_err(|error| {
        let why = error.to_string();
        // The library counts lines within this one line.
        let why = why.split(" at line ").next().unwrap_or_default();
        format!("no JSON ({why} at column {})", error.column())
    })?;
    let Value::Object(mut fields) = value else { return Err(kind(&value)) };
    match fields.remove(field) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("{} in `{field}`", kind(&other))),
        None => Err(names(&fields)),
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
    .to_owned()
}

/// The fields that are there, the first few of them: a hostile line may have a million.
fn names(fields: &serde_json::Map<String, Value>) -> String {
    if fields.is_empty() {
        return "an empty object".to_owned();
    }
    let shown: Vec<_> = fields
        .keys()
        .take(8)
        .map(|name| format!("`{}`", name.chars().take(40).collect::<String>()))
        .collect();
    let more = if fields.len() > 8 { " ..." } else { "" };
    format!("only {}{more}", shown.join(", "))
}
