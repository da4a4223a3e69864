//! The file format of TensorBoard's events, for those who write and who read it.
//!
//! A record (TFRecord) has four parts: its length, a checksum of the length, an `Event` message and
//! a checksum of the message. The messages have only those fields of TensorFlow's `event.proto`,
//! `summary.proto` and `tensor.proto` that are needed here, under the same field numbers.

use prost::Message;

/// The bytes of a record before its message: the length and its checksum.
pub(crate) const HEAD: usize = 12;

/// `Event` of TensorFlow. Its fields are `Option`s because prost omits plain fields that are zero.
/// So the time is always present, at a fixed offset of every record.
#[derive(Message)]
pub(crate) struct TensorBoardEvent {
    #[prost(double, optional, tag = "1")]
    pub(crate) wall_time: Option<f64>,
    #[prost(int64, optional, tag = "2")]
    pub(crate) step: Option<i64>,
    #[prost(string, optional, tag = "3")]
    pub(crate) file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    pub(crate) summary: Option<Summary>,
}

#[derive(Message)]
pub(crate) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub(crate) scalars: Vec<ScalarValue>,
}

/// `Summary.Value` of TensorFlow, with its scalar value, or the tensor that newer writers put
/// there.
#[derive(Message)]
pub(crate) struct ScalarValue {
    #[prost(string, tag = "1")]
    pub(crate) tag: String,
    #[prost(float, optional, tag = "2")]
    pub(crate) simple_value: Option<f32>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
}

/// `TensorProto` of TensorFlow, as far as one number of 32 or 64 bits needs.
#[derive(Message)]
struct Tensor {
    /// 1: 32 bits, 2: 64 bits.
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
    #[prost(bytes = "vec", tag = "4")]
    content: Vec<u8>,
    #[prost(float, repeated, tag = "5")]
    floats: Vec<f32>,
    #[prost(double, repeated, tag = "6")]
    doubles: Vec<f64>,
}

/// `TensorShapeProto` of TensorFlow, as far as to see that there are no dimensions.
#[derive(Message)]
struct Shape {
    #[prost(bytes = "vec", repeated, tag = "2")]
    dimensions: Vec<Vec<u8>>,
}

impl ScalarValue {
    /// A scalar as our own events have it.
    pub(crate) fn of(tag: &str, number: f32) -> Self {
        Self { tag: tag.to_owned(), simple_value: Some(number), tensor: None }
    }

    /// The number, if it is one.
    fn number(&self) -> Option<f64> {
        self.simple_value.map(f64::from).or_else(|| self.tensor.as_ref()?.number())
    }
}

impl Tensor {
    /// The number of a tensor without dimensions.
    fn number(&self) -> Option<f64> {
        if self.shape.as_ref().is_some_and(|shape| !shape.dimensions.is_empty()) {
            return None;
        }
        match (self.dtype, self.content.len()) {
            (1, 4) => Some(f32::from_le_bytes(self.content.as_slice().try_into().ok()?).into()),
            (2, 8) => Some(f64::from_le_bytes(self.content.as_slice().try_into().ok()?)),
            (1, 0) => self.floats.first().copied().map(f64::from),
            (2, 0) => self.doubles.first().copied(),
            _ => None,
        }
    }
}

impl TensorBoardEvent {
    /// The scalars by tag.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (&str, f64)> {
        let values = self.summary.iter().flat_map(|summary| &summary.scalars);
        values.filter_map(|value| Some((value.tag.as_str(), value.number()?)))
    }
}

/// Encodes a message as a TFRecord: length, checksum, message, checksum.
pub(crate) fn record(event: &TensorBoardEvent) -> Vec<u8> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    let (before, behind) = (masked(&length).to_le_bytes(), masked(&message).to_le_bytes());
    [&length[..], &before, &message, &behind].concat()
}

/// The masked CRC-32C of TensorFlow: rotated right by 15 bits, plus `0xa282ead8`. A plain CRC of
/// data that contains its own CRC would be a poor check.
pub(crate) fn masked(bytes: &[u8]) -> u32 {
    mask(crc32c::crc32c(bytes))
}

/// Checks the head of a record, and gives the length of its message.
pub(crate) fn length(head: &[u8; HEAD]) -> Option<u64> {
    let (length, check) = head.split_at(8);
    let agrees = masked(length).to_le_bytes() == *check;
    agrees.then(|| u64::from_le_bytes(length.try_into().unwrap_or_default()))
}

/// Whether a file that begins like this holds records.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    bytes.get(..HEAD).and_then(|head| length(head.try_into().ok()?)).is_some()
}

/// The checksum of a message that comes in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checksum(u32);

impl Checksum {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, piece);
    }

    /// Whether it is the one that stands behind the message.
    pub(crate) fn agrees(self, stored: [u8; 4]) -> bool {
        mask(self.0).to_le_bytes() == stored
    }
}

fn mask(checksum: u32) -> u32 {
    checksum.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_masked_as_tensorflow_masks_them() {
        // RFC 3720, appendix B.4: the checksum of 32 zeros is 0x8a9136aa.
        assert_eq!(masked(&[0; 32]), 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn a_checksum_in_pieces_is_that_of_the_whole() {
        let mut pieces = Checksum::default();
        pieces.add(b"some ");
        pieces.add(b"message");
        assert!(pieces.agrees(masked(b"some message").to_le_bytes()));
        assert!(!pieces.agrees([0; 4]));
        assert!(begins(&record(&TensorBoardEvent::default())) && !begins(b"{\"log_history\":"));
    }
}
