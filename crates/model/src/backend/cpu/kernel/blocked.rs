//! Products over panels: both operands are laid out once, then tiles are computed chunk by chunk.
//!
//! A chunk of the result belongs to one task, and the summed index is cut at multiples of a constant and walked from first
//! to last within the task: every element is summed in an order that depends on shapes alone.

use std::cell::Cell;
use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::panels::{Layout, Operand, Room, Side, pack};
use super::product::{Matrix, MatrixMut};
use super::tile::{Kernel, Tile};
use crate::backend::Scalar;

/// Units of the summed index that tiles are computed over at once: a right panel of them stays in the nearest cache.
const DEPTH: usize = 256;
/// Tiles' rows of a task: the left units of them stay in the second cache.
const LEFT_PANELS: usize = 4;
/// Tiles' columns of a task.
const RIGHT_PANELS: usize = 8;
/// Units that one task lays out, and rows, or columns, at least.
const PACKED: usize = 1 << 14;
const SIDE_BY_SIDE: usize = 96;
/// Units of one operand that are laid out at once.
const LIMIT: usize = 1 << 22;

thread_local! {
    /// Room for the panels of both operands. Taken while in use: a thread that waits may be given another product.
    static ROOMS: Cell<(Room, Room)> = Cell::default();
}

/// `c = scale a b`, or `c += scale a b` if `add`; over the current rayon pool if `parallel`.
#[allow(clippy::too_many_arguments)]
pub(super) fn product<K: Kernel>(
    kernel: K,
    arch: Arch,
    a: Matrix<'_, K::Number>,
    b: Matrix<'_, K::Number>,
    mut c: MatrixMut<'_, K::Number>,
    scale: K::Number,
    add: bool,
    parallel: bool,
) {
    let steps = a.columns().div_ceil(K::STEP);
    if steps == 0 {
        if !add {
            c.clear();
        }
        return;
    }
    // As many whole tasks as the limit allows, and one at least.
    let at_once = |task: usize| (LIMIT / steps / task).max(1) * task;
    let (rows_at_once, columns_at_once) =
        (at_once(LEFT_PANELS * K::ROWS), at_once(RIGHT_PANELS * K::COLUMNS));
    let (mut left_room, mut right_room) = ROOMS.take();
    for first_column in (0..c.columns()).step_by(columns_at_once) {
        let columns = first_column..c.columns().min(first_column + columns_at_once);
        let right = lay_out::<K>(arch, b.t(), Side::Right, &columns, steps, &mut right_room, parallel);
        for first_row in (0..c.rows()).step_by(rows_at_once) {
            let rows = first_row..c.rows().min(first_row + rows_at_once);
            let left = lay_out::<K>(arch, a, Side::Left, &rows, steps, &mut left_room, parallel);
            let window = c.window(rows, columns.clone());
            let task = |index: usize| {
                let across = window.columns.div_ceil(RIGHT_PANELS * K::COLUMNS);
                let (row, column) =
                    (index / across * LEFT_PANELS * K::ROWS, index % across * RIGHT_PANELS * K::COLUMNS);
                let part = Part {
                    rows: row..window.rows.min(row + LEFT_PANELS * K::ROWS),
                    columns: column..window.columns.min(column + RIGHT_PANELS * K::COLUMNS),
                    steps,
                };
                // SAFETY: tasks differ in their rows or in their columns, which lie inside the window; the window
                // keeps its matrix borrowed.
                unsafe { tiles(kernel, left, right, part, &window, scale, add) };
            };
            let tasks = window.rows.div_ceil(LEFT_PANELS * K::ROWS)
                * window.columns.div_ceil(RIGHT_PANELS * K::COLUMNS);
            if parallel && tasks > 1 {
                (0..tasks).into_par_iter().for_each(task);
            } else {
                (0..tasks).for_each(task);
            }
        }
    }
    ROOMS.set((left_room, right_room));
}

