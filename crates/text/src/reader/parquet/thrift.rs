//! The part of Thrift's compact protocol that Parquet headers need: it reads wanted fields and
//! skips the rest.

use std::io::{self, Read};

/// The deepest nesting of values. The structures of Parquet are five deep.
const DEEPEST: usize = 32;

/// The kind of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldKind {
    True,
    False,
    Integer,
    List,
    Struct,
    /// Anything that is only skipped: a byte, a double, bytes, a map.
    Other(u8),
}

/// Reads a structure field by field. It cannot read more than its input holds.
pub(super) struct Thrift<'a, R> {
    input: &'a mut R,
}

impl<'a, R: Read> Thrift<'a, R> {
    pub(super) fn new(input: &'a mut R) -> Self {
        Self { input }
    }

    /// The next field of a structure, or `None` at its end. `last` is the number of the field
    /// before, 0 at the start.
    pub(super) fn field(&mut self, last: i16) -> io::Result<Option<(i16, FieldKind)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        let number = match byte >> 4 {
            // Steps that do not fit in four bits are written as a whole number.
            0 => i16::try_from(self.integer()?).map_err(|_| bad("a field's number"))?,
            step => last.checked_add(i16::from(step)).ok_or_else(|| bad("a field's number"))?,
        };
        Ok(Some((number, kind(byte & 0x0f))))
    }

    /// A zigzag integer of up to 64 bits.
    pub(super) fn integer(&mut self) -> io::Result<i64> {
        let raw = self.unsigned()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// An integer that counts or measures something.
    pub(super) fn size(&mut self) -> io::Result<usize> {
        usize::try_from(self.integer()?).map_err(|_| bad("a size below zero"))
    }

    /// The kind and the number of the elements of a list.
    pub(super) fn list(&mut self) -> io::Result<(FieldKind, u64)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.unsigned()?,
            count => u64::from(count),
        };
        Ok((kind(byte & 0x0f), count))
    }

    /// Skips a value.
    pub(super) fn skip(&mut self, kind: FieldKind) -> io::Result<()> {
        self.skip_within(kind, DEEPEST)
    }

    fn skip_within(&mut self, found: FieldKind, depth: usize) -> io::Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| bad("values inside values without end"))?;
        match found {
            // A boolean field has no bytes of its own: its kind is its value.
            FieldKind::True | FieldKind::False => Ok(()),
            FieldKind::Integer => self.integer().map(drop),
            FieldKind::Struct => {
                let mut last = 0;
                while let Some((number, kind)) = self.field(last)? {
                    self.skip_within(kind, depth)?;
                    last = number;
                }
                Ok(())
            }
            FieldKind::List => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            // A byte, a double, bytes, a map: numbers as in the protocol.
            FieldKind::Other(3) => self.byte().map(drop),
            FieldKind::Other(7) => self.pass(8),
            FieldKind::Other(8) => {
                let length = self.unsigned()?;
                self.pass(length)
            }
            FieldKind::Other(11) => {
                let count = self.unsigned()?;
                let kinds = if count == 0 { 0 } else { self.byte()? };
                (0..count).try_for_each(|_| {
                    self.skip_element(kind(kinds >> 4), depth)?;
                    self.skip_element(kind(kinds & 0x0f), depth)
                })
            }
            FieldKind::Other(_) => Err(bad("a value of no known kind")),
        }
    }

    /// Skips an element of a list or map. Unlike in a field, a boolean has a byte there.
    fn skip_element(&mut self, kind: FieldKind, depth: usize) -> io::Result<()> {
        match kind {
            FieldKind::True | FieldKind::False => self.byte().map(drop),
            kind => self.skip_within(kind, depth),
        }
    }

    fn unsigned(&mut self) -> io::Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(bad("a number of more than 64 bits"))
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn pass(&mut self, length: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.input.by_ref().take(length), &mut io::sink())?;
        if passed == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

fn kind(code: u8) -> FieldKind {
    match code {
        1 => FieldKind::True,
        2 => FieldKind::False,
        4..=6 => FieldKind::Integer,
        // A set is written like a list.
        9 | 10 => FieldKind::List,
        12 => FieldKind::Struct,
        other => FieldKind::Other(other),
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_zigzags_of_seven_bits_a_byte() {
        for (bytes, value) in [
            (&[0u8][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0xac, 0x02], 150),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN),
        ] {
            assert_eq!(Thrift::new(&mut &bytes[..]).integer().unwrap(), value);
        }
        assert!(Thrift::new(&mut &[0x80u8; 20][..]).integer().is_err());
    }

    #[test]
    fn every_kind_of_value_is_passed_over() {
        // 1: true, 2: byte, 3: double, 4: "ab", 5: [false, true], 6: {7: -1}, 7: map of one, 20: 3,
        // end.
        #[rustfmt::skip]
        let bytes = [
            0x11, 0x13, 9, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0x18, 2, b'a', b'b', 0x19, 0x21, 2, 1,
            0x1c, 0x75, 1, 0, 0x1b, 1, 0x58, 2, 1, b'x', 0x05, 40, 6, 0,
        ];
        let mut input = &bytes[..];
        let mut thrift = Thrift::new(&mut input);
        let (mut last, mut seen) = (0, Vec::new());
        while let Some((number, kind)) = thrift.field(last).unwrap() {
            thrift.skip(kind).unwrap();
            seen.push(number);
            last = number;
        }
        assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 20]);
        assert!(input.is_empty());
    }

    #[test]
    fn depth_and_length_are_bounded() {
        assert!(Thrift::new(&mut &[0x1c; 100][..]).skip(FieldKind::Struct).is_err());
        assert!(
            Thrift::new(&mut &[0xff, 0xff, 0xff, 0xff, 0x0f, 1][..])
                .skip(FieldKind::Other(8))
                .is_err()
        );
        assert!(
            Thrift::new(&mut &[0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f, 1][..])
                .skip(FieldKind::List)
                .is_err()
        );
    }
}
