//! Matrix products.

use super::kernel::{self, Engine, Matrix, MatrixMut};
use super::processor::Cpu;
use crate::backend::{View, ViewMut};

/// `c = a b`, or `c += a b` if `accumulate`.
pub(super) fn product<T: Engine>(
    cpu: Cpu<T>,
    a: View<'_, Vec<T>>,
    b: View<'_, Vec<T>>,
    c: ViewMut<'_, Vec<T>>,
    accumulate: bool,
) {
    let c = MatrixMut::new(c.buffer, c.area);
    kernel::product(cpu.kernel, cpu.arch, matrix(a), matrix(b), c, accumulate);
}

fn matrix<'a, T>(view: View<'a, Vec<T>>) -> Matrix<'a, T> {
    let stored = Matrix::new(view.buffer, view.area);
    if view.transposed { stored.t() } else { stored }
}

#[cfg(test)]
mod tests {
    use ledger::Precision;

    use super::*;
    use crate::backend::Area;
    use crate::backend::cpu::testing::{numbers, on_threads};

    /// Rows, columns and summed length: one of each size for which `gemm` takes another path.
    const SHAPES: [(usize, usize, usize); 5] =
        [(1, 7, 5), (3, 1, 130), (33, 65, 31), (257, 130, 600), (64, 64, 64)];

    #[test]
    fn a_product_is_the_sum_of_products() {
        for (m, n, k) in SHAPES {
            for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                // The stride exceeds the columns, so that a mix-up of the two is found.
                let area = |rows, columns| Area { offset: 3, rows, columns, stride: columns + 2 };
                let stored_a = if ta { area(k, m) } else { area(m, k) };
                let stored_b = if tb { area(n, k) } else { area(k, n) };
                let (a, b): (Vec<f64>, Vec<f64>) =
                    (numbers(stored_a.end(), 1), numbers(stored_b.end(), 2));
                let at = |data: &[f64], area: Area, t: bool, i: usize, j: usize| {
                    let (row, column) = if t { (j, i) } else { (i, j) };
                    data[area.offset + row * area.stride + column]
                };
                let mut c = numbers(area(m, n).end(), 3);
                let before = c.clone();
                let (mut va, mut vb) = (View::new(&a, stored_a), View::new(&b, stored_b));
                if ta {
                    va = va.t();
                }
                if tb {
                    vb = vb.t();
                }
                product(Cpu::new(), va, vb, ViewMut::new(&mut c, area(m, n)), true);
                for i in 0..m {
                    for j in 0..n {
                        let sum: f64 = (0..k)
                            .map(|x| at(&a, stored_a, ta, i, x) * at(&b, stored_b, tb, x, j))
                            .sum();
                        let expected = at(&before, area(m, n), false, i, j) + sum;
                        assert!((at(&c, area(m, n), false, i, j) - expected).abs() < 1e-10);
                    }
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        for precision in [Precision::F32, Precision::Bf16] {
            same_on_every_number_of_threads(Cpu::with(precision));
        }
    }

    fn same_on_every_number_of_threads(cpu: Cpu<f32>) {
        for (m, n, k) in [(257, 130, 600), (2048, 64, 96), (96, 512, 2048), (300, 1000, 1500)] {
            let (a, b): (Vec<f32>, Vec<f32>) = (numbers(m * k, 1), numbers(k * n, 2));
            for transposed in [false, true] {
                let run = || {
                    let mut c = vec![0.0_f32; m * n];
                    let va = if transposed {
                        View::new(&a, Area::new(0, k, m)).t()
                    } else {
                        View::new(&a, Area::new(0, m, k))
                    };
                    let vb = View::new(&b, Area::new(0, k, n));
                    product(cpu, va, vb, ViewMut::new(&mut c, Area::new(0, m, n)), false);
                    c
                };
                let one = on_threads(1, run);
                for threads in [2, 3, 8] {
                    assert!(one == on_threads(threads, run), "{m}x{n}x{k} on {threads} threads");
                }
            }
        }
    }
}
