//! SHA-256: the name of a text, a weight file or a model that follows from its contents.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest;

/// A SHA-256 hash; in files and messages 64 lower-case hexadecimal digits.
///
/// ```
/// use ledger::Sha256;
/// // FIPS 180-2, appendix B.
/// let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
/// assert_eq!(Sha256::of("abc").to_string(), abc);
/// assert_eq!(abc.parse(), Ok(Sha256::of("abc")));
/// assert_eq!("abc".parse::<Sha256>().unwrap_err().to_string(),
///     "hash is `abc`, expected 64 hexadecimal digits");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// Hashes bytes that arrive in pieces.
///
/// ```
/// use ledger::{Sha256, Sha256Hasher};
/// let mut hasher = Sha256Hasher::new();
/// hasher.update("a");
/// hasher.update("bc");
/// assert_eq!(hasher.finish(), Sha256::of("abc"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sha256Hasher(sha2::Sha256);

/// A text that is not a SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sha256Error {
    /// The beginning of the text.
    found: String,
}

impl Sha256 {
    /// The hash of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight bytes as a big-endian number. It is as good as a uniform random draw, and
    /// the same for the same text.
    pub fn leading_u64(&self) -> u64 {
        self.0[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }
}

impl Sha256Hasher {
    /// A hasher that has seen no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// The hash of all bytes taken.
    pub fn finish(self) -> Sha256 {
        Sha256(self.0.finalize().into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Sha256 {
    type Err = Sha256Error;

    fn from_str(text: &str) -> Result<Self, Sha256Error> {
        // A message stays on one line: 70 characters show a hash that is a little too long.
        let error = || Sha256Error { found: text.chars().take(70).collect() };
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(error());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            // Two digits make a byte, the first one the high half.
            let [high, low] = [pair[0], pair[1]].map(value);
            let (high, low) = high.zip(low).ok_or_else(error)?;
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

/// The value of a lower-case hexadecimal digit. Capitals are refused, so that one hash has one
/// spelling.
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl From<[u8; 32]> for Sha256 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Sha256Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hash is `{}`, expected 64 hexadecimal digits", self.found.escape_debug())
    }
}

impl std::error::Error for Sha256Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_hash_of_a_million_letters_comes_out_in_pieces() {
        let mut hasher = Sha256Hasher::new();
        (0..1000).for_each(|_| hasher.update([b'a'; 1000]));
        // FIPS 180-2, appendix B.3: one million times `a`.
        let published = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(hasher.finish().to_string(), published);
    }

    #[test]
    fn a_hash_survives_a_file_and_has_one_text() {
        let hash = Sha256::of("abc");
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(json, format!("\"{hash}\""));
        assert_eq!(serde_json::from_str::<Sha256>(&json).unwrap(), hash);
        let text = hash.to_string();
        let wrong = [text.to_uppercase(), text[1..].into(), format!("{text}0"), "é".repeat(32)];
        for wrong in wrong {
            assert!(wrong.parse::<Sha256>().is_err(), "{wrong}");
            assert!(serde_json::from_str::<Sha256>(&format!("\"{wrong}\"")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_leading_bytes_are_read_highest_first() {
        assert_eq!(Sha256::of("abc").leading_u64(), 0xba78_16bf_8f01_cfea);
    }
}
