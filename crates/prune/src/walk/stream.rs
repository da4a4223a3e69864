//! The residual stream of all calibration tokens: in memory, or in an unnamed file if the user
//! names a folder for it.

use std::path::Path;

use disk::ScratchFile;

use crate::calibration::no_memory;
use crate::error::Result;

/// The residual stream, read and written in pieces.
#[derive(Debug)]
pub(crate) struct ResidualStream {
    storage: Storage,
    /// Buffer of bytes for the file.
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Storage {
    Memory(Vec<f32>),
    File(ScratchFile),
}

impl ResidualStream {
    /// Room for `tokens` rows of width `hidden`, in a file of the folder `spill` if it is given.
    pub(crate) fn new(tokens: usize, hidden: usize, spill: Option<&Path>) -> Result<Self> {
        let memory = || no_memory(tokens, hidden);
        let len = tokens.checked_mul(hidden).ok_or_else(memory)?;
        let storage = match spill {
            Some(folder) => Storage::File(ScratchFile::create(folder)?),
            None => {
                let mut numbers = Vec::new();
                // Reserved first, so that too little memory is an error and does not end the
                // process.
                numbers.try_reserve_exact(len).map_err(|_| memory())?;
                numbers.resize(len, 0.0);
                Storage::Memory(numbers)
            }
        };
        Ok(Self { storage, bytes: Vec::new() })
    }

    /// Reads numbers that were written, from number `at` on.
    pub(crate) fn read(&mut self, at: usize, out: &mut [f32]) -> Result<()> {
        match &mut self.storage {
            Storage::Memory(numbers) => out.copy_from_slice(&numbers[at..at + out.len()]),
            Storage::File(file) => {
                self.bytes.resize(out.len() * 4, 0);
                file.read_at(at as u64 * 4, &mut self.bytes)?;
                for (number, bytes) in out.iter_mut().zip(self.bytes.chunks_exact(4)) {
                    *number = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
            }
        }
        Ok(())
    }

    /// Writes numbers from number `at` on.
    pub(crate) fn write(&mut self, at: usize, values: &[f32]) -> Result<()> {
        match &mut self.storage {
            Storage::Memory(numbers) => numbers[at..at + values.len()].copy_from_slice(values),
            Storage::File(file) => {
                self.bytes.clear();
                self.bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                file.write_at(at as u64 * 4, &self.bytes)?;
            }
        }
        Ok(())
    }
}
