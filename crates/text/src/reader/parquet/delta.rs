//! Turns the encoding DELTA_LENGTH_BYTE_ARRAY into PLAIN. The decoder of the library panics on
//! wrong lengths.

use parquet::errors::{ParquetError, Result};

/// The input holds all lengths, packed as deltas, and then the bytes of all values. The output
/// holds each value behind its own length. There are at most `most` values, in at most `largest`
/// bytes.
pub(super) fn plain(mut input: &[u8], most: usize, largest: usize) -> Result<Vec<u8>> {
    // In PLAIN every value has four bytes of length, so the limit on bytes also limits the values.
    let lengths = lengths(&mut input, most.min(largest / 4))?;
    let mut plain = Vec::new();
    for length in lengths {
        let Some((value, rest)) =
            usize::try_from(length).ok().and_then(|length| input.split_at_checked(length))
        else {
            return bad(format!("a value of {length} bytes where {} are left", input.len()));
        };
        // A page holds less than 2^31 bytes.
        plain.extend((value.len() as u32).to_le_bytes());
        plain.extend_from_slice(value);
        input = rest;
    }
    if plain.len() > largest {
        return bad(format!("a page of {} bytes of text, expected at most {largest}", plain.len()));
    }
    Ok(plain)
}

/// Reads numbers in DELTA_BINARY_PACKED, and leaves `input` behind them.
fn lengths(input: &mut &[u8], most: usize) -> Result<Vec<i64>> {
    let block = unsigned(input)? as usize;
    let parts = unsigned(input)? as usize;
    let count = unsigned(input)?;
    // The rules of the format. The upper limit of a block is our own, far above what writers use.
    if block == 0
        || block > 1 << 20
        || parts == 0
        || !block.is_multiple_of(parts)
        || !(block / parts).is_multiple_of(8)
    {
        return bad(format!("lengths in blocks of {block} in {parts} parts"));
    }
    if count > most as u64 {
        return bad(format!("a page of {count} lengths, expected at most {most}"));
    }
    let (count, part) = (count as usize, block / parts);
    let mut value = zigzag(input)?;
    let mut values = Vec::new();
    if count > 0 {
        values.push(value);
    }
    // A block holds its smallest delta, the bit width of each part, then the parts.
    while values.len() < count {
        let least = zigzag(input)?;
        let widths = take(input, parts)?;
        for width in widths {
            if values.len() == count {
                // Parts behind the last value have a width but no bits.
                break;
            }
            let width = usize::from(*width);
            if width > 64 {
                return bad(format!("lengths of {width} bits"));
            }
            let bits = take(input, part / 8 * width)?;
            for i in 0..part.min(count - values.len()) {
                // A hostile sum may wrap around. Its wrong length is refused when the value is cut
                // out.
                value =
                    value.wrapping_add(least).wrapping_add(number(bits, i * width, width) as i64);
                values.push(value);
            }
        }
    }
    Ok(values)
}

/// The number in `width` bits from bit `at` on, lowest bit first.
fn number(bits: &[u8], at: usize, width: usize) -> u64 {
    (0..width).fold(0, |number, i| {
        let bit = bits[(at + i) / 8] >> ((at + i) % 8) & 1;
        number | u64::from(bit) << i
    })
}

fn take<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    match input.split_at_checked(count) {
        Some((taken, rest)) => {
            *input = rest;
            Ok(taken)
        }
        None => bad(format!("the end of a page where {count} bytes of lengths should stand")),
    }
}

fn unsigned(input: &mut &[u8]) -> Result<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(input, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    bad("a number of more than 64 bits".to_owned())
}

fn zigzag(input: &mut &[u8]) -> Result<i64> {
    let raw = unsigned(input)?;
    // Zigzag: 0, 1, 2, 3 stand for 0, -1, 1, -2.
    Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

fn bad<T>(what: String) -> Result<T> {
    Err(ParquetError::General(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the format's description: 7, 5, 3, 1, 2, 3, 4, 5 in one block of 128 in four
    /// parts.
    fn example() -> Vec<u8> {
        let mut bytes = vec![0x80, 1, 4, 8, 14, 3, 2, 0, 0, 0];
        // Deltas less the least, -2: 0 0 0 3 3 3 3, two bits each, and padding to 32 of them.
        bytes.extend([0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn the_example_of_the_format_comes_out() {
        let bytes = example();
        let mut input = &bytes[..];
        assert_eq!(lengths(&mut input, 8).unwrap(), [7, 5, 3, 1, 2, 3, 4, 5]);
        assert!(input.is_empty());
        assert!(lengths(&mut &bytes[..], 7).is_err(), "more values than promised");
    }

    #[test]
    fn values_follow_their_lengths_and_may_not_lie() {
        let text = b"sevenchfive.tea_no2abcdefghijk";
        let mut page = example();
        page.extend_from_slice(&text[..30]);
        let plain = plain(&page, 8, 1000).unwrap();
        assert_eq!(&plain[..11], b"\x07\0\0\0sevench");
        assert_eq!(plain.len(), 8 * 4 + 30);
        for cut in 0..page.len() {
            assert!(super::plain(&page[..cut], 8, 1000).is_err(), "cut at {cut}");
        }
        assert!(super::plain(&page, 8, 50).is_err(), "more bytes than a page may have");
    }
}
