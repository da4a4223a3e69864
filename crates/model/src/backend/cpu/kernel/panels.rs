//! Lays out operands for tiles.
//!
//! A right matrix becomes panels of [`Kernel::COLUMNS`] columns, with the summed index outermost. A
//! left matrix keeps its rows if the summed index runs along them. Otherwise it is cut into bands
//! of [`BAND`] rows of tiles, again with the summed index outermost.

use std::marker::PhantomData;
use std::ops::Range;

use pulp::Arch;

use super::matrix::Matrix;
use super::tile::{Kernel, Rows};
use crate::backend::Scalar;
use crate::wide::widest;

/// Rows of tiles in a band of a left matrix.
const BAND: usize = 8;

/// Units of every row that are transposed at once.
const STRETCH: usize = 64;

/// A cache line. Its alignment makes a panel begin on one.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct CacheLine {
    _bytes: [u8; 64],
}

/// Memory for panels. It grows and is reused.
#[derive(Debug, Default)]
pub(super) struct Room {
    lines: Vec<CacheLine>,
}

impl Room {
    /// `len` units. Their values are left over from earlier use.
    pub(super) fn units<U: Copy + Default + 'static>(&mut self, len: usize) -> &mut [U] {
        let lines = (len * size_of::<U>()).div_ceil(size_of::<CacheLine>());
        if self.lines.len() < lines {
            // Cleared first, so that growing does not copy the old content.
            self.lines.clear();
            self.lines.resize(lines, CacheLine { _bytes: [0; 64] });
        }
        // SAFETY: the lines are initialised bytes, at least as many as `len` units take, aligned to
        // 64. Units are plain numbers (`f32`, `f64`, `u32`), for which every bit pattern is valid.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }

    /// The units that [`Room::units`] gave before, to read.
    pub(super) fn filled<U: Copy + Default + 'static>(&self, len: usize) -> &[U] {
        assert!(len * size_of::<U>() <= self.lines.len() * size_of::<CacheLine>());
        // SAFETY: as in `units`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), len) }
    }
}

/// The operand that panels are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::backend::cpu) enum Side {
    /// The left matrix.
    Left,
    /// The right matrix.
    Right,
}

/// The layout of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PanelLayout {
    /// Row after row, each along the summed index.
    Rows,
    /// In panels of this many rows (or columns), with the summed index outermost.
    Panels(usize),
}

impl PanelLayout {
    /// The layout of `matrix`. Its rows are the left matrix's rows, or the right matrix's columns.
    pub(super) fn of<K: Kernel>(side: Side, matrix: Matrix<'_, K::Number>) -> Self {
        match side {
            Side::Left if matrix.row_stride() != 1 => PanelLayout::Rows,
            Side::Left => PanelLayout::Panels(BAND * K::ROWS),
            Side::Right => PanelLayout::Panels(K::COLUMNS),
        }
    }

    /// Rows (or columns) that lie together.
    pub(super) fn width(self) -> usize {
        match self {
            PanelLayout::Rows => 1,
            PanelLayout::Panels(width) => width,
        }
    }
}

/// One operand, laid out.
pub(in crate::backend::cpu) struct Panels<K: Kernel> {
    room: Room,
    side: Side,
    layout: PanelLayout,
    /// Rows of a left matrix, columns of a right one.
    count: usize,
    /// Units of the summed index.
    steps: usize,
    kernel: PhantomData<K>,
}

impl<K: Kernel> Panels<K> {
    /// Empty panels.
    pub(in crate::backend::cpu) fn new(side: Side) -> Self {
        let (room, kernel) = (Room::default(), PhantomData);
        Panels { room, side, layout: PanelLayout::Rows, count: 0, steps: 0, kernel }
    }

    /// Lays out `matrix` and replaces the earlier content.
    pub(in crate::backend::cpu) fn fill(&mut self, arch: Arch, matrix: Matrix<'_, K::Number>) {
        // A left matrix is cut into rows, a right one into columns.
        let matrix = if self.side == Side::Left { matrix } else { matrix.t() };
        self.layout = PanelLayout::of::<K>(self.side, matrix);
        (self.count, self.steps) = (matrix.rows(), matrix.columns().div_ceil(K::STEP));
        let units = self.room.units(self.count.next_multiple_of(self.layout.width()) * self.steps);
        pack::<K>(arch, matrix, self.layout, 0, units);
    }

    /// As [`Panels::fill`] for a left matrix. If the kernel reads its numbers as they are, nothing
    /// is copied.
    pub(in crate::backend::cpu) fn left<'a>(
        &'a mut self,
        arch: Arch,
        matrix: Matrix<'a, K::Number>,
    ) -> Operand<'a, K> {
        debug_assert!(self.side == Side::Left);
        if let Some(units) = K::as_units(matrix.data()) {
            let (layout, stride) = if matrix.row_stride() == 1 {
                // A matrix stored column by column is already one panel, as wide as its stride.
                (PanelLayout::Panels(matrix.column_stride().max(matrix.rows())), 0)
            } else {
                (PanelLayout::Rows, matrix.row_stride())
            };
            let (len, steps) = (matrix.rows(), matrix.columns());
            return Operand {
                units,
                side: Side::Left,
                layout,
                first: 0,
                len,
                steps,
                stride,
                from: 0,
            };
        }
        self.fill(arch, matrix);
        self.part(0..self.count, 0)
    }

    /// The rows (or columns) in `which`, which begin with a whole panel, and the summed index from
    /// unit `from` on.
    pub(in crate::backend::cpu) fn part(&self, which: Range<usize>, from: usize) -> Operand<'_, K> {
        assert!(
            which.end <= self.count && from <= self.steps,
            "{which:?} of {}, from {from} of {}",
            self.count,
            self.steps
        );
        let units = self.room.filled(self.count.next_multiple_of(self.layout.width()) * self.steps);
        let Panels { side, layout, steps, .. } = *self;
        Operand {
            units,
            side,
            layout,
            first: which.start,
            len: which.len(),
            steps,
            stride: steps,
            from,
        }
    }
}

