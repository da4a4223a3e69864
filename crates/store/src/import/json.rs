//! JSON as Python writes it, with `NaN` and `Infinity`, read in bounded memory.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The most fields of one row.
const FIELDS: usize = 4096;
/// The longest name that is kept whole, in characters.
const NAME: usize = 200;
/// The longest text in a file, in bytes.
const TEXT: usize = 1 << 20;

/// One object: its numbers, and its texts by name. Objects in it count by their path, as in
/// `eval/loss`; lists are passed over.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) fields: Vec<(String, Cell)>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    Text(String),
}

impl Row {
    /// Parses a line.
    pub(super) fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(&quoted_names(line))
    }

    /// The number of a field.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.fields.iter().find_map(|(known, cell)| match cell {
            Cell::Number(number) if known == name => Some(*number),
            _ => None,
        })
    }

    /// Whether a field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known == name)
    }

    /// Its numbers by name.
    pub(super) fn numbers<'a>(&'a self) -> Vec<(&'a str, f64)> {
        let number = |(name, cell): &'a (String, Cell)| match cell {
            Cell::Number(number) => Some((name.as_str(), *number)),
            Cell::Text(_) => None,
        };
        self.fields.iter().filter_map(number).collect()
    }
}

/// A name of bearable length.
fn clipped(name: &str) -> String {
    name.chars().take(NAME).collect()
}

/// A whole number that a step or a count can be.
pub(super) fn whole(number: f64) -> Option<u64> {
    // 2^53: beyond it, an f64 cannot tell neighbours apart.
    let is_whole = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
    is_whole.then_some(number as u64)
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Row;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
                let mut row = Row::default();
                while let Some(name) = map.next_key::<String>()? {
                    match map.next_value::<Value>()? {
                        Value::Cell(cell) => row.fields.push((clipped(&name), cell)),
                        Value::Row(inner) => {
                            let under = |(end, cell)| (clipped(&format!("{name}/{end}")), cell);
                            row.fields.extend(inner.fields.into_iter().map(under));
                        }
                        Value::Nothing => {}
                    }
                    if row.fields.len() > FIELDS {
                        let many = format!("more than {FIELDS} fields");
                        return Err(serde::de::Error::custom(many));
                    }
                }
                Ok(row)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A value: a number, a text, an object, or what is passed over.
enum Value {
    Cell(Cell),
    Row(Row),
    Nothing,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
                Ok(Value::Nothing)
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Nothing)
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Cell(Cell::Number(number as f64)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Cell(Cell::Number(number as f64)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(Value::Cell(Cell::Number(number)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                // Programs that write strict JSON give numbers that are not finite as text.
                Ok(Value::Cell(match text {
                    "NaN" | "nan" => Cell::Number(f64::NAN),
                    "Infinity" | "inf" => Cell::Number(f64::INFINITY),
                    "-Infinity" | "-inf" => Cell::Number(f64::NEG_INFINITY),
                    text => Cell::Text(text.chars().take(64).collect()),
                }))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Nothing)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
                let inner = serde::de::value::MapAccessDeserializer::new(map);
                Row::deserialize(inner).map(Value::Row)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A line with `NaN` and `Infinity` between quotes.
fn quoted_names(line: &[u8]) -> Cow<'_, [u8]> {
    let is_odd = |byte: &u8| matches!(byte, b'N' | b'I');
    if !line.iter().any(is_odd) {
        return Cow::Borrowed(line);
    }
    let mut quoted = Vec::with_capacity(line.len() + 16);
    // Reading from memory fails only for a text that is too long, which the parser then takes.
    match Tolerant::new(line).read_to_end(&mut quoted) {
        Ok(_) => Cow::Owned(quoted),
        Err(_) => Cow::Borrowed(line),
    }
}

/// A reader that puts `NaN`, `Infinity` and `-Infinity` between quotes, where JSON has no such
/// words, and refuses texts that are too long.
pub(super) struct Tolerant<R> {
    inner: R,
    ready: Vec<u8>,
    given: usize,
    state: State,
    is_ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Outside,
    Minus,
    Name,
    Text { length: usize, escaped: bool },
}

impl<R: BufRead> Tolerant<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, ready: Vec::new(), given: 0, state: State::Outside, is_ended: false }
    }

    /// Reads and changes the next bytes.
    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.given = 0;
        let bytes = self.inner.fill_buf()?;
        let length = bytes.len();
        for &byte in bytes {
            self.state = step(self.state, byte, &mut self.ready)?;
        }
        self.inner.consume(length);
        if length == 0 {
            self.is_ended = true;
            match self.state {
                State::Name => self.ready.push(b'"'),
                State::Minus => self.ready.push(b'-'),
                State::Outside | State::Text { .. } => {}
            }
        }
        Ok(())
    }
}

