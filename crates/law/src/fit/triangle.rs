//! Least squares by orthogonal triangles: rows come in, a small triangular factor stays.
//!
//! For rows `[J | r]` the factor `R` has `R'R = [J | r]'[J | r]`, without the loss of digits of forming that product.
//! Memory does not grow with the rows, and the order of sums is fixed.

/// One column more than constants: the residual.
pub(crate) const COLUMNS: usize = crate::form::MOST_PARAMETERS + 1;
/// Rows reduced at once; long enough for vector units, short enough for the first cache.
const BLOCK: usize = 32;

/// The triangular factor of the rows seen so far, by Householder reflections.
#[derive(Clone)]
pub(crate) struct Triangle {
    columns: usize,
    factor: [[f64; COLUMNS]; COLUMNS],
    block: [[f64; BLOCK]; COLUMNS], // [column, row]
    filled: usize,
}

impl Triangle {
    pub(crate) fn new(columns: usize) -> Self {
        assert!(columns <= COLUMNS, "{columns} columns, at most {COLUMNS}");
        Self { columns, factor: [[0.0; COLUMNS]; COLUMNS], block: [[0.0; BLOCK]; COLUMNS], filled: 0 }
    }

    pub(crate) fn push(&mut self, row: &[f64]) {
        for (column, &x) in self.block.iter_mut().zip(row) {
            column[self.filled] = x;
        }
        self.filled += 1;
        if self.filled == BLOCK {
            self.reduce();
        }
    }

    /// The factor, upper triangular: `factor[i][j]` is 0 for `j < i`.
    pub(crate) fn finish(mut self) -> Factor {
        if self.filled > 0 {
            self.reduce();
        }
        Factor { columns: self.columns, rows: self.factor }
    }

    fn reduce(&mut self) {
        let used = self.filled;
        for j in 0..self.columns {
            let (left, right) = self.block[..self.columns].split_at_mut(j + 1);
            let pivot = &left[j][..used];
            let below = dot(pivot, pivot);
            if below == 0.0 {
                continue;
            }
            let diagonal = self.factor[j][j];
            let reflected = -(diagonal * diagonal + below).sqrt().copysign(diagonal);
            let head = diagonal - reflected;
            // With v = (head, pivot): 2 / v'v.
            let weight = 2.0 / (head * head + below);
            self.factor[j][j] = reflected;
            for (l, column) in right.iter_mut().enumerate() {
                let column = &mut column[..used];
                let entry = &mut self.factor[j][j + 1 + l];
                let shift = weight * (head * *entry + dot(pivot, column));
                *entry -= shift * head;
                for (x, v) in column.iter_mut().zip(pivot) {
                    *x -= shift * v;
                }
            }
        }
        self.filled = 0;
    }
}

/// An upper triangular factor whose last column belongs to the residual.
#[derive(Clone)]
pub(crate) struct Factor {
    pub(crate) columns: usize,
    pub(crate) rows: [[f64; COLUMNS]; COLUMNS],
}

impl Factor {
    /// The sum of squares that the last column keeps when all others explain what they can.
    pub(crate) fn unexplained(&self) -> f64 {
        self.rows[self.columns - 1][self.columns - 1].powi(2)
    }

    /// Length of a column.
    pub(crate) fn length(&self, column: usize) -> f64 {
        self.rows.iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt()
    }

    /// The factor of some of the columns only, in their order, the last column added.
    pub(crate) fn select(&self, kept: &[usize], damping: &[f64]) -> Factor {
        let mut triangle = Triangle::new(kept.len() + 1);
        let mut row = [0.0; COLUMNS];
        for whole in &self.rows[..self.columns] {
            for (to, &from) in row.iter_mut().zip(kept) {
                *to = whole[from];
            }
            row[kept.len()] = whole[self.columns - 1];
            triangle.push(&row[..=kept.len()]);
        }
        for (j, &damping) in damping.iter().enumerate().filter(|(_, damping)| **damping > 0.0) {
            let mut row = [0.0; COLUMNS];
            row[j] = damping;
            triangle.push(&row[..=kept.len()]);
        }
        triangle.finish()
    }

