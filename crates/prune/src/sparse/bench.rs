//! The part of a [`Backend`] that sparse scores use: arrays in its memory, and matrix products.
//!
//! Scores are written once, against this trait. It hides the buffer type of each machine, so that
//! one registry of scores serves every machine.

use std::ops::Range;

use model::backend::{Area, Backend, View, ViewMut};

use crate::error::Result;

/// The id of an array in machine memory, valid only for the workbench that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArrayId(usize);

/// A matrix in an array, as stored or transposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    array: ArrayId,
    area: Area,
    transposed: bool,
}

impl Operand {
    /// The matrix as stored.
    pub fn new(array: ArrayId, area: Area) -> Self {
        Self { array, area, transposed: false }
    }

    /// Its transpose.
    #[must_use]
    pub fn t(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }
}

/// The operations that sparse scores use. An operation must not read the array that it writes.
pub trait Workbench {
    /// An array of `len` zeros.
    ///
    /// # Errors
    /// If memory is short.
    fn allocate(&mut self, len: usize) -> Result<ArrayId>;
    /// Gives an array back.
    fn free(&mut self, array: ArrayId);
    /// Copies host numbers to `to[offset..]`.
    ///
    /// # Errors
    /// If the machine fails; the same for the operations below.
    fn upload(&mut self, values: &[f32], to: ArrayId, offset: usize) -> Result<()>;
    /// Copies `from[offset..]` to the host.
    fn download(&mut self, from: ArrayId, offset: usize, values: &mut [f32]) -> Result<()>;
    /// Sets `array[range]` to zero.
    fn clear(&mut self, array: ArrayId, range: Range<usize>) -> Result<()>;
    /// `to = from`.
    fn copy(&mut self, from: Operand, to: Operand) -> Result<()>;
    /// `c = a b`, or `c += a b` if `accumulate`.
    fn product(&mut self, a: Operand, b: Operand, c: Operand, accumulate: bool) -> Result<()>;
}

impl dyn Workbench + '_ {
    /// Copies a matrix to the host, row by row without gaps.
    pub(super) fn read(&mut self, from: ArrayId, area: Area) -> Result<Vec<f32>> {
        let mut values = vec![0.0; area.rows * area.columns];
        let packed = Area::new(0, area.rows, area.columns);
        // A transfer takes gapless numbers only, so the machine packs the matrix first.
        let staging = self.allocate(values.len())?;
        self.copy(Operand::new(from, area), Operand::new(staging, packed))?;
        self.download(staging, 0, &mut values)?;
        self.free(staging);
        Ok(values)
    }

    /// Copies a matrix from the host. There it is stored row by row without gaps.
    pub(super) fn write(&mut self, values: &[f32], to: ArrayId, area: Area) -> Result<()> {
        let staging = self.allocate(values.len())?;
        self.upload(values, staging, 0)?;
        let packed = Area::new(0, area.rows, area.columns);
        self.copy(Operand::new(staging, packed), Operand::new(to, area))?;
        self.free(staging);
        Ok(())
    }

    /// A new array with these numbers.
    pub(super) fn array_of(&mut self, values: &[f32]) -> Result<ArrayId> {
        let array = self.allocate(values.len())?;
        self.upload(values, array, 0)?;
        Ok(array)
    }
}

/// The workbench of a machine.
pub struct MachineBench<'a, B: Backend> {
    machine: &'a B,
    /// All arrays by id. `None` for a freed one, whose id is used again.
    arrays: Vec<Option<B::Buffer>>,
}

impl<'a, B: Backend> MachineBench<'a, B> {
    /// A workbench without arrays.
    pub fn new(machine: &'a B) -> Self {
        Self { machine, arrays: Vec::new() }
    }

    fn array(&self, id: ArrayId) -> &B::Buffer {
        self.arrays[id.0].as_ref().expect("an array is used before it is given back")
    }

    /// Takes an array out of the list while it is written, so that the others can be borrowed.
    fn with_array<T>(
        &mut self,
        id: ArrayId,
        write: impl FnOnce(&Self, &mut B::Buffer) -> model::Result<T>,
    ) -> Result<T> {
        let mut array = self.arrays[id.0].take().expect("an array is used before it is given back");
        let done = write(self, &mut array);
        self.arrays[id.0] = Some(array);
        Ok(done?)
    }

    fn view(&self, operand: Operand) -> View<'_, B::Buffer> {
        let view = View::new(self.array(operand.array), operand.area);
        if operand.transposed { view.t() } else { view }
    }
}

impl<B: Backend> Workbench for MachineBench<'_, B> {
    fn allocate(&mut self, len: usize) -> Result<ArrayId> {
        let array = Some(self.machine.allocate(len)?);
        let free = self.arrays.iter().position(Option::is_none).unwrap_or(self.arrays.len());
        match self.arrays.get_mut(free) {
            // The place of a freed array is used again, so ids stay few.
            Some(place) => *place = array,
            None => self.arrays.push(array),
        }
        Ok(ArrayId(free))
    }

    fn free(&mut self, array: ArrayId) {
        self.arrays[array.0] = None;
    }

    fn upload(&mut self, values: &[f32], to: ArrayId, offset: usize) -> Result<()> {
        self.with_array(to, |bench, array| bench.machine.upload(values, array, offset))
    }

    fn download(&mut self, from: ArrayId, offset: usize, values: &mut [f32]) -> Result<()> {
        Ok(self.machine.download(self.array(from), offset, values)?)
    }

    fn clear(&mut self, array: ArrayId, range: Range<usize>) -> Result<()> {
        self.with_array(array, |bench, array| bench.machine.clear(array, range))
    }

    fn copy(&mut self, from: Operand, to: Operand) -> Result<()> {
        self.with_array(to.array, |bench, array| {
            bench.machine.copy(bench.view(from), ViewMut::new(array, to.area))
        })
    }

    fn product(&mut self, a: Operand, b: Operand, c: Operand, accumulate: bool) -> Result<()> {
        self.with_array(c.array, |bench, array| {
            let target = ViewMut::new(array, c.area);
            bench.machine.product(bench.view(a), bench.view(b), target, accumulate)
        })
    }
}
