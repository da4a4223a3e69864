//! Block influence: how much a block turns the residual stream (Men et al. 2024, ShortGPT, equation
//! 1).

use ledger::Cut;
use rayon::prelude::*;
use shape::config::ModelConfig;

use super::blocks::{cosine, cut, dropped, lowest, outcomes_of_rate};
use crate::cost::{MeasuringCost, TextSize};
use crate::error::Result;
use crate::measuring::Measuring;
use crate::options::MethodOptions;
use crate::scores::Scores;
use crate::select::{About, Select, no_scores};
use crate::target::{PruningTarget, Takes};
use crate::walk::{Seen, Visit};
use shape::legal::Smaller;

/// `depth-block-influence`: drops the blocks that change the residual stream least.
///
/// The score of a block is `1 - mean over tokens of cos(x_in, x_out)`, from 0 (the block does
/// nothing) to 2. `x_in` and `x_out` are the residual stream before and after the block at one
/// token. The mean is over every token of every sequence, summed in f64 in text order.
///
/// The number of blocks that comes nearest to the rate goes. All blocks are scored once, on the
/// whole model. Among equal scores the lower block goes.
#[derive(Clone, Copy, Debug)]
pub struct BlockInfluence;

impl Select for BlockInfluence {
    fn about(&self) -> &'static About {
        &About {
            name: "depth-block-influence",
            summary: "drop the layers that change the residual stream least on calibration text",
            paper: Some(
                "Men et al. 2024, ShortGPT: Layers in Large Language Models are More Redundant Than You \
             Expect",
            ),
            takes: &[Takes::Rate],
            reads_text: true,
        }
    }

    fn outcomes(
        &self,
        config: &ModelConfig,
        target: &PruningTarget,
        _: &MethodOptions,
    ) -> Result<Vec<Smaller>> {
        outcomes_of_rate(self.name(), config, target)
    }

    fn cost(
        &self,
        config: &ModelConfig,
        _: &Smaller,
        _: &MethodOptions,
        text: TextSize,
    ) -> Result<MeasuringCost> {
        MeasuringCost::walk(config, text)
    }

    fn measure(&self, model: &mut Measuring<'_>, _: &Smaller) -> Result<Scores> {
        let mut cosines =
            SummedCosines { sums: vec![0.0; model.folder().config().num_hidden_layers()] };
        model.walk(&mut cosines)?;
        let tokens = model.sequences().tokens().len() as f64;
        Ok(Scores::Listed(cosines.sums.iter().map(|sum| 1.0 - sum / tokens).collect()))
    }

    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        _: &PruningTarget,
        outcome: &Smaller,
    ) -> Result<Cut> {
        let Scores::Listed(scores) = scores else { return Err(no_scores(self)) };
        cut(config, lowest(scores, config.num_hidden_layers(), dropped(config, outcome))?)
    }
}

/// Sums of cosines over tokens, one per block.
struct SummedCosines {
    sums: Vec<f64>,
}

impl Visit for SummedCosines {
    fn block(&mut self, seen: &Seen<'_>) -> Result<()> {
        let rows = seen
            .before()
            .par_chunks_exact(seen.hidden())
            .zip(seen.after().par_chunks_exact(seen.hidden()));
        let cosines: Vec<f64> = rows.map(|(before, after)| cosine(before, after)).collect();
        // Summed in order: the result must not depend on the number of threads.
        self.sums[seen.layer()] =
            cosines.iter().fold(self.sums[seen.layer()], |sum, cosine| sum + cosine);
        Ok(())
    }
}
