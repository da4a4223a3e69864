//! `c = a b`, with our own tiles or the `gemm` crate. Every stride is checked against its slice
//! first.

use pulp::Arch;

use super::blocked;
use super::choice::{Engine, KernelChoice, WithKernel};
use super::matrix::{Matrix, MatrixMut};
use super::tile::Kernel;
use crate::backend::Scalar;

/// `c = a b`, or `c += a b` if `accumulate`, over the current rayon pool.
pub(in crate::backend::cpu) fn product<T: Engine>(
    choice: T::Choice,
    arch: Arch,
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    c: MatrixMut<'_, T>,
    accumulate: bool,
) {
    assert!(
        a.rows() == c.rows() && b.columns() == c.columns() && a.columns() == b.rows(),
        "[{}, {}] x [{}, {}] into [{}, {}]",
        a.rows(),
        a.columns(),
        b.rows(),
        b.columns(),
        c.rows(),
        c.columns()
    );
    if c.rows() == 0 || c.columns() == 0 {
        return;
    }
    if choice.leaves_to_gemm() {
        by_gemm(a, b, c, accumulate);
    } else {
        choice.run(Blocked { arch, a, b, c, accumulate });
    }
}

/// The arguments of a blocked product.
struct Blocked<'a, T> {
    arch: Arch,
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    c: MatrixMut<'a, T>,
    accumulate: bool,
}

impl<T: Scalar> WithKernel<T> for Blocked<'_, T> {
    type Output = ();

    fn with<K: Kernel<Number = T>>(self, kernel: K) {
        let parallel = rayon::current_num_threads() > 1;
        blocked::product(
            kernel,
            self.arch,
            self.a,
            self.b,
            self.c,
            T::ONE,
            self.accumulate,
            parallel,
        );
    }
}

/// `c = a b`, or `c += a b` if `accumulate`.
fn by_gemm<T: Scalar>(
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    mut c: MatrixMut<'_, T>,
    accumulate: bool,
) {
    // For one thread, `None` is needed: `gemm` would otherwise still go through the pool.
    let parallel = rayon::current_num_threads() > 1;
    let parallelism = if parallel { gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None };
    let (rows, columns) = (c.rows(), c.columns());
    let (target, stride) = c.parts();
    // SAFETY: `Matrix::new` and `MatrixMut::new` have checked that the last element of these shapes
    // and strides lies inside each slice; transposing permutes the same elements. The shapes agree
    // by the assertion in `product`. `c` is borrowed mutably, so it overlaps neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            a.columns(),
            target.as_mut_ptr(),
            1,
            stride as isize,
            accumulate,
            a.data().as_ptr(),
            a.column_stride() as isize,
            a.row_stride() as isize,
            b.data().as_ptr(),
            b.column_stride() as isize,
            b.row_stride() as isize,
            T::ONE,
            T::ONE,
            false,
            false,
            false,
            parallelism,
        );
    }
}
