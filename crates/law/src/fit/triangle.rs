//! Least squares by orthogonal triangles: rows come in, and a small triangular factor remains.
//!
//! For rows `[J | r]` the factor `R` satisfies `R'R = [J | r]'[J | r]`. It keeps the digits that
//! forming this product would lose. Memory does not grow with the rows, and the order of sums is
//! fixed.

use super::lanes::{LANES, dot, subtract, widest};

/// One column for each constant and one for the residual.
pub(crate) const COLUMNS: usize = crate::form::MOST_PARAMETERS + 1;
/// Rows reduced at once: enough for vector units, few enough for the first-level cache.
pub(crate) const BLOCK: usize = 32;

/// The triangular factor of the rows so far, by Householder reflections, with at most `N` columns.
#[derive(Clone)]
pub(crate) struct Triangle<const N: usize> {
    columns: usize,
    factor: [[f64; N]; N],
    block: [[f64; BLOCK]; N], // [column, row]
    filled: usize,
}

impl<const N: usize> Triangle<N> {
    pub(crate) fn new(columns: usize) -> Self {
        assert!(columns <= N, "{columns} columns, at most {N}");
        Self { columns, factor: [[0.0; N]; N], block: [[0.0; BLOCK]; N], filled: 0 }
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

    /// Adds up to [`BLOCK`] rows at once. `fill` writes that many entries of every column, from the
    /// given index on.
    #[inline(always)]
    pub(crate) fn push_rows(&mut self, rows: usize, fill: impl FnOnce(&mut [[f64; BLOCK]], usize)) {
        // The rows of one call must fit into one block.
        if self.filled + rows > BLOCK {
            self.reduce();
        }
        fill(&mut self.block[..self.columns], self.filled);
        self.filled += rows;
        if self.filled == BLOCK {
            self.reduce();
        }
    }

    /// The factor, upper triangular: `factor[i][j]` is 0 for `j < i`.
    pub(crate) fn finish(&mut self) -> Factor<N> {
        if self.filled > 0 {
            self.reduce();
        }
        Factor { columns: self.columns, rows: self.factor }
    }

    fn reduce(&mut self) {
        // The last lanes may hold old rows. Zeros add nothing to any sum.
        let used = self.filled.next_multiple_of(LANES);
        let columns = &mut self.block[..self.columns];
        for column in columns.iter_mut() {
            column[self.filled..used].fill(0.0);
        }
        let factor = &mut self.factor;
        widest(
            #[inline(always)]
            || reflect(columns, used, factor),
        );
        self.filled = 0;
    }
}

/// Householder reflections that make the first `used` rows of `columns` zero and keep all inner
/// products in `factor`.
#[inline(always)]
fn reflect<const N: usize>(columns: &mut [[f64; BLOCK]], used: usize, factor: &mut [[f64; N]; N]) {
    for j in 0..columns.len() {
        let (left, right) = columns.split_at_mut(j + 1);
        let pivot = &left[j][..used];
        let below = dot(pivot, pivot);
        // Nothing to eliminate: the column is zero already.
        if below == 0.0 {
            continue;
        }
        let diagonal = factor[j][j];
        // The opposite sign avoids cancellation in `head`.
        let reflected = -(diagonal * diagonal + below).sqrt().copysign(diagonal);
        let head = diagonal - reflected;
        // With v = (head, pivot): 2 / v'v.
        let weight = 2.0 / (head * head + below);
        factor[j][j] = reflected;
        for (column, entry) in right.iter_mut().zip(&mut factor[j][j + 1..]) {
            let column = &mut column[..used];
            let shift = weight * (head * *entry + dot(pivot, column));
            *entry -= shift * head;
            subtract(column, shift, pivot);
        }
    }
}

/// An upper triangular factor. Its last column belongs to the residual.
#[derive(Clone)]
pub(crate) struct Factor<const N: usize> {
    pub(crate) columns: usize,
    pub(crate) rows: [[f64; N]; N],
}

impl<const N: usize> Factor<N> {
    /// The sum of squares of the last column that the others cannot explain.
    pub(crate) fn unexplained(&self) -> f64 {
        self.rows[self.columns - 1][self.columns - 1].powi(2)
    }

    /// The length of a column.
    pub(crate) fn length(&self, column: usize) -> f64 {
        self.rows.iter().map(|row| row[column] * row[column]).sum::<f64>().sqrt()
    }

    /// The factor after multiples of columns are subtracted from the last one. It stays triangular.
    pub(crate) fn less(mut self, held: impl Iterator<Item = (usize, f64)>) -> Self {
        let last = self.columns - 1;
        for (column, times) in held {
            for row in &mut self.rows[..=column] {
                row[last] -= times * row[column];
            }
        }
        self
    }

    /// The factor of some columns in the given order, followed by the last one. Each may be damped.
    pub(crate) fn select(&self, kept: &[usize], damping: &[f64]) -> Self {
        let selected = self.behind(0, kept);
        if damping.is_empty() { selected } else { selected.damped(damping.iter().copied()) }
    }

