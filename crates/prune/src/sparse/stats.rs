//! What is kept of the inputs of linear layers, however long the calibration text is.

use model::backend::cpu::Cpu;
use model::backend::{Area, Backend, View, ViewMut};
use rayon::prelude::*;

use crate::error::Result;

/// What a score has to know of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistics {
    /// Nothing.
    Nothing,
    /// The sum of squares of every column.
    SquareSums,
    /// Those, and every product of two columns.
    Gram,
}

/// Sums over the tokens of the calibration text, of what linear layers read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinearStats {
    /// Tokens seen.
    pub tokens: u64,
    /// Sum of squares of each input column; empty where nothing is kept.
    pub square_sums: Vec<f64>,
    /// The sum of `x x^T` over tokens, `[in, in]`, right and above the diagonal in blocks of
    /// [`LinearStats::BLOCK`]; empty where it is not kept.
    pub gram: Vec<f32>,
}

/// Columns that one task sums.
const COLUMNS: usize = 256;

impl LinearStats {
    /// Side of the blocks of the Gram matrix: those below the diagonal are never written.
    pub const BLOCK: usize = 512;

    /// Sums of nothing, for inputs of `columns` numbers.
    ///
    /// # Errors
    /// Where memory is short.
    pub fn new(needs: Statistics, columns: usize) -> Result<Self> {
        let mut stats = Self::default();
        if needs >= Statistics::SquareSums {
            stats.square_sums = vec![0.0; columns];
        }
        if needs == Statistics::Gram {
            let len = columns.saturating_mul(columns);
            stats.gram = Cpu::<f32>::new().allocate(len)?;
        }
        Ok(stats)
    }

    /// Adds tokens, `[tokens, columns]`, in their order.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn add(&mut self, values: &Vec<f32>, columns: usize) -> Result<()> {
        let tokens = values.len() / columns;
        self.tokens += tokens as u64;
        self.square_sums.par_chunks_mut(COLUMNS).enumerate().for_each(|(chunk, sums)| {
            for row in values.chunks_exact(columns) {
                for (sum, &value) in sums.iter_mut().zip(&row[chunk * COLUMNS..]) {
                    *sum += f64::from(value) * f64::from(value);
                }
            }
        });
        if !self.gram.is_empty() {
            let backend = Cpu::<f32>::new();
            for start in (0..columns).step_by(Self::BLOCK) {
                let side = Self::BLOCK.min(columns - start);
                let area = |from, width| Area {
                    offset: from,
                    rows: tokens,
                    columns: width,
                    stride: columns,
                };
                let rows = View::new(values, area(0, start + side)).t();
                let block = View::new(values, area(start, side));
                let target =
                    Area { offset: start, rows: start + side, columns: side, stride: columns };
                backend.product(rows, block, ViewMut::new(&mut self.gram, target), true)?;
            }
        }
        Ok(())
    }

    /// The root of each sum of squares, or the largest number that there is: infinity times a
    /// weight of 0 would order nothing.
    pub fn norms(&self) -> Vec<f32> {
        self.square_sums.iter().map(|sum| (sum.sqrt() as f32).min(f32::MAX)).collect()
    }
}
