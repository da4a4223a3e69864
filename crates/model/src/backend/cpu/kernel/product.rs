//! `c = a b` on the `gemm` crate, with every stride checked against its slice first.

use crate::backend::{Area, Scalar};

/// A matrix to read: a slice with a row and a column stride.
#[derive(Clone, Copy)]
pub(in crate::backend::cpu) struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// `area` of `data`.
    pub(in crate::backend::cpu) fn new(data: &'a [T], area: Area) -> Self {
        assert!(area.end() <= data.len() && area.stride >= area.columns, "{area:?} of {}", data.len());
        Matrix {
            data: &data[area.offset..],
            rows: area.rows,
            columns: area.columns,
            row_stride: area.stride,
            column_stride: 1,
        }
    }

    /// The transpose.
    pub(in crate::backend::cpu) fn t(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// A matrix to write.
pub(in crate::backend::cpu) struct MatrixMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a, T> MatrixMut<'a, T> {
    /// `area` of `data`.
    pub(in crate::backend::cpu) fn new(data: &'a mut [T], area: Area) -> Self {
        assert!(area.end() <= data.len() && area.stride >= area.columns, "{area:?} of {}", data.len());
        MatrixMut {
            data: &mut data[area.offset..],
            rows: area.rows,
            columns: area.columns,
            stride: area.stride,
        }
    }
}

/// `c = scale a b`, or `c += scale a b` if `accumulate`; over the current rayon pool if `parallel`.
pub(in crate::backend::cpu) fn product<T: Scalar>(
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    c: MatrixMut<'_, T>,
    scale: T,
    accumulate: bool,
    parallel: bool,
) {
    assert!(
        a.rows == c.rows && b.columns == c.columns && a.columns == b.rows,
        "[{}, {}] x [{}, {}] into [{}, {}]",
        a.rows,
        a.columns,
        b.rows,
        b.columns,
        c.rows,
        c.columns
    );
    if c.rows == 0 || c.columns == 0 {
        return;
    }
    // One thread is asked for by name: `gemm` would otherwise still send the work through the pool.
    let parallel = parallel && rayon::current_num_threads() > 1;
    let parallelism = if parallel { gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None };
    // SAFETY: `Matrix::new` and `MatrixMut::new` have checked that the last element that these shapes and
    // strides reach lies inside each slice (transposing permutes the same elements), the shapes agree by the
    // assertion above, and `c` is borrowed mutably, so it overlaps neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            c.rows,
            c.columns,
            a.columns,
            c.data.as_mut_ptr(),
            1,
            c.stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            T::ONE,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}