    /// The same, from row `from` on: the part of these columns that the first `from` columns cannot
    /// explain. None of those may be among the kept ones.
    pub(crate) fn behind(&self, from: usize, kept: &[usize]) -> Self {
        let mut triangle = Triangle::new(kept.len() + 1);
        let mut row = [0.0; N];
        for whole in &self.rows[from..self.columns] {
            for (to, &from) in row.iter_mut().zip(kept) {
                *to = whole[from];
            }
            row[kept.len()] = whole[self.columns - 1];
            triangle.push(&row[..=kept.len()]);
        }
        triangle.finish()
    }

    /// The factor with one more row per column, which pulls its solution to 0 (Levenberg 1944).
    pub(crate) fn damped(&self, damping: impl Iterator<Item = f64>) -> Self {
        let mut triangle = Triangle::new(self.columns);
        self.rows[..self.columns].iter().for_each(|row| triangle.push(&row[..self.columns]));
        for (j, damping) in damping.enumerate().filter(|(_, damping)| *damping > 0.0) {
            let mut row = [0.0; N];
            row[j] = damping;
            triangle.push(&row[..self.columns]);
        }
        triangle.finish()
    }

    /// The combination of columns nearest to the last one. A column without a direction of its own
    /// gets 0.
    pub(crate) fn solve(&self) -> [f64; N] {
        let unknowns = self.columns - 1;
        let mut solution = [0.0; N];
        for i in (0..unknowns).rev() {
            let rest: f64 = (i + 1..unknowns).map(|j| self.rows[i][j] * solution[j]).sum();
            let diagonal = self.rows[i][i];
            // Up to rounding the column is a combination of earlier ones, which then do its work.
            if diagonal.abs() > 1e-15 * self.length(i) {
                solution[i] = (self.rows[i][unknowns] - rest) / diagonal;
            }
        }
        solution
    }

    /// The singular values of the columns without the last, each scaled to unit length first;
    /// descending.
    ///
    /// One-sided Jacobi rotations keep the digits of small values.
    pub(crate) fn singular_values(&self) -> Vec<f64> {
        let unknowns = self.columns - 1;
        let mut columns: Vec<Vec<f64>> = (0..unknowns)
            .map(|j| {
                let length = self.length(j);
                let unit = if length > 0.0 { 1.0 / length } else { 0.0 };
                self.rows[..self.columns].iter().map(|row| row[j] * unit).collect()
            })
            .collect();
        // Convergence is quadratic, so a few sweeps are enough.
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
        let mut values: Vec<f64> =
            columns.iter().map(|column| product(column, column).sqrt()).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }
}

fn make_orthogonal(p: &mut [f64], q: &mut [f64]) -> bool {
    let (pp, qq, pq) = (product(p, p), product(q, q), product(p, q));
    if pq.abs() <= 1e-17 + 1e-15 * (pp * qq).sqrt() {
        return false;
    }
    // The smaller of the two rotation angles (Rutishauser): the sum avoids cancellation.
    let zeta = (qq - pp) / (2.0 * pq);
    let tangent = 1.0_f64.copysign(zeta) / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = cosine * tangent;
    for (a, b) in p.iter_mut().zip(q) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
    true
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<[f64; 3]> {
        (0..100)
            .map(|i| f64::from(i) / 10.0)
            .map(|x| [1.0, x, 2.0 - 3.0 * x + (7.0 * x).sin()])
            .collect()
    }

    fn inner(factor: &Factor<4>, a: usize, b: usize) -> f64 {
        factor.rows.iter().map(|row| row[a] * row[b]).sum()
    }

    #[test]
    fn a_factor_keeps_every_inner_product() {
        let mut triangle = Triangle::<4>::new(3);
        rows().iter().for_each(|row| triangle.push(row));
        let factor = triangle.finish();
        for a in 0..3 {
            for b in 0..3 {
                let direct: f64 = rows().iter().map(|row| row[a] * row[b]).sum();
                assert!(
                    (inner(&factor, a, b) - direct).abs() < 1e-10 * direct.abs().max(1.0),
                    "{a} {b}"
                );
            }
        }
    }

    #[test]
    fn rows_in_blocks_give_the_factor_of_rows_one_by_one() {
        let (mut single, mut blocks) = (Triangle::<4>::new(3), Triangle::<4>::new(3));
        rows().iter().for_each(|row| single.push(row));
        for rows in rows().chunks(11) {
            blocks.push_rows(rows.len(), |columns, at| {
                for (i, row) in rows.iter().enumerate() {
                    columns.iter_mut().zip(row).for_each(|(column, x)| column[at + i] = *x);
                }
            });
        }
        let (single, blocks) = (single.finish(), blocks.finish());
        for (a, b) in single.rows.iter().flatten().zip(blocks.rows.iter().flatten()) {
            assert!((a.abs() - b.abs()).abs() < 1e-11, "{a} {b}");
        }
    }

    #[test]
    fn a_solution_leaves_a_residual_at_right_angles() {
        let mut triangle = Triangle::<4>::new(3);
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
        let mut triangle = Triangle::<4>::new(4);
        for i in 0..50 {
            let x = f64::from(i) / 7.0;
            triangle.push(&[1.0, x, 3.0 - 2.0 * x, 0.0]);
        }
        let values = triangle.finish().singular_values();
        assert!(values[2] < 1e-15 && values[1] > 1e-2, "{values:?}");
    }
}
