//! The points of one run, and the four rows that replace them.
//!
//! Within a run all derivatives are linear in `1`, `D^-beta` and `D^-beta ln D`. For one `beta`,
//! four rows hold all inner products of these with each other and with the target.

use super::lanes::{dot, exp, subtract, widest};
use super::triangle::{BLOCK, Triangle};

/// The points by column, in the gauge of their problem.
pub(super) struct Points {
    pub(super) tokens: Vec<f64>,
    pub(super) ln_tokens: Vec<f64>,
    /// The loss minus the part that no constant changes.
    pub(super) target: Vec<f64>,
    pub(super) root_weight: Vec<f64>,
}

/// The columns of a block: root weight x `[1, D^-beta, D^-beta ln D, target]`.
pub(super) type Columns = [[f64; BLOCK]; 4];

impl Points {
    /// No points yet, with room for `count`.
    pub(super) fn with_capacity(count: usize) -> Self {
        let column = || Vec::with_capacity(count);
        Self { tokens: column(), ln_tokens: column(), target: column(), root_weight: column() }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Calls `f` for every block with its number of rows and its columns. Unused rows are zero.
    #[inline(always)]
    pub(super) fn blocks(&self, beta: f64, mut f: impl FnMut(usize, &mut Columns)) {
        let chunks = self.ln_tokens.chunks(BLOCK).zip(self.target.chunks(BLOCK));
        for ((ln_tokens, target), root) in chunks.zip(self.root_weight.chunks(BLOCK)) {
            let rows = root.len();
            let mut ln = [0.0; BLOCK];
            let mut columns = [[0.0; BLOCK]; 4];
            ln[..rows].copy_from_slice(ln_tokens);
            columns[0][..rows].copy_from_slice(root);
            columns[3][..rows].copy_from_slice(target);
            let [root, power, sloped, target] = &mut columns;
            for i in 0..BLOCK {
                power[i] = root[i] * exp(-beta * ln[i]);
                sloped[i] = power[i] * ln[i];
                target[i] *= root[i];
            }
            f(rows, &mut columns);
        }
    }

    /// The rows that replace the points at this `beta`, by column. They form a triangle, so only
    /// the target has a fourth entry.
    pub(super) fn sums(&self, beta: f64) -> [[f64; 4]; 4] {
        let mut sums = [[0.0; 4]; 4];
        widest(
            #[inline(always)]
            || {
                // A single block is the common case and needs no triangle that joins blocks.
                if self.len() <= BLOCK {
                    self.blocks(
                        beta,
                        #[inline(always)]
                        |_, columns| sums = triangular(columns),
                    );
                    return;
                }
                let mut all = Triangle::<4>::new(4);
                self.blocks(
                    beta,
                    #[inline(always)]
                    |_, columns| {
                        let part = triangular(columns);
                        all.push_rows(4, |block, at| {
                            block
                                .iter_mut()
                                .zip(part)
                                .for_each(|(x, p)| x[at..at + 4].copy_from_slice(&p));
                        });
                    },
                );
                let rows = all.finish().rows;
                sums = std::array::from_fn(|column| rows.map(|row| row[column]));
            },
        );
        sums
    }
}

/// The triangular factor of four columns, by column (modified Gram-Schmidt). The columns become
/// orthogonal.
#[inline(always)]
fn triangular(columns: &mut Columns) -> [[f64; 4]; 4] {
    let mut factor = [[0.0; 4]; 4]; // [column, row]
    for j in 0..4 {
        let (left, right) = columns.split_at_mut(j + 1);
        let pivot = &left[j];
        let square = dot(pivot, pivot);
        // A zero column is orthogonal to everything and needs no row.
        if square == 0.0 {
            continue;
        }
        factor[j][j] = square.sqrt();
        // No column follows the target, and divisions are slow.
        if right.is_empty() {
            break;
        }
        let (unit, share) = (factor[j][j].recip(), square.recip());
        for (column, out) in right.iter_mut().zip(&mut factor[j + 1..]) {
            let product = dot(pivot, column);
            out[j] = product * unit;
            subtract(column, product * share, pivot);
        }
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(count: usize) -> Points {
        let mut points = Points::with_capacity(count);
        for i in 0..count {
            let tokens = 0.1 + 0.07 * i as f64;
            points.tokens.push(tokens);
            points.ln_tokens.push(tokens.ln());
            points.target.push(0.3 + 0.2 / tokens + 0.01 * (i as f64).sin());
            points.root_weight.push(1.0 + 0.1 * (i % 3) as f64);
        }
        points
    }

    #[test]
    fn four_rows_keep_every_inner_product_of_the_points() {
        for count in [1, 4, 5, 25, 32, 33, 100] {
            let (points, beta) = (points(count), 0.4);
            let sums = points.sums(beta);
            let row = |i: usize| {
                let (w, ln) = (points.root_weight[i], points.ln_tokens[i]);
                let power = (-beta * ln).exp();
                [w, w * power, w * power * ln, w * points.target[i]]
            };
            for a in 0..4 {
                for b in 0..4 {
                    let direct: f64 = (0..count).map(|i| row(i)[a] * row(i)[b]).sum();
                    let kept: f64 = (0..4).map(|i| sums[a][i] * sums[b][i]).sum();
                    assert!(
                        (kept - direct).abs() <= 1e-13 * count as f64,
                        "{count}: {a} {b}: {kept} {direct}"
                    );
                }
            }
        }
    }
}
