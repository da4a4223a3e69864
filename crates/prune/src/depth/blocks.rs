//! Helpers of depth methods: legal depths, the order of scores, the cosine.

use ledger::Cut;
use shape::config::ModelConfig;

use crate::error::{Error, Result};
use crate::select::check_block_count;
use crate::target::{PruningTarget, Takes};
use shape::legal::{Smaller, nearest};

/// The depth nearest to a rate and its two neighbours, best first.
pub(super) fn outcomes_of_rate(
    method: &str,
    config: &ModelConfig,
    target: &PruningTarget,
) -> Result<Vec<Smaller>> {
    let &PruningTarget::Rate { rate, tolerance } = target else {
        return Err(target.refused_by(method, &[Takes::Rate]));
    };
    let dropped = nearest(config, rate, tolerance)?.dropped();
    let mut near: Vec<usize> =
        (1..config.num_hidden_layers()).filter(|&other| other.abs_diff(dropped) <= 1).collect();
    // A stable sort: of two neighbours equally near, the one that drops less comes first.
    near.sort_by_key(|&other| other.abs_diff(dropped));
    near.into_iter().map(|dropped| without(config, dropped)).collect()
}

/// The model without `dropped` of its blocks.
pub(super) fn without(config: &ModelConfig, dropped: usize) -> Result<Smaller> {
    let kept = config.num_hidden_layers() - dropped;
    let smaller = config.with_blocks(kept);
    Ok(Smaller::of(config, &smaller)?)
}

/// How many blocks go.
pub(super) fn dropped(config: &ModelConfig, outcome: &Smaller) -> usize {
    config.num_hidden_layers() - outcome.layers
}

/// The `count` indices of lowest score among `places`, ascending. Among equal scores the lower
/// index goes.
pub(super) fn lowest(scores: &[f64], places: usize, count: usize) -> Result<Vec<usize>> {
    check_block_count(scores.len(), places)?;
    if let Some(place) = scores.iter().position(|score| !score.is_finite()) {
        let message =
            format!("the score of layer {place} is {}, expected a finite number", scores[place]);
        return Err(Error::other(message));
    }
    let mut order: Vec<usize> = (0..places).collect();
    // A stable sort keeps the lower index first among equal scores. Adding 0 turns -0 into 0.
    order.sort_by(|&a, &b| (scores[a] + 0.0).total_cmp(&(scores[b] + 0.0)));
    order.truncate(count);
    order.sort_unstable();
    Ok(order)
}

/// The cut that drops these blocks, given in ascending order.
pub(super) fn cut(config: &ModelConfig, drop: Vec<usize>) -> Result<Cut> {
    let cut = Cut::Depth { layers: config.num_hidden_layers(), drop };
    cut.validate()?;
    Ok(cut)
}

/// The cosine of two vectors: 1 if both are zero (nothing changed), 0 if only one is.
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
        // In f64, squares of f32 numbers neither overflow nor become zero.
        assert!((cosine(&[3e38, 3e38], &[1e-40, 1e-40]) - 1.0).abs() < 1e-12);
    }
}
