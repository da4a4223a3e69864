//! Depth pruning: whole layers go.

use ledger::Cut;
use model::config::ModelConfig;

use crate::error::{Error, Result};
use crate::methods::{Needs, Scores, Select, Takes, Target};
use crate::{score, shapes};

/// `depth-block-influence`: drops the layers that change the residual stream least (Men et al. 2024).
///
/// As many as come nearest to the rate; all are scored once, on the whole model. Of equal scores the lower layer goes.
#[derive(Clone, Copy, Debug)]
pub struct BlockInfluence;

/// `depth-list`: drops the layers that it is told to.
#[derive(Clone, Copy, Debug)]
pub struct List;

impl Select for BlockInfluence {
    fn name(&self) -> &'static str {
        "depth-block-influence"
    }

    fn summary(&self) -> &'static str {
        "drop the layers that change the residual stream least on calibration text"
    }

    fn paper(&self) -> Option<&'static str> {
        Some("Men et al. 2024, ShortGPT: Layers in Large Language Models are More Redundant Than You Expect")
    }

    fn takes(&self) -> Takes {
        Takes::Rate
    }

    fn needs(&self) -> Needs {
        Needs::LayerScores(score::block_influence::block_influence)
    }

    fn choose(&self, config: &ModelConfig, scores: &Scores, target: &Target) -> Result<Cut> {
        let &Target::Rate { rate, tolerance } = target else { return Err(other_target(self, target)) };
        let Some(scores) = &scores.layers else { return Err(Error::NoCalibration { method: self.name() }) };
        let count = shapes::nearest(config, rate, tolerance)?.dropped;
        let drop = lowest(scores, config.num_hidden_layers, count)?;
        checked(config, drop)
    }
}

impl Select for List {
    fn name(&self) -> &'static str {
        "depth-list"
    }

    fn summary(&self) -> &'static str {
        "drop the layers that are listed"
    }

    fn paper(&self) -> Option<&'static str> {
        None
    }

    fn takes(&self) -> Takes {
        Takes::Layers
    }

    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn choose(&self, config: &ModelConfig, _: &Scores, target: &Target) -> Result<Cut> {
        let Target::Layers(layers) = target else { return Err(other_target(self, target)) };
        if layers.is_empty() {
            return Err(Error::NothingDropped);
        }
        let mut drop = layers.clone();
        drop.sort_unstable();
        checked(config, drop)
    }
}

/// The `count` layers of lowest score, ascending.
fn lowest(scores: &[f64], layers: usize, count: usize) -> Result<Vec<usize>> {
    if scores.len() != layers {
        return Err(Error::ScoreCount { found: scores.len(), expected: layers });
    }
    if let Some(layer) = scores.iter().position(|score| !score.is_finite()) {
        return Err(Error::Score { layer, found: scores[layer] });
    }
    let mut order: Vec<usize> = (0..layers).collect();
    // A stable sort: of equal scores the lower layer stays in front. 0 is added so that -0 equals 0.
    order.sort_by(|&a, &b| (scores[a] + 0.0).total_cmp(&(scores[b] + 0.0)));
    order.truncate(count);
    order.sort_unstable();
    Ok(order)
}

fn checked(config: &ModelConfig, drop: Vec<usize>) -> Result<Cut> {
    let cut = Cut::Depth { layers: config.num_hidden_layers, drop };
    cut.validate()?;
    Ok(cut)
}

fn other_target(method: &dyn Select, target: &Target) -> Error {
    let (found, expected) = (target.kind().words(), method.takes().words());
    Error::Target { method: method.name(), found, expected }
}
