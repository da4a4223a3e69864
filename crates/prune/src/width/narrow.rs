//! Helpers of width methods: legal widths, memory, and the choice of the highest scores.

use ledger::{Cut, Indices, Kept, KeptByLayer, Part, Width};
use shape::config::ModelConfig;

use crate::error::{Error, Result};
use crate::options::MethodOptions;
use crate::scores::Scores;
use crate::select::{Select, check_block_count, no_scores};
use crate::target::{PruningTarget, Takes};
use shape::legal::{Smaller, Widths, choices, named};

/// The targets that width methods take.
pub(super) const TAKES: &[Takes] = &[Takes::Rate, Takes::Sizes];

/// How many legal shapes are listed.
const LISTED: usize = 6;

/// The legal shapes nearest to a rate, or the shape with the named sizes.
pub(super) fn outcomes(
    method: &str,
    config: &ModelConfig,
    target: &PruningTarget,
    options: &MethodOptions,
) -> Result<Vec<Smaller>> {
    match target {
        &PruningTarget::Rate { rate, tolerance } => {
            Ok(choices(config, rate, tolerance, &options.width, LISTED)?)
        }
        PruningTarget::Sizes(sizes) => Ok(vec![named(config, sizes)?]),
        PruningTarget::Blocks(_) | PruningTarget::Pattern => Err(target.refused_by(method, TAKES)),
    }
}

/// Bytes of the scores in f64: two norms, the neurons and the groups of heads of every block.
pub(super) fn score_bytes(config: &ModelConfig) -> u64 {
    let wide = |number: usize| number as u64;
    let (hidden, inner) = (wide(config.hidden_size()), wide(config.intermediate_size()));
    let groups = wide(config.num_key_value_heads());
    wide(config.num_hidden_layers()) * (2 * hidden + inner + groups) * 8
}

/// The cut that leaves the widths of `outcome` and keeps the highest scores.
pub(super) fn narrow(
    method: &dyn Select,
    config: &ModelConfig,
    scores: &Scores,
    outcome: &Smaller,
) -> Result<Cut> {
    let shape = outcome.shape;
    let Scores::Width(scores) = scores else { return Err(no_scores(method)) };
    let whole = Widths::of(config);
    let layers = config.num_hidden_layers();
    let by_layer = |part: Part, scores: &[Vec<f64>]| -> Result<Option<KeptByLayer>> {
        let (of, count) = (whole.size(part), shape.size(part));
        // A part that keeps its width needs no scores, and may have none.
        if count == of {
            return Ok(None);
        }
        check_block_count(scores.len(), layers)?;
        let keep = scores
            .iter()
            .enumerate()
            .map(|(layer, scores)| highest(part, Some(layer), scores, of, count));
        Ok(Some(KeptByLayer::new(of, keep.collect::<Result<_>>()?)))
    };
    let hidden = match (whole.hidden, shape.hidden) {
        (of, count) if of == count => None,
        (of, count) => Some(Kept::new(of, highest(Part::Hidden, None, &scores.hidden, of, count)?)),
    };
    let (ffn, heads) = (by_layer(Part::Ffn, &scores.ffn)?, by_layer(Part::Heads, &scores.heads)?);
    Ok(Cut::Width(Width::new(layers, hidden, ffn, heads)?))
}

/// The indices of the `count` highest scores, ascending. Among equal scores the lower index stays.
fn highest(
    part: Part,
    layer: Option<usize>,
    scores: &[f64],
    of: usize,
    count: usize,
) -> Result<Indices> {
    if scores.len() != of {
        let (found, place) = (scores.len(), in_layer(layer));
        return Err(Error::other(format!(
            "there are {found} scores of {part}{place}, expected {of}"
        )));
    }
    if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
        return Err(Error::other(format!(
            "of the {part}{} number {index} scores {}, expected a finite number",
            in_layer(layer),
            scores[index]
        )));
    }
    let mut order: Vec<usize> = (0..of).collect();
    // A stable sort keeps the lower index first among equal scores. Adding 0 turns -0 into 0.
    order.sort_by(|&a, &b| (scores[b] + 0.0).total_cmp(&(scores[a] + 0.0)));
    order.truncate(count);
    order.sort_unstable();
    Ok(Indices::of(order))
}

fn in_layer(layer: Option<usize>) -> String {
    layer.map_or_else(String::new, |layer| format!(" of layer {layer}"))
}
