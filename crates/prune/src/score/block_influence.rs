//! Block influence: how much a block turns the residual stream (Men et al. 2024, ShortGPT, equation
//! 1).

use std::path::Path;

use model::backend::cpu::Cpu;
use model::folder::ModelFolder;
use rayon::prelude::*;

use crate::calibration::Sequences;
use crate::error::Result;
use crate::walk::{Seen, Visit, walk};

/// `1 - mean over tokens of cos(x_in, x_out)` for every block, 0 (the block does nothing) to 2.
///
/// `x_in` and `x_out` are the residual stream before and after the block at one token; the mean is
/// over every token of every sequence, summed in f64 in their order.
///
/// # Errors
/// Those of [`walk`].
pub fn block_influence(
    folder: &ModelFolder,
    sequences: &Sequences,
    spill: Option<&Path>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<f64>> {
    let mut mean = Mean { sums: vec![0.0; folder.config().num_hidden_layers()] };
    walk(Cpu::<f32>::new(), folder, sequences, spill, &mut mean, progress)?;
    let tokens = sequences.tokens().len() as f64;
    Ok(mean.sums.iter().map(|sum| 1.0 - sum / tokens).collect())
}

/// Sums of cosines, one a layer.
struct Mean {
    sums: Vec<f64>,
}

impl Visit for Mean {
    fn block(&mut self, seen: &Seen<'_>) -> Result<()> {
        let rows =
            seen.before.par_chunks_exact(seen.hidden).zip(seen.after.par_chunks_exact(seen.hidden));
        let cosines: Vec<f64> = rows.map(|(before, after)| cosine(before, after)).collect();
        // One after the other: the sum must not follow the number of threads.
        self.sums[seen.layer] =
            cosines.iter().fold(self.sums[seen.layer], |sum, cosine| sum + cosine);
        Ok(())
    }
}

/// The cosine of two vectors; 1 where both are zero (nothing changed), 0 where one is.
pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let (mut product, mut a_square, mut b_square) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        product += a * b;
        a_square += a * a;
        b_square += b * b;
    }
    match (a_square == 0.0, b_square == 0.0) {
        (true, true) => 1.0,
        (false, false) => product / (a_square.sqrt() * b_square.sqrt()),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_of_known_vectors() {
        assert_eq!(cosine(&[3.0, 4.0], &[3.0, 4.0]), 1.0);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
        assert_eq!(cosine(&[1.0, 0.0], &[-5.0, 0.0]), -1.0);
        assert!((cosine(&[1.0, 0.0], &[1.0, 1.0]) - 0.5_f64.sqrt()).abs() < 1e-15);
        assert_eq!(cosine(&[0.0, 0.0], &[0.0, 0.0]), 1.0);
        assert_eq!(cosine(&[0.0, 0.0], &[0.0, 1.0]), 0.0);
        // Squares of numbers that f32 holds neither overflow nor vanish in f64.
        assert!((cosine(&[3e38, 3e38], &[1e-40, 1e-40]) - 1.0).abs() < 1e-12);
    }
}
