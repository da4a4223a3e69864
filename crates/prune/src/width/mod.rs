//! Width pruning: channels, neurons and groups of heads go, as many in every layer.

pub mod shape;

use std::collections::BTreeMap;

use ::shape::config::ModelConfig;
use ledger::{Cut, Indices, Kept, KeptByLayer, Part, Width};
use shape::{Choice, Shape, choices, named};

use crate::error::{Error, Result};
use crate::methods::{Needs, Scores, Select, Takes, Target};
use crate::options::Options;

/// How much each channel, neuron and group matters; the highest stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WidthScores {
    /// One for each channel of the residual stream.
    pub hidden: Vec<f64>,
    /// One for each neuron, layer by layer.
    pub ffn: Vec<Vec<f64>>,
    /// One for each group of heads, layer by layer.
    pub heads: Vec<Vec<f64>>,
}

/// `width-activation`: keeps what is most active on calibration text (Muralidharan et al. 2024).
#[derive(Clone, Copy, Debug)]
pub struct Activation;

/// `width-magnitude`: keeps what has the largest weights.
#[derive(Clone, Copy, Debug)]
pub struct Magnitude;

impl Select for Activation {
    fn name(&self) -> &'static str {
        "width-activation"
    }

    fn summary(&self) -> &'static str {
        "narrow every layer to the channels, neurons and groups of heads that are most active on calibration text"
    }

    fn paper(&self) -> Option<&'static str> {
        Some(
            "Muralidharan et al. 2024, Compact Language Models via Pruning and Knowledge Distillation",
        )
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes::Rate, Takes::Sizes]
    }

    fn needs(&self) -> Needs {
        Needs::Activations
    }

    fn told(&self, options: &Options) -> BTreeMap<String, String> {
        options.aggregations()
    }

    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        target: &Target,
        options: &Options,
    ) -> Result<Cut> {
        narrow(self, config, scores, target, options)
    }
}

impl Select for Magnitude {
    fn name(&self) -> &'static str {
        "width-magnitude"
    }

    fn summary(&self) -> &'static str {
        "narrow every layer to the channels, neurons and groups of heads with the largest weights"
    }

    fn paper(&self) -> Option<&'static str> {
        None
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes::Rate, Takes::Sizes]
    }

    fn needs(&self) -> Needs {
        Needs::Weights
    }

    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        target: &Target,
        options: &Options,
    ) -> Result<Cut> {
        narrow(self, config, scores, target, options)
    }
}

/// The shape that a target asks for: the first of the nearest, or the sizes that are named.
///
/// # Errors
/// Those of [`choices`] and [`named`]; [`Error::Target`] for a list of layers.
pub fn solve(
    method: &dyn Select,
    config: &ModelConfig,
    target: &Target,
    options: &Options,
) -> Result<Choice> {
    match target {
        &Target::Rate { rate, tolerance } => {
            let mut best = choices(config, rate, tolerance, options, 1)?;
            Ok(best.remove(0))
        }
        Target::Sizes(sizes) => named(config, sizes),
        Target::Layers(_) | Target::Pattern => Err(Error::target(method, target)),
    }
}

fn narrow(
    method: &dyn Select,
    config: &ModelConfig,
    scores: &Scores,
    target: &Target,
    options: &Options,
) -> Result<Cut> {
    let shape = solve(method, config, target, options)?.shape;
    let Scores::Width(scores) = scores else { return Err(Error::no_scores(method)) };
    let whole = Shape::of(config);
    let layers = config.num_hidden_layers();
    let by_layer = |part: Part, scores: &[Vec<f64>]| -> Result<Option<KeptByLayer>> {
        let (of, count) = (whole.size(part), shape.size(part));
        if count == of {
            return Ok(None);
        }
        if scores.len() != layers {
            return Err(Error::ScoreCount { found: scores.len(), expected: layers });
        }
        let keep = scores
            .iter()
            .enumerate()
            .map(|(layer, scores)| highest(part, Some(layer), scores, of, count));
        Ok(Some(KeptByLayer { of, keep: keep.collect::<Result<_>>()? }))
    };
    let hidden = match (whole.hidden, shape.hidden) {
        (of, count) if of == count => None,
        (of, count) => {
            Some(Kept { of, keep: highest(Part::Hidden, None, &scores.hidden, of, count)? })
        }
    };
    let cut = Cut::Width(Width {
        layers,
        hidden,
        ffn: by_layer(Part::Ffn, &scores.ffn)?,
        heads: by_layer(Part::Heads, &scores.heads)?,
    });
    cut.validate()?;
    Ok(cut)
}

/// The `count` of highest score; of equal scores the lower index stays.
fn highest(
    part: Part,
    layer: Option<usize>,
    scores: &[f64],
    of: usize,
    count: usize,
) -> Result<Indices> {
    if scores.len() != of {
        return Err(Error::PartScores { part, layer, found: scores.len(), expected: of });
    }
    if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
        return Err(Error::PartScore { part, layer, index, found: scores[index] });
    }
    let mut order: Vec<usize> = (0..of).collect();
    // A stable sort, as in depth; 0 is added so that -0 equals 0.
    order.sort_by(|&a, &b| (scores[b] + 0.0).total_cmp(&(scores[a] + 0.0)));
    order.truncate(count);
    order.sort_unstable();
    Ok(Indices::of(order))
}
