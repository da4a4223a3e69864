//! Matrices that several tasks write at once, each task its own rows and its own strip of columns.

use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

/// Strip number `strip` has `width` columns, from column `start + strip * width` on.
#[derive(Debug, Clone, Copy)]
pub(in crate::backend::cpu) struct Band {
    /// Column of strip 0.
    pub(in crate::backend::cpu) start: usize,
    /// Columns of one strip.
    pub(in crate::backend::cpu) width: usize,
}

/// A row-major matrix that is written in strips.
pub(in crate::backend::cpu) struct StripTarget<'a, T> {
    data: &'a mut [T],
    columns: usize,
    bands: &'a [Band],
}

impl<'a, T> StripTarget<'a, T> {
    /// `data` in rows of `columns` elements, cut by `bands`.
    pub(in crate::backend::cpu) fn new(
        data: &'a mut [T],
        columns: usize,
        bands: &'a [Band],
    ) -> Self {
        assert!(
            columns > 0 && data.len().is_multiple_of(columns),
            "{} in rows of {columns}",
            data.len()
        );
        StripTarget { data, columns, bands }
    }
}

/// The part of a matrix that one task may write.
pub(in crate::backend::cpu) struct Cell<'a, T> {
    data: *mut T,
    columns: usize,
    bands: &'a [Band],
    rows: Range<usize>,
    strip: usize,
    lent: PhantomData<&'a mut [T]>,
}

impl<T> Cell<'_, T> {
    /// Row `row` of the cell, counted from its first, in the cell's strip of band `band`.
    pub(in crate::backend::cpu) fn row(&mut self, row: usize, band: usize) -> &mut [T] {
        assert!(row < self.rows.len(), "row {row} of {}", self.rows.len());
        let Band { start, width } = self.bands[band];
        let first = (self.rows.start + row) * self.columns + start + self.strip * width;
        // SAFETY: `parallel` has checked that the rows and columns of this cell lie inside the
        // matrix and belong to no other cell. The matrix stays borrowed while the cell lives, and
        // `&mut self` prevents two rows from being held at once.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(first), width) }
    }
}

struct Pointer<T>(*mut T);

impl<T> Pointer<T> {
    // A method, so that a closure captures the wrapper and not the bare pointer.
    fn get(&self) -> *mut T {
        self.0
    }
}

// SAFETY: the pointer only becomes the disjoint slices of `Cell::row`.
unsafe impl<T: Send> Send for Pointer<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Pointer<T> {}

/// Runs `task(i, strip, cells)` in parallel for every range of rows and every strip in `0..strips`.
///
/// # Panics
/// If ranges of rows overlap or are not ascending, bands overlap, or either exceeds a matrix.
pub(in crate::backend::cpu) fn parallel<T: Send, const N: usize>(
    rows: &[Range<usize>],
    strips: usize,
    targets: [StripTarget<'_, T>; N],
    task: impl Fn(usize, usize, [Cell<'_, T>; N]) + Sync,
) {
    for target in &targets {
        check(rows, strips, target.data.len() / target.columns, target.columns, target.bands);
    }
    let targets =
        targets.map(|target| (Pointer(target.data.as_mut_ptr()), target.columns, target.bands));
    (0..rows.len() * strips).into_par_iter().for_each(|index| {
        let (i, strip) = (index / strips, index % strips);
        let cells = targets.each_ref().map(|(data, columns, bands)| Cell {
            data: data.get(),
            columns: *columns,
            bands,
            rows: rows[i].clone(),
            strip,
            lent: PhantomData,
        });
        task(i, strip, cells);
    });
}

fn check(rows: &[Range<usize>], strips: usize, height: usize, columns: usize, bands: &[Band]) {
    let mut last = 0;
    for range in rows {
        assert!(
            range.start >= last && range.end >= range.start,
            "rows {rows:?} overlap or are out of order"
        );
        last = range.end;
    }
    assert!(last <= height, "rows up to {last} of {height}");
    let mut spans: Vec<Range<usize>> =
        bands.iter().map(|band| band.start..band.start + strips * band.width).collect();
    // Sorted by start, two bands overlap only if neighbours do.
    spans.sort_by_key(|span| span.start);
    let mut last = 0;
    for span in &spans {
        assert!(span.start >= last, "bands {bands:?} overlap");
        last = span.end;
    }
    assert!(last <= columns, "columns up to {last} of {columns}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_writes_its_own_cell() {
        let mut data = vec![0_u32; 5 * 7];
        let bands = [Band { start: 0, width: 2 }, Band { start: 4, width: 1 }];
        parallel(
            &[0..2, 3..5],
            2,
            [StripTarget::new(&mut data, 7, &bands)],
            |i, strip, [mut cell]| {
                for row in 0..2 {
                    cell.row(row, 0).fill(10 * (i as u32 + 1) + strip as u32);
                    cell.row(row, 1).fill(100 * (i as u32 + 1) + strip as u32);
                }
            },
        );
        let line = |i: u32| [10 * i, 10 * i, 10 * i + 1, 10 * i + 1, 100 * i, 100 * i + 1, 0];
        let expected = [line(1), line(1), [0; 7], line(2), line(2)].concat();
        assert_eq!(data, expected);
    }

    #[test]
    #[should_panic(expected = "overlap")]
    fn overlapping_rows_are_refused() {
        let bands = [Band { start: 0, width: 1 }];
        parallel(&[0..2, 1..3], 1, [StripTarget::new(&mut [0_u8; 3], 1, &bands)], |_, _, _| {});
    }

    #[test]
    #[should_panic(expected = "columns up to 4 of 3")]
    fn strips_outside_the_matrix_are_refused() {
        let bands = [Band { start: 0, width: 2 }];
        parallel(&[0..1, 1..2], 2, [StripTarget::new(&mut [0_u8; 6], 3, &bands)], |_, _, _| {});
    }
}