fn step(state: State, byte: u8, out: &mut Vec<u8>) -> io::Result<State> {
    let state = match (state, byte) {
        (State::Text { length, .. }, _) if length >= TEXT => {
            let why = format!("a text of more than {TEXT} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        (State::Text { length, escaped: true }, _) => {
            State::Text { length: length + 1, escaped: false }
        }
        (State::Text { length, .. }, b'\\') => State::Text { length: length + 1, escaped: true },
        (State::Text { .. }, b'"') => State::Outside,
        (State::Text { length, .. }, _) => State::Text { length: length + 1, escaped: false },
        (State::Name, byte) if byte.is_ascii_alphabetic() => State::Name,
        (State::Name, byte) => {
            out.push(b'"');
            return step(State::Outside, byte, out);
        }
        (State::Minus, b'I') => {
            out.extend(b"\"-");
            State::Name
        }
        (State::Minus, byte) => {
            out.push(b'-');
            return step(State::Outside, byte, out);
        }
        (State::Outside, b'-') => return Ok(State::Minus),
        (State::Outside, b'N' | b'I') => {
            out.push(b'"');
            State::Name
        }
        (State::Outside, b'"') => State::Text { length: 0, escaped: false },
        (State::Outside, _) => State::Outside,
    };
    out.push(byte);
    Ok(state)
}

impl<R: BufRead> Read for Tolerant<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() && !self.is_ended {
            self.fill()?;
        }
        let length = into.len().min(self.ready.len() - self.given);
        into[..length].copy_from_slice(&self.ready[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_lacks_are_read_and_texts_stay() {
        let line = br#"{"a":NaN,"b":-Infinity,"c":Infinity,"d":-1.5,"e":"NaN, -Infinity \" N","f":{"g":1e-3},"h":[NaN,{"i":2}],"j":null,"k":true}"#;
        let row = Row::parse(line).unwrap();
        assert!(row.number("a").unwrap().is_nan());
        assert_eq!(row.number("b"), Some(f64::NEG_INFINITY));
        assert_eq!(row.number("c"), Some(f64::INFINITY));
        assert_eq!((row.number("d"), row.number("f/g")), (Some(-1.5), Some(1e-3)));
        assert!(row.has("e") && !row.has("h") && !row.has("j"));
        assert_eq!(row.numbers().len(), 5);
        assert!(Row::parse(b"{\"a\":1").is_err() && Row::parse(b"[1]").is_err());
    }

    #[test]
    fn a_reader_changes_the_same_whatever_the_size_of_its_pieces() {
        let text = br#"[NaN, -Infinity, -2, "N", "a\"N"]"#;
        let expected = br#"["NaN", "-Infinity", -2, "N", "a\"N"]"#;
        for size in 1..12 {
            let pieces = io::BufReader::with_capacity(size, text.as_slice());
            let mut read = Vec::new();
            Tolerant::new(pieces).read_to_end(&mut read).unwrap();
            assert_eq!(read, expected, "{size}");
        }
    }

    #[test]
    fn a_text_without_an_end_is_refused_before_it_fills_memory() {
        let endless = io::BufReader::new(io::Cursor::new(vec![b'"'; 1]).chain(io::repeat(b'x')));
        let mut parser = serde_json::Deserializer::from_reader(Tolerant::new(endless));
        let error = Row::deserialize(&mut parser).unwrap_err().to_string();
        assert!(error.contains("more than 1048576 bytes") || error.contains("invalid type"));
    }

    #[test]
    fn steps_are_whole_and_countable() {
        assert_eq!(
            [whole(5.0), whole(-1.0), whole(0.5), whole(1e300)],
            [Some(5), None, None, None]
        );
        assert_eq!(whole(f64::NAN), None);
    }
}
