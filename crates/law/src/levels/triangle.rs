//! An upper triangular matrix, laid out so that its products run over neighbouring numbers.

use faer::Mat;

/// The lower triangular factor `L` with `L L^T` a symmetric matrix, whose lower half is read.
/// `None` where that is not positive definite. Sums go in one order on every processor.
pub(super) fn lower_factor(of: &Mat<f64>) -> Option<Mat<f64>> {
    let n = of.nrows();
    // By rows, so that sums run over neighbouring numbers.
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(n);
    for i in 0..n {
        let mut row: Vec<f64> = Vec::with_capacity(i + 1);
        for j in 0..=i {
            let above: &[f64] = rows.get(j).unwrap_or(&row);
            let known: f64 = row.iter().zip(above).take(j).map(|(a, b)| a * b).sum();
            let left = of[(i, j)] - known;
            row.push(match i == j {
                true if left > 0.0 && left.is_finite() => left.sqrt(),
                true => return None,
                false => left / rows[j][j],
            });
        }
        rows.push(row);
    }
    Some(Mat::from_fn(n, n, |i, j| rows[i].get(j).copied().unwrap_or(0.0)))
}

/// An upper triangular matrix, kept by columns and by rows.
pub(super) struct Triangle {
    size: usize,
    /// Column `j` holds rows `0..=j`.
    columns: Vec<f64>,
    /// Row `i` holds columns `i..`.
    rows: Vec<f64>,
}

impl Triangle {
    /// `L^-T` of a lower triangular matrix `L`.
    pub(super) fn transposed_inverse(lower: &Mat<f64>) -> Self {
        let n = lower.nrows();
        let mut out = Mat::zeros(n, n);
        for j in 0..n {
            for i in (0..=j).rev() {
                let unit = if i == j { 1.0 } else { 0.0 };
                let after: f64 = (i + 1..=j).map(|k| lower[(k, i)] * out[(k, j)]).sum();
                out[(i, j)] = (unit - after) / lower[(i, i)];
            }
        }
        Self {
            size: n,
            columns: (0..n).flat_map(|j| (0..=j).map(move |i| (i, j))).map(|at| out[at]).collect(),
            rows: (0..n).flat_map(|i| (i..n).map(move |j| (i, j))).map(|at| out[at]).collect(),
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The matrix times a vector.
    pub(super) fn times(&self, x: &[f64]) -> Vec<f64> {
        let (mut out, mut columns) = (vec![0.0; self.size], self.columns.as_slice());
        for (j, x) in x.iter().enumerate() {
            let (column, rest) = columns.split_at(j + 1);
            columns = rest;
            out.iter_mut().zip(column).for_each(|(out, factor)| *out += factor * x);
        }
        out
    }

    /// The transposed matrix times a vector.
    pub(super) fn transposed_times(&self, x: &[f64]) -> Vec<f64> {
        let (mut out, mut rows) = (vec![0.0; self.size], self.rows.as_slice());
        for (i, x) in x.iter().enumerate() {
            let (row, rest) = rows.split_at(self.size - i);
            rows = rest;
            out[i..].iter_mut().zip(row).for_each(|(out, factor)| *out += factor * x);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_the_square_of_its_factor_or_has_none() {
        let a = faer::mat![[4.0, 1.0, -2.0], [1.0, 3.0, 0.5], [-2.0, 0.5, 5.0]];
        let factor = lower_factor(&a).unwrap();
        for i in 0..3 {
            for j in 0..3 {
                let product: f64 = (0..3).map(|k| factor[(i, k)] * factor[(j, k)]).sum();
                assert!((product - a[(i, j)]).abs() < 1e-14, "{i} {j}: {product}");
            }
        }
        // The factor of another program.
        let theirs = a.llt(faer::Side::Lower).unwrap().L().to_owned();
        assert!((theirs - factor).norm_max() < 1e-14);
        assert!(lower_factor(&faer::mat![[1.0, 2.0], [2.0, 1.0]]).is_none());
    }

    #[test]
    fn products_undo_the_matrix() {
        let lower = faer::mat![[2.0, 0.0, 0.0], [0.5, 4.0, 0.0], [-1.0, 0.25, 8.0]];
        let inverse = Triangle::transposed_inverse(&lower);
        let x = [1.0, -2.0, 3.0];
        // L^T (L^-T x) = x, and L (L^-1 x) = x.
        let y = inverse.times(&x);
        let z = inverse.transposed_times(&x);
        for i in 0..3 {
            let up: f64 = (0..3).map(|k| lower[(k, i)] * y[k]).sum();
            let down: f64 = (0..3).map(|k| lower[(i, k)] * z[k]).sum();
            assert!((up - x[i]).abs() < 1e-14 && (down - x[i]).abs() < 1e-14, "{y:?} {z:?}");
        }
    }
}
