//! Safetensors files: read through a memory map, written as a stream.
//!
//! A file is eight bytes of header length (little endian), a JSON header that gives each tensor's
//! type, shape and place, and the data without holes. The header is read by code of our own so that
//! every contradiction in a hostile or damaged file is named with its tensor; the `safetensors`
//! crate judges both directions in the tests.

mod header;
mod numbers;
mod read;
mod write;

use rayon::prelude::*;

pub(crate) use header::shown;
pub use read::{SafeTensors, TensorView};
pub use write::{Planned, Writer};

/// How the elements of a weight are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// IEEE 16-bit float.
    F16,
    /// The upper half of a 32-bit float.
    BF16,
}

impl Dtype {
    /// The name in a safetensors header.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
        }
    }

    /// The name in `torch_dtype` of a `config.json`.
    pub fn torch_name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// Rounds numbers to what this type can hold, to the nearest, ties to even; the first that is
    /// finite but too large is the error, by its index.
    pub fn round(self, values: &mut [f32]) -> Result<(), usize> {
        const PIECE: usize = 1 << 14;
        if self == Self::F32 {
            return Ok(());
        }
        let pieces = values.par_chunks_mut(PIECE).enumerate();
        let bad = pieces.filter_map(|(piece, values)| {
            let mut bytes = [0; 2 * PIECE];
            let bytes = &mut bytes[..2 * values.len()];
            let rounded = numbers::from_f32(self, values, bytes);
            rounded
                .map(|()| numbers::to_f32(self, bytes, values))
                .err()
                .map(|at| piece * PIECE + at)
        });
        bad.min().map_or(Ok(()), Err)
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::BF16].into_iter().find(|dtype| dtype.name() == name)
    }
}
