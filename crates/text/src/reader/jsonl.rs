//! JSONL: each line is an object, and one of its fields is the document.

use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::delimited::Delimited;
use crate::error::{Error, Result, TextFailure};

/// How many field names a message shows. A hostile line may have a million.
const SHOWN: usize = 8;

/// A file of one JSON object per line. Blank lines are skipped.
pub(super) struct Jsonl {
    lines: Delimited,
    line: u64,
}

impl Jsonl {
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self { lines: Delimited::open(path, b"\n", "line")?, line: 0 })
    }

    /// The text of the next line; `None` at the end of the file. After an error of a line, the next
    /// line can be read.
    pub(super) fn next(&mut self, field: &str, longest: u64) -> Result<Option<String>> {
        while let Some(line) = self.lines.next(longest)? {
            self.line += 1;
            let line = self.lines.text(line).map_err(|error| error.in_line(self.line))?;
            if !line.trim().is_empty() {
                return text(&line, field).map(Some).map_err(|found| {
                    Error::from(TextFailure::BadLine {
                        path: self.lines.path().to_owned(),
                        line: self.line,
                        found,
                        field: field.to_owned(),
                    })
                });
            }
        }
        Ok(None)
    }

    pub(super) fn read_bytes(&self) -> u64 {
        self.lines.read_bytes()
    }
}

/// The field's text, or what was found instead.
fn text(line: &str, field: &str) -> std::result::Result<String, String> {
    let mut json = serde_json::Deserializer::from_str(line);
    let found = Probe { field: Some(field) }
        .deserialize(&mut json)
        .and_then(|found| json.end().map(|()| found));
    let found = found.map_err(|error| {
        let why = error.to_string();
        // The message of the library counts lines within this one line, which would mislead.
        let why = why.split(" at line ").next().unwrap_or_default();
        format!("no JSON ({why} at column {})", error.column())
    })?;
    match found {
        ProbedValue::Fields { wanted: Some(wanted), .. } => match *wanted {
            ProbedValue::Text(text) => Ok(text),
            ProbedValue::Kind(kind) => Err(format!("{kind} in `{field}`")),
            ProbedValue::Fields { .. } => Err(format!("an object in `{field}`")),
        },
        ProbedValue::Fields { names, .. } if names.is_empty() => Err("an empty object".to_owned()),
        ProbedValue::Fields { names, count, .. } => {
            let more = if count > names.len() { " ..." } else { "" };
            Err(format!("only `{}`{more}", names.join("`, `")))
        }
        ProbedValue::Text(_) => Err("a string".to_owned()),
        ProbedValue::Kind(kind) => Err(kind.to_owned()),
    }
}

/// Reads one value and keeps only the wanted text. The rest of a line costs no memory.
#[derive(Clone, Copy)]
struct Probe<'a> {
    /// The field to keep; `None` for the value of that field itself.
    field: Option<&'a str>,
}

enum ProbedValue {
    Text(String),
    /// Something else, by its kind.
    Kind(&'static str),
    /// An object: the wanted field, the first other names, and how many other names there are.
    Fields {
        wanted: Option<Box<ProbedValue>>,
        names: Vec<String>,
        count: usize,
    },
}

impl<'de> DeserializeSeed<'de> for Probe<'_> {
    type Value = ProbedValue;

    fn deserialize<D: Deserializer<'de>>(
        self,
        json: D,
    ) -> std::result::Result<ProbedValue, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Probe<'_> {
    type Value = ProbedValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<ProbedValue, A::Error> {
        let (mut wanted, mut names, mut count) = (None, Vec::new(), 0);
        while let Some(other) = map.next_key_seed(Key { field: self.field })? {
            let Some(other) = other else {
                // If a name occurs twice, the last one counts, as in most readers.
                wanted = Some(Box::new(map.next_value_seed(Probe { field: None })?));
                continue;
            };
            count += 1;
            if names.len() < SHOWN {
                names.push(other);
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(ProbedValue::Fields { wanted, names, count })
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut list: A,
    ) -> std::result::Result<ProbedValue, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(ProbedValue::Kind("a list"))
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<ProbedValue, E> {
        Ok(ProbedValue::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> std::result::Result<ProbedValue, E> {
        Ok(ProbedValue::Kind("null"))
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<ProbedValue, E> {
        Ok(ProbedValue::Kind("a truth value"))
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<ProbedValue, E> {
        Ok(ProbedValue::Kind("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<ProbedValue, E> {
        Ok(ProbedValue::Kind("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<ProbedValue, E> {
        Ok(ProbedValue::Kind("a number"))
    }
}

/// Reads a name: `None` for the wanted one, else the part of it that a message shows.
struct Key<'a> {
    field: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        json: D,
    ) -> std::result::Result<Option<String>, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<Option<String>, E> {
        Ok((Some(name) != self.field).then(|| name.chars().take(40).collect()))
    }
}
