//! The text in one line of JSON.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How many field names a message shows. A hostile line may have a million.
const SHOWN: usize = 8;

/// Whether a line is an object; of a line that is not whole, whether it begins as one.
pub(super) fn is_object(line: &[u8], whole: bool) -> bool {
    let line = numbered(String::from_utf8_lossy(line).into_owned());
    let mut json = serde_json::Deserializer::from_str(line.trim());
    let read = Probe { field: Some("") }.deserialize(&mut json);
    match read.and_then(|found| json.end().map(|()| found)) {
        Ok(found) => matches!(found, ProbedValue::Fields { .. }),
        Err(error) => !whole && error.is_eof(),
    }
}

/// Whether a single line is an object with text in the usual field.
pub(super) fn has_text(line: &[u8]) -> bool {
    std::str::from_utf8(line).is_ok_and(|line| text(line.trim(), "text").is_ok())
}

/// The field's text, or what was found instead.
pub(super) fn text(line: &str, field: &str) -> std::result::Result<String, String> {
    let found = match probed(line, field) {
        // Some programs write numbers that JSON does not have. They do not cost a line its text.
        Err(_) if line.contains("NaN") || line.contains("Infinity") => {
            probed(&numbered(line.to_owned()), field)
        }
        found => found,
    };
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

fn probed(line: &str, field: &str) -> serde_json::Result<ProbedValue> {
    let mut json = serde_json::Deserializer::from_str(line);
    let found = Probe { field: Some(field) }.deserialize(&mut json)?;
    json.end()?;
    Ok(found)
}

/// A line with `NaN` and `Infinity` written as a number of the same length, so that columns stay.
fn numbered(line: String) -> String {
    const ODD: [(&[u8], &[u8]); 3] =
        [(b"-Infinity", b"-0       "), (b"Infinity", b"0       "), (b"NaN", b"0  ")];
    let mut bytes = line.into_bytes();
    let (mut at, mut quoted) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            _ => {
                let odd = ODD.iter().find(|(odd, _)| bytes[at..].starts_with(odd));
                if let Some((odd, number)) = odd {
                    bytes[at..at + odd.len()].copy_from_slice(number);
                    at += odd.len() - 1;
                }
            }
        }
        at += 1;
    }
    // Only ASCII was replaced, by ASCII.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Reads one value and keeps only the wanted text. The rest of a line costs no memory.
#[derive(Clone, Copy)]
struct Probe<'a> {
    /// The field to keep, or a path of names with dots between; `None` for the value of that field
    /// itself.
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
        let (mut wanted, mut inside, mut names, mut count) = (None, None, Vec::new(), 0);
        while let Some(name) = map.next_key_seed(Key { field: self.field })? {
            match name {
                // If a name occurs twice, the last one counts, as in most readers.
                Name::Wanted => {
                    wanted = Some(Box::new(map.next_value_seed(Probe { field: None })?));
                    continue;
                }
                Name::Around(name, rest) => {
                    let seed = Probe { field: Some(rest) };
                    if let ProbedValue::Fields { wanted, names: within, count: more } =
                        map.next_value_seed(seed)?
                    {
                        inside = wanted;
                        count += more;
                        let room = SHOWN.saturating_sub(names.len());
                        names.extend(within.iter().take(room).map(|n| format!("{name}.{n}")));
                        continue;
                    }
                    names.push(name);
                }
                Name::Other(name) => {
                    if names.len() < SHOWN {
                        names.push(name);
                    }
                    map.next_value::<IgnoredAny>()?;
                }
            }
            count += 1;
        }
        // A name with a dot in it goes before a path.
        Ok(ProbedValue::Fields { wanted: wanted.or(inside), names, count })
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

/// A name of an object, held against the wanted field.
enum Name<'a> {
    Wanted,
    /// The name of an object that may hold the field, and the rest of the path.
    Around(String, &'a str),
    /// The part of another name that a message shows.
    Other(String),
}

/// Reads a name.
struct Key<'a> {
    field: Option<&'a str>,
}

impl<'a, 'de> DeserializeSeed<'de> for Key<'a> {
    type Value = Name<'a>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<Name<'a>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a> {
    type Value = Name<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<Name<'a>, E> {
        if Some(name) == self.field {
            return Ok(Name::Wanted);
        }
        let shown = name.chars().take(40).collect();
        let rest = self.field.and_then(|f| f.strip_prefix(name)?.strip_prefix('.'));
        Ok(match rest {
            Some(rest) => Name::Around(shown, rest),
            None => Name::Other(shown),
        })
    }
}
