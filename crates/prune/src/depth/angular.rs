//! Angular distance: how far a run of blocks turns the residual stream (Gromov et al. 2024,
//! equation 7).

use std::collections::BTreeMap;
use std::f64::consts::PI;

use ledger::Cut;
use rayon::prelude::*;
use shape::config::ModelConfig;

use super::blocks::{cosine, cut, dropped, lowest, outcomes_of_rate};
use crate::cost::{MeasuringCost, TextSize};
use crate::error::{Error, Result};
use crate::measuring::Measuring;
use crate::options::{MethodOptions, Positions};
use crate::scores::Scores;
use crate::select::{About, Select, no_scores};
use crate::target::{PruningTarget, Takes};
use crate::walk::{ResidualStream, Seen, Visit};
use shape::legal::Smaller;

/// `depth-angular`: drops the most similar contiguous run of blocks.
///
/// The score of a run of `count` blocks is `mean of arccos(cos(x_l, x_(l+count))) / pi`. It lies
/// between 0 (the run does nothing) and 1. There is one score for each block `l` at which a run can
/// begin. `x_l` is the residual stream that enters block `l`; for `l` the number of blocks, it is
/// the output of the last block, before the final norm. The paper takes the last token of every
/// sequence, [`Positions::Last`]. [`Positions::All`] takes every token. It keeps the stream of
/// `count` blocks, so it needs memory for that many copies of the calibration activations.
///
/// The number of blocks that comes nearest to the rate goes. Among runs of that length, the one
/// with the least distance goes; among equal distances, the lower run.
#[derive(Clone, Copy, Debug)]
pub struct Angular;

impl Select for Angular {
    fn about(&self) -> &'static About {
        &About {
            name: "depth-angular",
            summary: "drop the run of layers over which the residual stream turns least on calibration text",
            paper: Some(
                "Gromov et al. 2024, The Unreasonable Ineffectiveness of the Deeper Layers",
            ),
            takes: &[Takes::Rate],
            reads_text: true,
        }
    }

    fn recorded_options(&self, options: &MethodOptions) -> BTreeMap<String, String> {
        [("positions".to_owned(), options.positions.name().to_owned())].into()
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
        outcome: &Smaller,
        options: &MethodOptions,
        text: TextSize,
    ) -> Result<MeasuringCost> {
        let (walk, dropped) = (MeasuringCost::walk(config, text)?, dropped(config, outcome));
        Ok(match options.positions {
            Positions::All => {
                MeasuringCost { streams: walk.streams.saturating_mul(1 + dropped as u64), ..walk }
            }
            Positions::Last => {
                let remembered =
                    (dropped * text.sequences) as u64 * config.hidden_size() as u64 * 4;
                MeasuringCost { statistics: remembered, ..walk }
            }
        })
    }

    fn measure(&self, model: &mut Measuring<'_>, outcome: &Smaller) -> Result<Scores> {
        let config = model.folder().config();
        let (layers, hidden) = (config.num_hidden_layers(), config.hidden_size());
        let (length, tokens) = (model.sequences().length(), model.sequences().tokens().len());
        let (count, positions) = (dropped(config, outcome), model.options().positions);
        let compared = match positions {
            Positions::Last => tokens / length,
            Positions::All => tokens,
        };
        let mut remembered = Vec::new();
        for _ in 0..count {
            remembered.push(ResidualStream::new(compared, hidden, model.spill())?);
        }
        // A run of `count` blocks can begin at the first `layers - count + 1` blocks.
        let sums = vec![0.0; layers - count + 1];
        let mut turns = Turns { count, layers, length, positions, remembered, at: 0, sums };
        model.walk(&mut turns)?;
        Ok(Scores::Listed(turns.sums.iter().map(|sum| sum / compared as f64).collect()))
    }

    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        _: &PruningTarget,
        outcome: &Smaller,
    ) -> Result<Cut> {
        let Scores::Listed(scores) = scores else { return Err(no_scores(self)) };
        let count = dropped(config, outcome);
        let (found, expected) = (scores.len(), config.num_hidden_layers() - count + 1);
        if found != expected {
            let message =
                format!("there are {found} scores of runs of layers, expected {expected}");
            return Err(Error::other(message));
        }
        let first = lowest(scores, expected, 1)?[0];
        cut(config, (first..first + count).collect())
    }
}

/// Sums of angles over tokens, one per run.
struct Turns {
    count: usize,
    layers: usize,
    length: usize,
    positions: Positions,
    /// The streams that entered the last `count` blocks; that of block `l` is at `l % count`.
    remembered: Vec<ResidualStream>,
    /// How many numbers earlier batches have written for this block.
    at: usize,
    sums: Vec<f64>,
}

impl Turns {
    /// Compares the stream at boundary `boundary` with the stream `count` blocks earlier.
    fn compare(&mut self, boundary: usize, now: &[f32], hidden: usize) -> Result<()> {
        let Some(first) = boundary.checked_sub(self.count) else { return Ok(()) };
        let mut then = vec![0.0; now.len()];
        self.remembered[first % self.count].read(self.at, &mut then)?;
        let rows = then.par_chunks_exact(hidden).zip(now.par_chunks_exact(hidden));
        // Rounding may put a cosine slightly outside -1 to 1, where the arccosine is NaN.
        let angles: Vec<f64> =
            rows.map(|(then, now)| cosine(then, now).clamp(-1.0, 1.0).acos() / PI).collect();
        // Summed in order: the result must not depend on the number of threads.
        self.sums[first] = angles.iter().fold(self.sums[first], |sum, angle| sum + angle);
        Ok(())
    }

    /// The rows of a batch that the distance uses.
    fn compared(&self, stream: &[f32], hidden: usize) -> Vec<f32> {
        match self.positions {
            Positions::All => stream.to_vec(),
            Positions::Last => {
                let last = stream.chunks_exact(self.length * hidden);
                last.flat_map(|sequence| &sequence[(self.length - 1) * hidden..]).copied().collect()
            }
        }
    }
}

impl Visit for Turns {
    fn begin(&mut self, _layer: usize) {
        self.at = 0;
    }

    fn block(&mut self, seen: &Seen<'_>) -> Result<()> {
        let before = self.compared(seen.before(), seen.hidden());
        // Compare before writing: the new stream takes the place of the one that is compared.
        self.compare(seen.layer(), &before, seen.hidden())?;
        self.remembered[seen.layer() % self.count].write(self.at, &before)?;
        // No block follows the last, so its output is compared here.
        if seen.layer() + 1 == self.layers {
            let after = self.compared(seen.after(), seen.hidden());
            self.compare(self.layers, &after, seen.hidden())?;
        }
        self.at += before.len();
        Ok(())
    }
}
