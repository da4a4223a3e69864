//! Statistics of the inputs of linear layers. Their size does not grow with the calibration text.

use model::backend::Area;
use rayon::prelude::*;

use super::bench::{ArrayId, Operand, Workbench};
use crate::error::Result;

/// What a score has to know about inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistics {
    /// Nothing.
    Nothing,
    /// The sum of squares of every column.
    SquareSums,
    /// The same, and the sum of products of every two columns.
    Gram,
}

/// Sums over calibration tokens of what linear layers read.
#[derive(Debug)]
pub struct LinearStats {
    columns: usize,
    tokens: u64,
    /// Sum of squares of each input column; empty if it is not kept.
    square_sums: Vec<f64>,
    gram: Option<ArrayId>,
    /// The array that holds a batch of inputs on the machine, and its length.
    inputs: Option<(ArrayId, usize)>,
}

/// Columns that one thread task sums.
const COLUMNS: usize = 256;

impl LinearStats {
    /// Side of the blocks of the Gram matrix. Blocks below the diagonal are never written.
    pub const BLOCK: usize = 512;

    /// Empty sums, for inputs of `columns` numbers.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(bench: &mut dyn Workbench, needs: Statistics, columns: usize) -> Result<Self> {
        let square_sums =
            if needs >= Statistics::SquareSums { vec![0.0; columns] } else { Vec::new() };
        let gram = match needs {
            Statistics::Gram => Some(bench.allocate(columns.saturating_mul(columns))?),
            Statistics::Nothing | Statistics::SquareSums => None,
        };
        Ok(Self { columns, tokens: 0, square_sums, gram, inputs: None })
    }

    /// Sums that were computed elsewhere: sums of squares, and the sum of `x x^T`, `[in, in]`,
    /// filled on and above the diagonal.
    ///
    /// # Errors
    /// If memory is short.
    ///
    /// # Panics
    /// If `gram` is not as wide as `square_sums`.
    pub fn of_sums(
        bench: &mut dyn Workbench,
        tokens: u64,
        square_sums: Vec<f64>,
        gram: &[f32],
    ) -> Result<Self> {
        let columns = square_sums.len();
        assert_eq!(gram.len(), columns * columns, "a Gram matrix of {columns} columns");
        let gram = Some(bench.array_of(gram)?);
        Ok(Self { columns, tokens, square_sums, gram, inputs: None })
    }

    /// Adds tokens, `[tokens, columns]`, in text order.
    ///
    /// # Errors
    /// If the machine fails.
    pub fn add(&mut self, bench: &mut dyn Workbench, values: &[f32]) -> Result<()> {
        let columns = self.columns;
        let tokens = values.len() / columns;
        self.tokens += tokens as u64;
        // Threads share columns, not tokens: every sum keeps the same order on any number of
        // threads.
        self.square_sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(chunk, sums)| {
            for row in values.chunks_exact(columns) {
                for (sum, &value) in sums.iter_mut().zip(&row[chunk * COLUMNS..]) {
                    *sum += f64::from(value) * f64::from(value);
                }
            }
        });
        let Some(gram) = self.gram else { return Ok(()) };
        let inputs = self.inputs_for(bench, values.len())?;
        bench.upload(values, inputs, 0)?;
        // The Gram matrix is symmetric: blocks below the diagonal are left out, which halves the
        // work.
        for start in (0..columns).step_by(Self::BLOCK) {
            let side = Self::BLOCK.min(columns - start);
            let area =
                |from, width| Area { offset: from, rows: tokens, columns: width, stride: columns };
            let rows = Operand::new(inputs, area(0, start + side)).t();
            let block = Operand::new(inputs, area(start, side));
            let target = Area { offset: start, rows: start + side, columns: side, stride: columns };
            bench.product(rows, block, Operand::new(gram, target), true)?;
        }
        Ok(())
    }

    /// An array for `len` inputs. The last one is reused, since most batches have one length.
    fn inputs_for(&mut self, bench: &mut dyn Workbench, len: usize) -> Result<ArrayId> {
        match self.inputs {
            Some((array, room)) if room >= len => Ok(array),
            found => {
                if let Some((array, _)) = found {
                    bench.free(array);
                }
                let array = bench.allocate(len)?;
                self.inputs = Some((array, len));
                Ok(array)
            }
        }
    }

    /// Frees the array of inputs once all tokens are added: no score reads it.
    pub fn close(&mut self, bench: &mut dyn Workbench) {
        if let Some((inputs, _)) = self.inputs.take() {
            bench.free(inputs);
        }
    }

    /// Frees all arrays.
    pub fn free(mut self, bench: &mut dyn Workbench) {
        self.close(bench);
        if let Some(gram) = self.gram {
            bench.free(gram);
        }
    }

    /// Tokens seen.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Sum of squares of each input column; empty if it is not kept.
    pub fn square_sums(&self) -> &[f64] {
        &self.square_sums
    }

    /// The sum of `x x^T` over tokens, `[in, in]`, filled on and above the diagonal in blocks of
    /// [`LinearStats::BLOCK`]. `None` if it is not kept. A score may overwrite it.
    pub fn gram(&self) -> Option<ArrayId> {
        self.gram
    }

    /// The square root of each sum of squares, at most the largest finite number. Infinity times a
    /// weight of 0 would be NaN, which cannot be ranked.
    pub fn norms(&self) -> Vec<f32> {
        self.square_sums.iter().map(|sum| (sum.sqrt() as f32).min(f32::MAX)).collect()
    }
}