    /// The combination of the columns nearest to the last one; columns without a direction of their own get 0.
    pub(crate) fn solve(&self) -> [f64; COLUMNS] {
        let unknowns = self.columns - 1;
        let mut solution = [0.0; COLUMNS];
        for i in (0..unknowns).rev() {
            let rest: f64 = (i + 1..unknowns).map(|j| self.rows[i][j] * solution[j]).sum();
            let diagonal = self.rows[i][i];
            if diagonal.abs() > 1e-15 * self.length(i) {
                solution[i] = (self.rows[i][unknowns] - rest) / diagonal;
            }
        }
        solution
    }

    /// Singular values of the columns (the last left out), each column first brought to unit length; descending.
    ///
    /// One-sided Jacobi rotations: small values keep their digits.
    pub(crate) fn singular_values(&self) -> Vec<f64> {
        let unknowns = self.columns - 1;
        let mut columns: Vec<Vec<f64>> = (0..unknowns)
            .map(|j| {
                let length = self.length(j);
                let unit = if length > 0.0 { 1.0 / length } else { 0.0 };
                self.rows[..self.columns].iter().map(|row| row[j] * unit).collect()
            })
            .collect();
        for _sweep in 0..30 {
            let mut rotated = false;
            for p in 0..unknowns {
                for q in p + 1..unknowns {
                    let (left, right) = columns.split_at_mut(q);
                    rotated |= make_orthogonal(&mut left[p], &mut right[0]);
                }
            }
            if !rotated {
                break;
            }
        }
        let mut values: Vec<f64> = columns.iter().map(|column| dot(column, column).sqrt()).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }
}

fn make_orthogonal(p: &mut [f64], q: &mut [f64]) -> bool {
    let (pp, qq, pq) = (dot(p, p), dot(q, q), dot(p, q));
    if pq.abs() <= 1e-17 + 1e-15 * (pp * qq).sqrt() {
        return false;
    }
    let zeta = (qq - pp) / (2.0 * pq);
    let tangent = 1.0_f64.copysign(zeta) / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = cosine * tangent;
    for (a, b) in p.iter_mut().zip(q) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
    true
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[f64; 3]> {
        (0..100).map(|i| f64::from(i) / 10.0).map(|x| [1.0, x, 2.0 - 3.0 * x + (7.0 * x).sin()]).collect()
    }

    fn product(factor: &Factor, a: usize, b: usize) -> f64 {
        factor.rows.iter().map(|row| row[a] * row[b]).sum()
    }

    #[test]
    fn a_factor_keeps_every_inner_product() {
        let mut triangle = Triangle::new(3);
        rows().iter().for_each(|row| triangle.push(row));
        let factor = triangle.finish();
        for a in 0..3 {
            for b in 0..3 {
                let direct: f64 = rows().iter().map(|row| row[a] * row[b]).sum();
                assert!((product(&factor, a, b) - direct).abs() < 1e-10 * direct.abs().max(1.0), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_solution_leaves_a_residual_at_right_angles() {
        let mut triangle = Triangle::new(3);
        rows().iter().for_each(|row| triangle.push(row));
        let factor = triangle.finish();
        let solution = factor.solve();
        let residual = |row: &[f64; 3]| row[2] - solution[0] * row[0] - solution[1] * row[1];
        for column in 0..2 {
            let product: f64 = rows().iter().map(|row| residual(row) * row[column]).sum();
            assert!(product.abs() < 1e-10, "{column}: {product}");
        }
        let left: f64 = rows().iter().map(|row| residual(row).powi(2)).sum();
        assert!((factor.unexplained() - left).abs() < 1e-10 * left);
    }

    #[test]
    fn a_repeated_direction_is_a_zero_among_singular_values() {
        let mut triangle = Triangle::new(4);
        for i in 0..50 {
            let x = f64::from(i) / 7.0;
            triangle.push(&[1.0, x, 3.0 - 2.0 * x, 0.0]);
        }
        let values = triangle.finish().singular_values();
        assert!(values[2] < 1e-15 && values[1] > 1e-2, "{values:?}");
    }
}
