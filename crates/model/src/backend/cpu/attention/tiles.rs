//! Cuts a sequence into tiles, and says which rows see which keys.

use std::ops::Range;

use crate::backend::cpu::kernel::{Kernel, Matrix, MatrixMut, Panels, multiply};
use crate::backend::{Area, Heads, Scalar};

/// Query rows that are processed at once.
pub(super) const ROWS: usize = 96;
/// Keys that are processed at once; a multiple of the panel width of every kernel.
pub(super) const KEYS: usize = 384;
/// Lines of scores are padded to a multiple of this, so that loops over them have no remainder.
pub(super) const LANES: usize = 16;

/// What the forward pass keeps for the backward pass.
#[derive(Clone, Copy)]
pub(in crate::backend::cpu) struct Saved<'a, T> {
    /// `[rows, heads.width()]`
    pub(in crate::backend::cpu) qkv: &'a [T],
    /// `[rows, heads.query * dim]`
    pub(in crate::backend::cpu) out: &'a [T],
    /// `[rows, heads.query]`
    pub(in crate::backend::cpu) log_sums: &'a [T],
}

/// The number of keys in `seen` that the row sees.
pub(super) fn visible(row: usize, seen: &Range<usize>) -> usize {
    (row + 1).clamp(seen.start, seen.end) - seen.start
}

/// The length of a line of scores.
pub(super) fn padded(keys: usize) -> usize {
    keys.next_multiple_of(LANES)
}

/// Sets the numbers after the first `visible` ones to `value`, up to a multiple of `LANES`.
#[inline(always)]
pub(super) fn cover<T: Scalar>(line: &mut [T], visible: usize, value: T) {
    let kept = visible % LANES;
    if kept > 0 {
        let lanes = &mut line.as_chunks_mut::<LANES>().0[visible / LANES];
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane = if i < kept { *lane } else { value };
        }
    }
}

/// Sets the numbers after the first `visible` ones to zero, as far as the tiles of these rows read.
#[inline(always)]
pub(super) fn hide<K: Kernel>(line: &mut [K::Number], visible: usize) {
    // A tile reads as far as its last row sees, and one number more if two form a unit.
    const { assert!(K::ROWS + K::STEP <= LANES + 1) };
    cover(line, visible, K::Number::ZERO);
    if let Some(next) = line.as_chunks_mut::<LANES>().0.get_mut(visible.div_ceil(LANES)) {
        *next = [K::Number::ZERO; LANES];
    }
}

/// The area of the scores of a block by the keys in `seen`.
pub(super) fn square(block: &Range<usize>, seen: &Range<usize>) -> Area {
    Area { offset: 0, rows: block.len(), columns: seen.len(), stride: padded(seen.len()) }
}

/// Rows in steps of the tiles of a kernel.
pub(super) fn row_panels<K: Kernel>(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(K::ROWS).map(move |start| start..rows.min(start + K::ROWS))
}

/// `out = scale left right` `[block.len(), seen.len()]`, for the keys that the rows see.
#[allow(clippy::too_many_arguments)]
pub(super) fn products_seen<K: Kernel>(
    kernel: K,
    block: &Range<usize>,
    seen: &Range<usize>,
    left: &Panels<K>,
    right: &Panels<K>,
    steps: usize,
    out: &mut [K::Number],
    scale: K::Number,
) {
    for rows in row_panels::<K>(block.len()) {
        // The last row of a tile sees the most keys.
        let columns = visible(block.start + rows.end - 1, seen);
        let stride = padded(seen.len());
        let area = Area { offset: rows.start * stride, rows: rows.len(), columns, stride };
        let right = right.part(seen.start..seen.start + columns, 0);
        multiply(kernel, left.part(rows, 0), right, steps, MatrixMut::new(out, area), scale, false);
    }
}

impl Heads {
    /// Query heads that share one key and value head.
    pub(super) fn group(&self) -> usize {
        self.query / self.key_value
    }
}

/// The queries, keys and values of one sequence and one key and value head.
pub(super) struct HeadGroup<'a, T> {
    pub(super) qkv: &'a [T],
    pub(super) heads: Heads,
    pub(super) rows: Range<usize>,
    pub(super) shared: usize,
}

impl<'a, T: Scalar> HeadGroup<'a, T> {
    pub(super) fn new(qkv: &'a [T], heads: Heads, rows: &Range<usize>, shared: usize) -> Self {
        HeadGroup { qkv, heads, rows: rows.clone(), shared }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Blocks of rows, first to last, counted from the start of the sequence.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let len = self.rows.len();
        (0..len).step_by(ROWS).map(move |start| start..len.min(start + ROWS))
    }

    /// Blocks of keys that a block of rows sees, first to last.
    pub(super) fn seen(&self, block: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<T> {
        // Attention is causal: no row of the block sees keys at or after its end.
        let len = block.end;
        (0..len).step_by(KEYS).map(move |start| start..len.min(start + KEYS))
    }

    /// `rows` of one head of the joint matrix, `[row, channel]`.
    pub(super) fn columns(&self, rows: &Range<usize>, head: usize) -> Matrix<'a, T> {
        let stride = self.heads.width();
        let offset = (self.rows.start + rows.start) * stride + head * self.heads.dim;
        Matrix::new(self.qkv, Area { offset, rows: rows.len(), columns: self.heads.dim, stride })
    }

    pub(super) fn keys(&self) -> Matrix<'a, T> {
        self.columns(&(0..self.len()), self.heads.query + self.shared)
    }

    pub(super) fn values(&self) -> Matrix<'a, T> {
        self.columns(&(0..self.len()), self.heads.query + self.heads.key_value + self.shared)
    }
}
