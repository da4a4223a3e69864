//! The token embedding: looks up rows, and adds gradients back to the same rows.

use rayon::prelude::*;

use super::chunks::rows_of_chunk;
use crate::backend::Scalar;

/// `out[t] = table[tokens[t]]`.
pub(super) fn forward<T: Scalar>(table: &[T], tokens: &[u32], columns: usize, out: &mut [T]) {
    let rows = rows_of_chunk(columns);
    out.par_chunks_mut(rows * columns).zip(tokens.par_chunks(rows)).for_each(|(out, tokens)| {
        for (row, &token) in out.chunks_exact_mut(columns).zip(tokens) {
            let from = token as usize * columns;
            row.copy_from_slice(&table[from..from + columns]);
        }
    });
}

/// `table_grad[tokens[t]] += out_grad[t]`; each row is summed in the order of t.
pub(super) fn backward<T: Scalar>(
    out_grad: &[T],
    tokens: &[u32],
    columns: usize,
    table_grad: &mut [T],
) {
    // Each task owns a range of token ids. So no two tasks write the same row, and each row is
    // summed in the order of the text.
    let ids = (table_grad.len() / columns).div_ceil(16).max(1);
    table_grad.par_chunks_mut(ids * columns).enumerate().for_each(|(task, rows)| {
        let first = task * ids;
        for (grad, &token) in out_grad.chunks_exact(columns).zip(tokens) {
            let Some(row) = (token as usize).checked_sub(first) else { continue };
            if let Some(row) = rows.get_mut(row * columns..(row + 1) * columns) {
                for (row, &grad) in row.iter_mut().zip(grad) {
                    *row += grad;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::sums::dot;
    use super::super::testing::{check_gradient, numbers};
    use super::*;

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        let (vocabulary, columns) = (50, 3);
        let tokens = [0, 49, 7, 7, 31, 0, 7];
        let table: Vec<f64> = numbers(vocabulary * columns, 1);
        let probe: Vec<f64> = numbers(tokens.len() * columns, 2);
        let mut gradient = vec![0.0; table.len()];
        backward(&probe, &tokens, columns, &mut gradient);
        check_gradient("table", &table, &gradient, |table| {
            let mut out = vec![0.0; tokens.len() * columns];
            forward(table, &tokens, columns, &mut out);
            dot(&out, &probe)
        });
    }
}