/// An operand, or a part of it, to multiply.
pub(in crate::backend::cpu) struct Operand<'a, K: Kernel> {
    pub(super) units: &'a [K::Unit],
    pub(super) side: Side,
    pub(super) layout: PanelLayout,
    /// The first row, or column.
    pub(super) first: usize,
    /// Rows, or columns.
    pub(super) len: usize,
    /// Units of the summed index that are laid out.
    pub(super) steps: usize,
    /// Units from one row to the next, in the layout [`PanelLayout::Rows`].
    pub(super) stride: usize,
    /// The first unit of the summed index that takes part.
    pub(super) from: usize,
}

impl<K: Kernel> Clone for Operand<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Kernel> Copy for Operand<'_, K> {}

impl<K: Kernel> Operand<'_, K> {
    /// The rows (or columns) in `which` of this operand, and the summed index from unit `from` on.
    pub(in crate::backend::cpu) fn part(self, which: Range<usize>, from: usize) -> Self {
        assert!(
            which.end <= self.len && self.from + from <= self.steps,
            "{which:?} of {}",
            self.len
        );
        Operand {
            first: self.first + which.start,
            len: which.len(),
            from: self.from + from,
            ..self
        }
    }

    /// The `len` rows (or columns) from `at` on, none of them beyond a panel, over `steps` units
    /// that begin `from` units after the first.
    #[inline(always)]
    pub(super) fn rows(&self, at: usize, len: usize, from: usize, steps: usize) -> Rows<K::Unit> {
        assert!(at + len <= self.len && self.from + from + steps <= self.steps && len * steps > 0);
        let (at, from) = (self.first + at, self.from + from);
        let (first, row, step) = match self.layout {
            PanelLayout::Rows => (at * self.stride + from, self.stride, 1),
            PanelLayout::Panels(width) => {
                assert!(at % width + len <= width);
                (at / width * width * self.steps + from * width + at % width, 1, width)
            }
        };
        // A tile reads whole rows of a right panel, even if it uses fewer columns.
        let last = if self.side == Side::Right { step - 1 } else { (len - 1) * row };
        // The slice checks the last unit that the tile will read.
        let span = first..=first + last + (steps - 1) * step;
        Rows { first: self.units[span].as_ptr(), row, step }
    }
}

/// Lays out rows `first..` of `matrix` until `units` is full. Rows and summed elements beyond the
/// matrix become zeros.
pub(super) fn pack<K: Kernel>(
    arch: Arch,
    matrix: Matrix<'_, K::Number>,
    layout: PanelLayout,
    first: usize,
    units: &mut [K::Unit],
) {
    let steps = matrix.columns().div_ceil(K::STEP);
    if steps == 0 {
        return;
    }
    widest(
        arch,
        #[inline(always)]
        || match layout {
            PanelLayout::Rows => {
                for (row, units) in units.chunks_exact_mut(steps).enumerate() {
                    K::along(matrix.line(first + row), units);
                }
            }
            PanelLayout::Panels(width) if matrix.row_stride() == 1 => {
                across::<K>(matrix, width, first, steps, units);
            }
            PanelLayout::Panels(width) => along::<K>(matrix, width, first, steps, units),
        },
    );
}

/// Lays out a matrix whose rows are adjacent in memory, as the columns of a stored matrix are.
#[inline(always)]
fn across<K: Kernel>(
    matrix: Matrix<'_, K::Number>,
    width: usize,
    first: usize,
    steps: usize,
    units: &mut [K::Unit],
) {
    let nothing = K::unit(K::Number::ZERO, K::Number::ZERO);
    for step in 0..steps {
        // All panels of one step together, so that each stored row is read in one go.
        let mut start = first;
        for panel in units.chunks_exact_mut(steps * width) {
            let valid = matrix.rows().saturating_sub(start).min(width);
            let (out, beyond) = panel[step * width..(step + 1) * width].split_at_mut(valid);
            let one = matrix.run(start, step * K::STEP, valid);
            let second = K::STEP == 2 && step * 2 + 1 < matrix.columns();
            let two = if second { matrix.run(start, step * 2 + 1, valid) } else { &[] };
            K::across(one, two, out);
            beyond.fill(nothing);
            start += width;
        }
    }
}

/// Lays out a matrix whose elements are adjacent along the summed index.
#[inline(always)]
fn along<K: Kernel>(
    matrix: Matrix<'_, K::Number>,
    width: usize,
    first: usize,
    steps: usize,
    units: &mut [K::Unit],
) {
    let nothing = K::unit(K::Number::ZERO, K::Number::ZERO);
    let mut rows = vec![nothing; width * STRETCH.min(steps)];
    for (index, panel) in units.chunks_exact_mut(steps * width).enumerate() {
        let start = first + index * width;
        let valid = matrix.rows().saturating_sub(start).min(width);
        for (from, panel) in (0..steps).step_by(STRETCH).zip(panel.chunks_mut(STRETCH * width)) {
            let stretch = panel.len() / width;
            for (row, units) in rows.chunks_exact_mut(stretch).enumerate().take(width) {
                if row < valid {
                    let line = matrix.line(start + row);
                    let end = line.len().min((from + stretch) * K::STEP);
                    K::along(&line[from * K::STEP..end], units);
                } else {
                    units.fill(nothing);
                }
            }
            K::transpose(&rows[..width * stretch], stretch, panel);
        }
    }
}