/// `c = scale left right`, or `c += scale left right` if `add`, of parts of panels, over `steps` units of the summed index.
pub(in crate::backend::cpu) fn multiply<K: Kernel>(
    kernel: K,
    left: Operand<'_, K>,
    right: Operand<'_, K>,
    steps: usize,
    mut c: MatrixMut<'_, K::Number>,
    scale: K::Number,
    add: bool,
) {
    assert!(
        left.side == Side::Left && right.side == Side::Right && left.len == c.rows() && right.len == c.columns(),
        "panels of {} rows and {} columns for [{}, {}]",
        left.len,
        right.len,
        c.rows(),
        c.columns()
    );
    let window = c.window(0..left.len, 0..right.len);
    let part = Part { rows: 0..left.len, columns: 0..right.len, steps };
    // SAFETY: this is the only task, and the window is borrowed mutably.
    unsafe { tiles(kernel, left, right, part, &window, scale, add) };
}

/// Lays out rows `which` of `matrix`, several panels a task.
fn lay_out<'a, K: Kernel>(
    arch: Arch,
    matrix: Matrix<'_, K::Number>,
    side: Side,
    which: &Range<usize>,
    steps: usize,
    room: &'a mut Room,
    parallel: bool,
) -> Operand<'a, K> {
    let layout = Layout::of::<K>(side, matrix);
    let panel = layout.width() * steps;
    let units = room.units(which.len().next_multiple_of(layout.width()) * steps);
    // A task's panels lie side by side in memory: enough of them for long reads.
    let chunk = (PACKED / panel).max(SIDE_BY_SIDE.div_ceil(layout.width()));
    let task = |(index, units): (usize, &mut [K::Unit])| {
        pack::<K>(arch, matrix, layout, which.start + index * chunk * layout.width(), units);
    };
    if parallel && units.len() > chunk * panel {
        units.par_chunks_mut(chunk * panel).enumerate().for_each(task);
    } else {
        units.chunks_mut(chunk * panel).enumerate().for_each(task);
    }
    Operand { units, side, layout, first: 0, len: which.len(), steps, stride: steps, from: 0 }
}

/// A part of a result, and of the summed index.
struct Part {
    /// From the first row of a panel on.
    rows: Range<usize>,
    /// From the first column of a panel on.
    columns: Range<usize>,
    /// Units of the summed index, from where the operands begin.
    steps: usize,
}

/// Where a result is written.
pub(super) struct Window<T> {
    pub(super) data: *mut T,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) stride: usize,
}

// SAFETY: the pointer is only used by `tiles`, whose callers vouch that no two tasks write one element.
unsafe impl<T: Send> Sync for Window<T> {}

/// The tiles of `part`.
///
/// # Safety
/// Nobody else may touch the part of the window meanwhile.
unsafe fn tiles<K: Kernel>(
    kernel: K,
    left: Operand<'_, K>,
    right: Operand<'_, K>,
    part: Part,
    window: &Window<K::Number>,
    scale: K::Number,
    add: bool,
) {
    assert!(part.rows.end <= window.rows && part.columns.end <= window.columns);
    for from in (0..part.steps).step_by(DEPTH) {
        let steps = part.steps.min(from + DEPTH) - from;
        let add = add || from > 0;
        for column in part.columns.clone().step_by(K::COLUMNS) {
            let columns = part.columns.end.min(column + K::COLUMNS) - column;
            let right = right.rows(column, columns, from, steps);
            for row in part.rows.clone().step_by(K::ROWS) {
                let rows = part.rows.end.min(row + K::ROWS) - row;
                let left = left.rows(row, rows, from, steps);
                let tile = Tile { rows, columns, steps, stride: window.stride, scale, add };
                // SAFETY: `rows` has checked that the operands hold what the tile reads; right panels are padded to whole
                // ones and begin on multiples of 64 bytes, since a row of theirs is a multiple of that; the tile lies
                // inside the part, which the caller vouches for.
                unsafe {
                    let result = window.data.add(row * window.stride + column);
                    kernel.tile(tile, left, right.first, result);
                }
            }
        }
    }
}

impl<T: Scalar> MatrixMut<'_, T> {
    /// `rows` and `columns` of the matrix.
    fn window(&mut self, rows: Range<usize>, columns: Range<usize>) -> Window<T> {
        let (data, stride) = self.parts();
        let end = if rows.is_empty() || columns.is_empty() { 0 } else { (rows.end - 1) * stride + columns.end };
        assert!(end <= data.len());
        let first = if end == 0 { 0 } else { rows.start * stride + columns.start };
        Window { data: data[first..].as_mut_ptr(), rows: rows.len(), columns: columns.len(), stride }
    }
}
