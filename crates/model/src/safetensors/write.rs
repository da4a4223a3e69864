//! Writing: first the plan, then the tensors in its order, in pieces of any size.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ledger::{Sha256, Sha256Hasher};
use rayon::prelude::*;
use serde_json::{Map, Value, json};
use shape::tensors::TensorSpec;

use super::dtype::Dtype;
use super::numbers;
use super::read::SafeTensors;
use crate::error::{Error, ModelFault, Result};

/// A tensor that will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: Vec<usize>,
}

impl Planned {
    /// The plan to write the tensor `spec`, stored as `dtype`.
    pub fn new(spec: &TensorSpec, dtype: Dtype) -> Self {
        Self { name: spec.name.clone(), dtype, shape: spec.shape.clone() }
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.shape.iter().map(|&side| side as u64).product::<u64>() * self.dtype.size() as u64
    }
}

/// A safetensors file that is being written to a temporary place.
///
/// Pieces that do not fit the plan are a bug of the caller and panic. The file then never appears.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: disk::Aside,
    plan: Vec<Planned>,
    /// The tensor that the next piece belongs to, and the number of its bytes that are written.
    next: usize,
    filled: u64,
    converted: Vec<u8>,
    /// Of all bytes so far, where it was asked for.
    hash: Option<Sha256Hasher>,
}

