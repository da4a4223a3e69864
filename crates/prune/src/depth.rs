//! Depth pruning: whole layers go.

use std::collections::BTreeMap;

use ledger::Cut;
use shape::config::ModelConfig;

use crate::error::{Error, Result};
use crate::methods::{Needs, Scores, Select, Takes, Target};
use crate::options::Options;
use crate::shapes;

/// `depth-block-influence`: drops the layers that change the residual stream least (Men et al.
/// 2024).
///
/// As many as come nearest to the rate; all are scored once, on the whole model. Of equal scores
/// the lower layer goes.
#[derive(Clone, Copy, Debug)]
pub struct BlockInfluence;

/// `depth-angular`: drops the most similar contiguous run of layers (Gromov et al. 2024).
///
/// Of the runs of as many layers as come nearest to the rate, the one with the least angular
/// distance between what enters it and what leaves it; of equal distances the lower run.
#[derive(Clone, Copy, Debug)]
pub struct Angular;

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
        Some(
            "Men et al. 2024, ShortGPT: Layers in Large Language Models are More Redundant Than You Expect",
        )
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes::Rate]
    }

    fn needs(&self) -> Needs {
        Needs::BlockInfluence
    }

    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        target: &Target,
        _: &Options,
    ) -> Result<Cut> {
        let &Target::Rate { rate, tolerance } = target else {
            return Err(Error::target(self, target));
        };
        let Scores::Layers(scores) = scores else { return Err(Error::no_scores(self)) };
        let count = shapes::nearest(config, rate, tolerance)?.dropped;
        let drop = lowest(scores, config.num_hidden_layers(), count)?;
        checked(config, drop)
    }
}

impl Select for Angular {
    fn name(&self) -> &'static str {
        "depth-angular"
    }

    fn summary(&self) -> &'static str {
        "drop the run of layers over which the residual stream turns least on calibration text"
    }

    fn paper(&self) -> Option<&'static str> {
        Some("Gromov et al. 2024, The Unreasonable Ineffectiveness of the Deeper Layers")
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes::Rate]
    }

    fn needs(&self) -> Needs {
        Needs::AngularDistance
    }

    fn told(&self, options: &Options) -> BTreeMap<String, String> {
        [("positions".to_owned(), options.positions.name().to_owned())].into()
    }

    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        target: &Target,
        _: &Options,
    ) -> Result<Cut> {
        let &Target::Rate { rate, tolerance } = target else {
            return Err(Error::target(self, target));
        };
        let Scores::Runs(scores) = scores else { return Err(Error::no_scores(self)) };
        let count = shapes::nearest(config, rate, tolerance)?.dropped;
        let (found, expected) = (scores.len(), config.num_hidden_layers() - count + 1);
        if found != expected {
            return Err(Error::RunCount { found, expected });
        }
        let first = lowest(scores, expected, 1)?[0];
        checked(config, (first..first + count).collect())
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

    fn takes(&self) -> &'static [Takes] {
        &[Takes::Layers]
    }

    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn choose(
        &self,
        config: &ModelConfig,
        _: &Scores,
        target: &Target,
        _: &Options,
    ) -> Result<Cut> {
        let Target::Layers(layers) = target else { return Err(Error::target(self, target)) };
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
    // A stable sort: of equal scores the lower layer stays in front. 0 is added so that -0 equals
    // 0.
    order.sort_by(|&a, &b| (scores[a] + 0.0).total_cmp(&(scores[b] + 0.0)));
    order.truncate(count);
    order.sort_unstable();
    Ok(order)
}

fn checked(config: &ModelConfig, drop: Vec<usize>) -> Result<Cut> {
    let cut = Cut::Depth { layers: config.num_hidden_layers(), drop };
    cut.validate()?;
    Ok(cut)
}
