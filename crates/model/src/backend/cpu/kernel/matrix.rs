//! Matrices in slices. Every stride is checked against its slice first.

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
        assert!(
            area.end() <= data.len() && area.stride >= area.columns,
            "{area:?} of {}",
            data.len()
        );
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

impl<'a, T> Matrix<'a, T> {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The elements, from the first one on.
    pub(super) fn data(&self) -> &'a [T] {
        self.data
    }

    pub(super) fn column_stride(&self) -> usize {
        self.column_stride
    }

    pub(super) fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// A whole row; its elements must be adjacent in memory.
    #[inline(always)]
    pub(super) fn line(&self, row: usize) -> &'a [T] {
        debug_assert!(self.column_stride == 1 && row < self.rows);
        &self.data[row * self.row_stride..][..self.columns]
    }

    /// `len` rows of one column; they must be adjacent in memory.
    #[inline(always)]
    pub(super) fn run(&self, row: usize, column: usize, len: usize) -> &'a [T] {
        debug_assert!(self.row_stride == 1 && row + len <= self.rows && column < self.columns);
        if len == 0 { &[] } else { &self.data[column * self.column_stride + row..][..len] }
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
        assert!(
            area.end() <= data.len() && area.stride >= area.columns,
            "{area:?} of {}",
            data.len()
        );
        MatrixMut {
            data: &mut data[area.offset..],
            rows: area.rows,
            columns: area.columns,
            stride: area.stride,
        }
    }
}

impl<T: Scalar> MatrixMut<'_, T> {
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The elements from the first on, and the stride.
    pub(super) fn parts(&mut self) -> (&mut [T], usize) {
        (self.data, self.stride)
    }

    /// Sets all elements to zero.
    pub(super) fn clear(&mut self) {
        for row in self.data.chunks_mut(self.stride).take(self.rows) {
            row[..self.columns].fill(T::ZERO);
        }
    }
}
