//! A batch in the backend's memory. Every list is copied there once per pass.

use crate::Result;
use crate::backend::{Backend, SequenceRows};
use crate::batch::Batch;

/// The input of a pass through the whole network.
pub(crate) struct Inputs<B: Backend> {
    pub(crate) tokens: B::Ids,
    pub(crate) targets: B::Ids,
    pub(crate) places: RowPlaces<B>,
}

/// The place of every row in its sequence: all that a block needs to know of a batch.
pub(crate) struct RowPlaces<B: Backend> {
    pub(crate) positions: B::Ids,
    bounds: B::Ids,
    count: usize,
    pairs: f64,
    pub(crate) rows: usize,
}

impl<B: Backend> Inputs<B> {
    pub(crate) fn upload(backend: &B, batch: &Batch) -> Result<Self> {
        Ok(Self {
            tokens: backend.upload_ids(batch.tokens())?,
            targets: backend.upload_ids(batch.targets())?,
            places: RowPlaces::upload(backend, batch)?,
        })
    }
}

impl<B: Backend> RowPlaces<B> {
    pub(crate) fn upload(backend: &B, batch: &Batch) -> Result<Self> {
        let sequences = batch.sequences();
        let bounds: Vec<u32> =
            sequences.iter().flat_map(|rows| [rows.start as u32, rows.end as u32]).collect();
        // Row i of a sequence sees i + 1 rows; the sum of 1 to n is n (n + 1) / 2.
        let pairs = |rows: f64| rows * (rows + 1.0) / 2.0;
        Ok(Self {
            positions: backend.upload_ids(batch.positions())?,
            bounds: backend.upload_ids(&bounds)?,
            count: sequences.len(),
            pairs: sequences.iter().map(|rows| pairs(rows.len() as f64)).sum(),
            rows: batch.tokens().len(),
        })
    }

    pub(crate) fn sequences(&self) -> SequenceRows<'_, B::Ids> {
        SequenceRows { bounds: &self.bounds, count: self.count, pairs: self.pairs }
    }
}
