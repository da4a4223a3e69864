//! The residual stream of all calibration tokens: in memory, or in a file without a name where that
//! is asked for.

use std::path::Path;

use disk::ScratchFile;

use crate::error::{Error, Result};

/// So many numbers, read and written in pieces.
#[derive(Debug)]
pub(crate) struct States {
    place: Place,
    /// Bytes on their way to and from the file.
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Place {
    Memory(Vec<f32>),
    File(ScratchFile),
}

impl States {
    /// Room for `tokens` rows of width `hidden`; in a file of the folder `spill` where one is
    /// named.
    pub(crate) fn new(tokens: usize, hidden: usize, spill: Option<&Path>) -> Result<Self> {
        let memory = || Error::Memory { tokens, hidden };
        let len = tokens.checked_mul(hidden).ok_or_else(memory)?;
        let place = match spill {
            Some(folder) => Place::File(ScratchFile::create(folder)?),
            None => {
                let mut states = Vec::new();
                states.try_reserve_exact(len).map_err(|_| memory())?;
                states.resize(len, 0.0);
                Place::Memory(states)
            }
        };
        Ok(Self { place, bytes: Vec::new() })
    }

    /// Reads what was written from the number `at` on.
    pub(crate) fn read(&mut self, at: usize, out: &mut [f32]) -> Result<()> {
        match &mut self.place {
            Place::Memory(states) => out.copy_from_slice(&states[at..at + out.len()]),
            Place::File(file) => {
                self.bytes.resize(out.len() * 4, 0);
                file.read_at(at as u64 * 4, &mut self.bytes)?;
                for (number, bytes) in out.iter_mut().zip(self.bytes.chunks_exact(4)) {
                    *number = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
            }
        }
        Ok(())
    }

    /// Writes from the number `at` on.
    pub(crate) fn write(&mut self, at: usize, values: &[f32]) -> Result<()> {
        match &mut self.place {
            Place::Memory(states) => states[at..at + values.len()].copy_from_slice(values),
            Place::File(file) => {
                self.bytes.clear();
                self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                file.write_at(at as u64 * 4, &self.bytes)?;
            }
        }
        Ok(())
    }
}
