//! Reading: a mapped file, and views of its tensors.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::dtype::Dtype;
use super::header::{StoredTensor, parse, shown};
use super::numbers;
use crate::error::{Error, ModelFault, Result};

/// A mapped safetensors file with a checked header. Nothing else has been read.
#[derive(Debug)]
pub struct SafeTensors {
    path: PathBuf,
    map: disk::Map,
    entries: BTreeMap<String, StoredTensor>,
}

/// One tensor as stored in a file.
#[derive(Debug, Clone, Copy)]
pub struct TensorView<'a> {
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions.
    pub shape: &'a [usize],
    /// Its elements in row order, little endian; not aligned.
    pub bytes: &'a [u8],
}

/// Elements per task. A task looks at its numbers twice, and they are still in the cache.
const PIECE: usize = 1 << 16;

impl TensorView<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The index of the first element that is NaN or infinite.
    pub fn not_finite(&self) -> Option<usize> {
        numbers::not_finite(self.dtype, self.bytes)
    }

    /// Converts every element to f32, exactly. The error is the index of the first that is not
    /// finite.
    ///
    /// # Panics
    ///
    /// If `out` has another length than the tensor.
    pub fn to_f32(&self, out: &mut [f32]) -> Result<(), usize> {
        assert_eq!(out.len(), self.len(), "the room for a tensor has its length");
        let pieces =
            out.par_chunks_mut(PIECE).zip(self.bytes.par_chunks(PIECE * self.dtype.size()));
        let first = pieces.enumerate().filter_map(|(place, (out, bytes))| {
            numbers::to_f32(self.dtype, bytes, out);
            numbers::first_not_finite(out).map(|at| place * PIECE + at)
        });
        first.min().map_or(Ok(()), Err)
    }
}

impl SafeTensors {
    /// Maps a file and checks its header.
    ///
    /// # Errors
    ///
    /// If the file is missing, its header is invalid, or its length does not match the header. If
    /// tensors overlap, leave holes, exceed the file, or have another size than their shape.
    pub fn open(path: &Path) -> Result<Self> {
        let map = disk::Map::open(path)?;
        let entries = parse(path, &map)?;
        Ok(Self { path: path.to_path_buf(), map, entries })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether the file has a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Bytes of a tensor; 0 if the file has no such tensor.
    pub fn bytes(&self, name: &str) -> u64 {
        self.entries.get(name).map_or(0, |entry| entry.range.len() as u64)
    }

    /// A tensor, by name.
    ///
    /// # Errors
    ///
    /// If the file has no such tensor, or does not store it as F32, F16 or BF16.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>> {
        let Some(entry) = self.entries.get(name) else {
            return Err(Error::from(ModelFault::MissingTensor {
                path: self.path.clone(),
                tensor: shown(name),
            }));
        };
        let Some(dtype) = Dtype::from_name(&entry.dtype) else {
            let found = shown(&entry.dtype);
            return Err(Error::from(ModelFault::Dtype {
                path: self.path.clone(),
                tensor: shown(name),
                found,
            }));
        };
        Ok(TensorView { dtype, shape: &entry.shape, bytes: &self.map[entry.range.clone()] })
    }

    /// Writes some bytes of a tensor, counted from its start, to a file that is being written.
    pub(crate) fn write_part(
        &self,
        name: &str,
        bytes: Range<usize>,
        to: &mut disk::Aside,
    ) -> Result<()> {
        let Some(entry) = self.entries.get(name) else {
            return Err(Error::from(ModelFault::MissingTensor {
                path: self.path.clone(),
                tensor: shown(name),
            }));
        };
        let at = |byte: usize| entry.range.start.saturating_add(byte).min(entry.range.end);
        Ok(to.write_from(&self.map, at(bytes.start)..at(bytes.end))?)
    }

    /// Reads some bytes of a tensor, counted from its start, from the file in one go.
    pub fn fetch_part(&self, name: &str, bytes: Range<usize>) {
        if let Some(entry) = self.entries.get(name) {
            let (start, end) = (entry.range.start, entry.range.end);
            let at = |byte: usize| start.saturating_add(byte).min(end);
            self.map.fetch(at(bytes.start)..at(bytes.end));
        }
    }

    /// Releases the memory of a tensor. The next use reads it from the file again.
    pub fn release(&self, name: &str) {
        if let Some(entry) = self.entries.get(name) {
            self.map.release(entry.range.clone());
        }
    }

    /// Releases the memory of some bytes of a tensor, counted from its start.
    pub fn release_part(&self, name: &str, bytes: Range<usize>) {
        if let Some(entry) = self.entries.get(name) {
            let (start, end) = (entry.range.start, entry.range.end);
            let at = |byte: usize| start.saturating_add(byte).min(end);
            self.map.release(at(bytes.start)..at(bytes.end));
        }
    }
}