impl Writer {
    /// Starts a file that will hold the tensors of `plan` in this order, and writes its header.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn create(path: &Path, plan: Vec<Planned>) -> Result<Self> {
        let mut file = disk::Aside::create(path)?;
        file.write_all(&header(&plan)).map_err(disk::io_error("write", path))?;
        let mut writer = Self {
            path: path.to_path_buf(),
            file,
            plan,
            next: 0,
            filled: 0,
            converted: Vec::new(),
            hash: None,
        };
        writer.pass_full();
        Ok(writer)
    }

    /// As [`Writer::create`], and hashes the bytes as they are written: see
    /// [`Writer::commit_hashed`].
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn hashing(path: &Path, plan: Vec<Planned>) -> Result<Self> {
        let mut hash = Sha256Hasher::new();
        hash.update(header(&plan));
        Ok(Self { hash: Some(hash), ..Self::create(path, plan)? })
    }

    /// The tensor that the next piece belongs to; `None` once all are written.
    pub fn expected(&self) -> Option<&Planned> {
        self.plan.get(self.next)
    }

    /// Writes a piece of the next tensor, as the bytes of the file.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    ///
    /// # Panics
    ///
    /// If the piece is longer than the rest of the tensor.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.check(bytes.len());
        self.file.write_all(bytes).map_err(disk::io_error("write", &self.path))?;
        if let Some(hash) = &mut self.hash {
            // Now, while they are in the processor's cache.
            hash.update(bytes);
        }
        self.filled += bytes.len() as u64;
        self.pass_full();
        Ok(())
    }

    /// Writes a piece of the next tensor: bytes of a tensor of another file, unchanged.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    ///
    /// # Panics
    ///
    /// As [`Writer::write`], and if the file is being hashed.
    pub(crate) fn write_from(
        &mut self,
        from: &SafeTensors,
        tensor: &str,
        bytes: Range<usize>,
    ) -> Result<()> {
        self.check(bytes.len());
        assert!(self.hash.is_none(), "bytes that pass by cannot be hashed");
        let length = bytes.len() as u64;
        from.write_part(tensor, bytes, &mut self.file)?;
        self.filled += length;
        self.pass_full();
        Ok(())
    }

    fn check(&self, length: usize) {
        let tensor = self.expected().expect("every tensor of the plan is already written");
        let left = tensor.bytes() - self.filled;
        assert!(
            length as u64 <= left,
            "a piece of {length} bytes for `{}`, which lacks {left}",
            tensor.name
        );
    }

    /// Writes a piece of the next tensor, rounded to its planned type (to nearest, ties to even).
    ///
    /// # Errors
    ///
    /// If a value is not finite or too large for the type, or the file cannot be written.
    ///
    /// # Panics
    ///
    /// As [`Writer::write`].
    pub fn write_f32(&mut self, values: &[f32]) -> Result<()> {
        let tensor = self.expected().expect("every tensor of the plan is already written");
        let (dtype, name) = (tensor.dtype, tensor.name.clone());
        let mut index = (self.filled / dtype.size() as u64) as usize;
        // In pieces, so that a large tensor is not held twice.
        let mut converted = std::mem::take(&mut self.converted);
        for piece in values.chunks(PIECE) {
            converted.resize(piece.len() * dtype.size(), 0);
            let task = |(place, (values, bytes)): (usize, (&[f32], &mut [u8]))| {
                let finite = numbers::first_not_finite(values).map_or(Ok(()), Err);
                let stored = finite.and_then(|()| numbers::from_f32(dtype, values, bytes));
                stored.err().map(|at| place * TASK + at)
            };
            // A thread outside the pool does the work itself: threads of the pool are busy, or may
            // be waiting for it.
            let bad = if rayon::current_thread_index().is_some() {
                let tasks =
                    piece.par_chunks(TASK).zip(converted.par_chunks_mut(TASK * dtype.size()));
                tasks.enumerate().filter_map(task).min()
            } else {
                let tasks = piece.chunks(TASK).zip(converted.chunks_mut(TASK * dtype.size()));
                tasks.enumerate().find_map(task)
            };
            if let Some(place) = bad {
                let (index, value) = (index + place, piece[place]);
                return Err(Error::from(ModelFault::NotStorable {
                    tensor: name,
                    index,
                    value,
                    dtype: dtype.name(),
                }));
            }
            self.write(&converted)?;
            index += piece.len();
        }
        self.converted = converted;
        Ok(())
    }

    /// Syncs the file and moves it into place.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    ///
    /// # Panics
    ///
    /// If a tensor of the plan is not written.
    pub fn commit(self) -> Result<()> {
        if let Some(missing) = self.expected() {
            panic!("`{}` is not written", missing.name);
        }
        Ok(self.file.commit()?)
    }

    /// As [`Writer::commit`]; returns the hash of the bytes that were written.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    ///
    /// # Panics
    ///
    /// If a tensor of the plan is not written, or the writer is not of [`Writer::hashing`].
    pub fn commit_hashed(mut self) -> Result<Sha256> {
        let hash = self.hash.take().expect("it hashes");
        self.commit()?;
        Ok(hash.finish())
    }

    /// Steps over tensors that have all their bytes. A tensor without elements has them at once.
    fn pass_full(&mut self) {
        while self.expected().is_some_and(|tensor| tensor.bytes() == self.filled) {
            self.next += 1;
            self.filled = 0;
        }
    }
}

/// Values that are converted and written at once.
const PIECE: usize = 1 << 20;

/// Values per task.
const TASK: usize = 1 << 16;

fn header(plan: &[Planned]) -> Vec<u8> {
    let mut header = Map::new();
    // Stock transformers refuses a file that does not name the framework that wrote it.
    header.insert("__metadata__".to_owned(), json!({ "format": "pt" }));
    let mut start = 0;
    for tensor in plan {
        let end = start + tensor.bytes();
        let entry = json!({ "dtype": tensor.dtype.name(), "shape": tensor.shape, "data_offsets": [start, end] });
        let before: Option<Value> = header.insert(tensor.name.clone(), entry);
        assert!(before.is_none(), "`{}` stands twice in the plan", tensor.name);
        start = end;
    }
    let mut json = serde_json::to_vec(&header).expect("a map of JSON values is always JSON");
    // The data begins on a cache line. Then mapped elements are aligned, and so is what is written.
    // Some processors copy unaligned data at half the speed.
    json.resize((8 + json.len()).next_multiple_of(64) - 8, b' ');
    let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut json);
    bytes
}
