//! Typed reading of a configuration's fields. Each value is checked before it is used.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{Error, Result};

/// The largest number of blocks; the deepest public model has 126.
pub(super) const MAX_BLOCKS: usize = 10_000;

/// The largest width or vocabulary. The product of two still fits into 64 bits.
pub(super) const MAX_SIZE: usize = 1 << 31;

/// Reads one JSON object of a configuration: the whole file, or an object inside it.
pub(super) struct FieldReader<'a> {
    /// The file that errors name.
    path: &'a Path,
    map: &'a Map<String, Value>,
    /// Prefix of field names in messages, for example `rope_scaling.`.
    prefix: String,
}

impl<'a> FieldReader<'a> {
    pub(super) fn new(path: &'a Path, map: &'a Map<String, Value>) -> Self {
        Self { path, map, prefix: String::new() }
    }

    /// A reader of the object `field`; `None` if it is missing or null.
    pub(super) fn object(&self, field: &str) -> Result<Option<FieldReader<'a>>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(FieldReader {
                path: self.path,
                map,
                prefix: format!("{}{field}.", self.prefix),
            })),
            Some(found) => Err(self.wrong(field, found, "an object or null")),
        }
    }

    /// A value, unless it is missing or null.
    pub(super) fn get(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, field: &str) -> Result<Option<&'a str>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(found) => Err(self.wrong(field, found, "a string")),
        }
    }

    pub(super) fn flag(&self, field: &str, silent: bool) -> Result<bool> {
        match self.get(field) {
            None => Ok(silent),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(found) => Err(self.wrong(field, found, "true or false")),
        }
    }

    /// A required whole number from 1 to `limit`.
    pub(super) fn size(&self, field: &str, limit: usize) -> Result<usize> {
        self.size_or_silent(field, limit)?
            .ok_or_else(|| Error::missing(self.path, self.full(field)))
    }

    /// A whole number from 1 to `limit`, or `None` if the file lacks the field.
    pub(super) fn size_or_silent(&self, field: &str, limit: usize) -> Result<Option<usize>> {
        let Some(value) = self.get(field) else { return Ok(None) };
        // `as_u64` refuses floats, even 4096.0.
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        match number {
            Some(number) if (1..=limit).contains(&number) => Ok(Some(number)),
            _ => Err(self.wrong(field, value, &format!("a whole number from 1 to {limit}"))),
        }
    }

    /// A finite number above 0, or `None` if the file lacks the field.
    pub(super) fn positive(&self, field: &str) -> Result<Option<f64>> {
        let Some(value) = self.get(field) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if number.is_finite() && number > 0.0 => Ok(Some(number)),
            _ => Err(self.wrong(field, value, "a finite number above 0")),
        }
    }

    /// A required finite number above 0.
    pub(super) fn required_positive(&self, field: &str) -> Result<f64> {
        self.positive(field)?.ok_or_else(|| Error::missing(self.path, self.full(field)))
    }

    /// A field's name with the name of its object before it.
    fn full(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }

    pub(super) fn wrong(&self, field: &str, found: &Value, expected: &str) -> Error {
        self.wrong_value(field, &shown(found), expected)
    }

    pub(super) fn wrong_value(&self, field: &str, found: &str, expected: &str) -> Error {
        Error::value(self.path, self.full(field), found, expected)
    }

    pub(super) fn unsupported(&self, field: &str, found: &Value, supported: &str) -> Error {
        Error::unsupported(self.path, self.full(field), shown(found), supported)
    }

    /// Refuses a switch that turns on something that this engine does not compute.
    pub(super) fn must_be_off(&self, field: &str) -> Result<()> {
        match self.get(field) {
            None | Some(Value::Bool(false)) => Ok(()),
            Some(found) => Err(self.unsupported(field, found, "false")),
        }
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.map.iter()
    }
}

/// A value as JSON for a message. It is cut, since a hostile file may hold megabytes.
pub(super) fn shown(value: &Value) -> String {
    let text = match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(entries) if entries.len() > 8 => format!("a list of {}", entries.len()),
        other => other.to_string(),
    };
    // By characters, since a cut between bytes could split one.
    if text.chars().count() <= 80 {
        text
    } else {
        text.chars().take(80).chain("...".chars()).collect()
    }
}
