//! Products over panels: both operands are laid out once, then tiles are computed task by task.
//!
//! One task computes one part of the result. It walks the summed index from first to last, in
//! stretches of a constant length. So the order of every sum depends on shapes alone.

use std::cell::Cell;
use std::ops::Range;

use pulp::Arch;
use rayon::prelude::*;

use super::matrix::{Matrix, MatrixMut};
use super::panels::{Operand, PanelLayout, Room, Side, pack};
use super::tile::{Kernel, Tile};
use crate::backend::Scalar;

/// Units of the summed index that tiles are computed over at once. A right panel of 256 x 32 units
/// of 4 bytes takes 32 KiB, which fits the first-level cache.
const DEPTH: usize = 256;
/// Rows of tiles per task. Their left units stay in the second-level cache.
const LEFT_PANELS: usize = 4;
/// Columns of tiles per task.
const RIGHT_PANELS: usize = 8;
/// Units that one task lays out at least, and the rows (or columns) that it lays out at least.
const PACKED: usize = 1 << 14;
const SIDE_BY_SIDE: usize = 96;
/// Units of one operand that are laid out at once: 16 MiB for units of 4 bytes.
const LIMIT: usize = 1 << 22;

thread_local! {
    /// Memory for the panels of both operands. It is taken out while in use, because a thread that
    /// waits may be given another product.
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
    // An empty sum is 0.
    if steps == 0 {
        if !add {
            c.clear();
        }
        return;
    }
    // As many whole tasks as the limit allows, but at least one.
    let at_once = |task: usize| (LIMIT / steps / task).max(1) * task;
    let (rows_at_once, columns_at_once) =
        (at_once(LEFT_PANELS * K::ROWS), at_once(RIGHT_PANELS * K::COLUMNS));
    let (mut left_room, mut right_room) = ROOMS.take();
    for first_column in (0..c.columns()).step_by(columns_at_once) {
        let columns = first_column..c.columns().min(first_column + columns_at_once);
        let right =
            lay_out::<K>(arch, b.t(), Side::Right, &columns, steps, &mut right_room, parallel);
        for first_row in (0..c.rows()).step_by(rows_at_once) {
            let rows = first_row..c.rows().min(first_row + rows_at_once);
            let left = lay_out::<K>(arch, a, Side::Left, &rows, steps, &mut left_room, parallel);
            let window = c.window(rows, columns.clone());
            let task = |index: usize| {
                let across = window.columns.div_ceil(RIGHT_PANELS * K::COLUMNS);
                let (row, column) = (
                    index / across * LEFT_PANELS * K::ROWS,
                    index % across * RIGHT_PANELS * K::COLUMNS,
                );
                let part = ResultPart {
                    rows: row..window.rows.min(row + LEFT_PANELS * K::ROWS),
                    columns: column..window.columns.min(column + RIGHT_PANELS * K::COLUMNS),
                    steps,
                };
                // SAFETY: no two tasks share both rows and columns, all lie inside the window, and
                // the window keeps its matrix borrowed.
                unsafe { tiles(kernel, left, right, part, &window, scale, add) };
            };
            let tasks = window.rows.div_ceil(LEFT_PANELS * K::ROWS)
                * window.columns.div_ceil(RIGHT_PANELS * K::COLUMNS);
            // A single task would only pay for the way through the pool.
            if parallel && tasks > 1 {
                (0..tasks).into_par_iter().for_each(task);
            } else {
                (0..tasks).for_each(task);
            }
        }
    }
    ROOMS.set((left_room, right_room));
}

/// `c = scale left right`, or `c += scale left right` if `add`, for parts of panels. The sums run
/// over `steps` units.
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
        left.side == Side::Left
            && right.side == Side::Right
            && left.len == c.rows()
            && right.len == c.columns(),
        "panels of {} rows and {} columns for [{}, {}]",
        left.len,
        right.len,
        c.rows(),
        c.columns()
    );
    let window = c.window(0..left.len, 0..right.len);
    let part = ResultPart { rows: 0..left.len, columns: 0..right.len, steps };
    // SAFETY: this is the only task, and the window is borrowed mutably.
    unsafe { tiles(kernel, left, right, part, &window, scale, add) };
}

/// Lays out rows `which` of `matrix`, several panels per task.
fn lay_out<'a, K: Kernel>(
    arch: Arch,
    matrix: Matrix<'_, K::Number>,
    side: Side,
    which: &Range<usize>,
    steps: usize,
    room: &'a mut Room,
    parallel: bool,
) -> Operand<'a, K> {
    let layout = PanelLayout::of::<K>(side, matrix);
    let panel = layout.width() * steps;
    let units = room.units(which.len().next_multiple_of(layout.width()) * steps);
    // A task's panels come from adjacent memory: enough of them make the reads long.
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
struct ResultPart {
    /// From the first row of a panel on.
    rows: Range<usize>,
    /// From the first column of a panel on.
    columns: Range<usize>,
    /// Units of the summed index, counted from the start of the operands.
    steps: usize,
}

/// The matrix that a result is written to.
pub(super) struct Window<T> {
    pub(super) data: *mut T,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) stride: usize,
}

// SAFETY: only `tiles` uses the pointer, and its callers guarantee that no two tasks write the same
// element.
unsafe impl<T: Send> Sync for Window<T> {}

/// Computes the tiles of `part`.
///
/// # Safety
/// No other thread may touch the part of the window meanwhile.
unsafe fn tiles<K: Kernel>(
    kernel: K,
    left: Operand<'_, K>,
    right: Operand<'_, K>,
    part: ResultPart,
    window: &Window<K::Number>,
    scale: K::Number,
    add: bool,
) {
    assert!(part.rows.end <= window.rows && part.columns.end <= window.columns);
    for from in (0..part.steps).step_by(DEPTH) {
        let steps = part.steps.min(from + DEPTH) - from;
        // Every stretch after the first adds to the sums of the one before.
        let add = add || from > 0;
        // Columns outermost: a right panel stays in the cache for all rows.
        for column in part.columns.clone().step_by(K::COLUMNS) {
            let columns = part.columns.end.min(column + K::COLUMNS) - column;
            let right = right.rows(column, columns, from, steps);
            for row in part.rows.clone().step_by(K::ROWS) {
                let rows = part.rows.end.min(row + K::ROWS) - row;
                let left = left.rows(row, rows, from, steps);
                let tile = Tile { rows, columns, steps, stride: window.stride, scale, add };
                // SAFETY: `rows` has checked that the operands hold what the tile reads. Right
                // panels are padded to whole ones, and each of their rows is a multiple of 64
                // bytes, so they begin on such multiples. The caller guarantees the part that the
                // tile lies in.
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
        let end = if rows.is_empty() || columns.is_empty() {
            0
        } else {
            (rows.end - 1) * stride + columns.end
        };
        assert!(end <= data.len());
        let first = if end == 0 { 0 } else { rows.start * stride + columns.start };
        Window {
            data: data[first..].as_mut_ptr(),
            rows: rows.len(),
            columns: columns.len(),
            stride,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::panels::Panels;
    use super::super::tile::{Plain, Rounded, rounded};
    use super::*;
    use crate::backend::Area;
    use crate::backend::cpu::testing::numbers;

    /// Rows, columns and summed length. They cover edges of tiles and units, several tasks, and
    /// several stretches of the sum.
    const SHAPES: [(usize, usize, usize); 6] = [
        (1, 1, 1),
        (1, 40, 3),
        (13, 17, 66),
        (97, 300, 31),
        (50, 33, 2 * DEPTH + 5),
        (193, 65, 130),
    ];

    /// A matrix and its area, stored as it is or transposed.
    fn stored(rows: usize, columns: usize, turned: bool, seed: u64) -> (Vec<f32>, Area) {
        let (rows, columns) = if turned { (columns, rows) } else { (rows, columns) };
        let area = Area { offset: 3, rows, columns, stride: columns + 2 };
        (numbers(area.end(), seed), area)
    }

    fn view(data: &[f32], area: Area, turned: bool) -> Matrix<'_, f32> {
        let matrix = Matrix::new(data, area);
        if turned { matrix.t() } else { matrix }
    }

    /// Compares with sums in double precision of what the kernel reads.
    fn check<K: Kernel<Number = f32>>(kernel: K, read: impl Fn(f32) -> f32) {
        let arch = Arch::new();
        for (m, n, k) in SHAPES {
            for (ta, tb, parallel, add) in [
                (false, false, false, false),
                (true, false, true, true),
                (false, true, true, false),
                (true, true, false, true),
            ] {
                let ((a, area_a), (b, area_b)) = (stored(m, k, ta, 1), stored(k, n, tb, 2));
                let (mut c, area_c) = stored(m, n, false, 3);
                let before = c.clone();
                let at = |data: &[f32], area: Area, turned: bool, i: usize, j: usize| {
                    let (row, column) = if turned { (j, i) } else { (i, j) };
                    data[area.offset + row * area.stride + column]
                };
                let (va, vb) = (view(&a, area_a, ta), view(&b, area_b, tb));
                product(kernel, arch, va, vb, MatrixMut::new(&mut c, area_c), 0.5, add, parallel);
                for i in 0..m {
                    for j in 0..n {
                        let (mut sum, mut size) = (0.0_f64, 1.0_f64);
                        for x in 0..k {
                            let (left, right) =
                                (at(&a, area_a, ta, i, x), at(&b, area_b, tb, x, j));
                            let term = f64::from(read(left)) * f64::from(read(right));
                            (sum, size) = (sum + term, size + term.abs());
                        }
                        let held =
                            if add { f64::from(at(&before, area_c, false, i, j)) } else { 0.0 };
                        let found = f64::from(at(&c, area_c, false, i, j));
                        assert!(
                            (found - (held + 0.5 * sum)).abs() < 1e-6 * size,
                            "{m}x{n}x{k} {ta} {tb}: [{i}, {j}] is {found}, expected {}",
                            held + 0.5 * sum
                        );
                    }
                }
                // The numbers between the rows and before the first row must not change.
                let inside = |at: usize| at >= 3 && (at - 3) % area_c.stride < n;
                assert!((0..c.len()).all(|at| inside(at) || c[at] == before[at]), "{m}x{n}x{k}");
            }
        }
    }

    fn as_bf16(value: f32) -> f32 {
        f32::from_bits(rounded(value))
    }

    #[test]
    fn every_kernel_of_this_processor_gives_the_sum_of_products() {
        check(Plain::<f32>::new(), |value| value);
        check(Rounded(Plain::<f32>::new()), as_bf16);
        #[cfg(target_arch = "x86_64")]
        {
            use super::super::{avx2::Avx2, avx512::Avx512, avx512::Avx512Bf16};
            let mut missing = Vec::new();
            match Avx2::new() {
                Some(kernel) => (check(kernel, |value| value), check(Rounded(kernel), as_bf16)).0,
                None => missing.push("AVX2"),
            }
            match Avx512::new() {
                Some(kernel) => (check(kernel, |value| value), check(Rounded(kernel), as_bf16)).0,
                None => missing.push("AVX-512"),
            }
            match Avx512Bf16::new() {
                Some(kernel) => check(kernel, as_bf16),
                None => missing.push("AVX-512 BF16"),
            }
            if !missing.is_empty() {
                println!(
                    "skipped: products on {}: this processor has none of them",
                    missing.join(", ")
                );
            }
        }
    }

    #[test]
    fn parts_of_panels_give_parts_of_the_product() {
        fn check<K: Kernel<Number = f32>>(kernel: K) {
            let arch = Arch::new();
            let (m, n, k) = (4 * K::ROWS + 5, 2 * K::COLUMNS + 3, 38);
            for turned in [false, true] {
                let ((a, area_a), (b, area_b)) = (stored(m, k, turned, 1), stored(k, n, false, 2));
                let mut right = Panels::<K>::new(Side::Right);
                right.fill(arch, view(&b, area_b, false));
                let mut laid_out = Panels::<K>::new(Side::Left);
                laid_out.fill(arch, view(&a, area_a, turned));
                let mut as_it_stands = Panels::<K>::new(Side::Left);
                let whole = as_it_stands.left(arch, view(&a, area_a, turned));
                // The second-last panel of each, without the first four units of the sum.
                let (rows, columns) = (2 * K::ROWS..3 * K::ROWS, K::COLUMNS..2 * K::COLUMNS);
                let (from, steps) = (4 / K::STEP, (k - 4) / K::STEP);
                let mut found =
                    [vec![0.0_f32; K::ROWS * K::COLUMNS], vec![0.0; K::ROWS * K::COLUMNS]];
                for (left, out) in
                    [laid_out.part(rows.clone(), from), whole.part(rows.clone(), from)]
                        .into_iter()
                        .zip(&mut found)
                {
                    let out = MatrixMut::new(out, Area::new(0, K::ROWS, K::COLUMNS));
                    multiply(
                        kernel,
                        left,
                        right.part(columns.clone(), from),
                        steps,
                        out,
                        1.0,
                        false,
                    );
                }
                let read = |matrix: &Matrix<'_, f32>, i: usize, j: usize| {
                    matrix.data()[i * matrix.row_stride() + j * matrix.column_stride()]
                };
                let (va, vb) = (view(&a, area_a, turned), view(&b, area_b, false));
                for (at, i) in rows.clone().enumerate() {
                    for (column, j) in columns.clone().enumerate() {
                        let sum: f32 = (4..k).map(|x| read(&va, i, x) * read(&vb, x, j)).sum();
                        for found in &found {
                            assert!(
                                (found[at * K::COLUMNS + column] - sum).abs() < 0.2,
                                "[{i}, {j}]"
                            );
                        }
                    }
                }
                assert_eq!(found[0], found[1]);
            }
        }
        check(Plain::<f32>::new());
        check(Rounded(Plain::<f32>::new()));
        #[cfg(target_arch = "x86_64")]
        {
            use super::super::{avx2::Avx2, avx512::Avx512, avx512::Avx512Bf16};
            if let Some(kernel) = Avx2::new() {
                check(kernel);
            }
            if let Some(kernel) = Avx512::new() {
                check(kernel);
            }
            if let Some(kernel) = Avx512Bf16::new() {
                check(kernel);
            }
        }
    }
}
