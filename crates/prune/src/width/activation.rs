//! Scores every part of the width by its activations (Muralidharan et al. 2024, section 2.2).

use std::collections::BTreeMap;

use ledger::{Cut, Part};
use model::folder::ModelFolder;
use rayon::prelude::*;
use shape::config::ModelConfig;
use shape::tensors::{Role, trailing_tensors};

use super::narrow::{TAKES, narrow, outcomes, score_bytes};
use crate::cost::{MeasuringCost, TextSize};
use crate::error::Result;
use crate::measuring::Measuring;
use crate::options::{Aggregation, MethodOptions};
use crate::scores::{Scores, WidthScores};
use crate::select::{About, Select};
use crate::target::PruningTarget;
use crate::walk::{Inlet, Read, Seen, Visit};
use shape::legal::Smaller;

/// Columns that one thread task sums.
const COLUMNS: usize = 256;

/// `width-activation`: keeps the parts most active on calibration text (Muralidharan et al. 2024).
///
/// The score of a channel, neuron or group of heads summarises the numbers below. It first sums
/// over the tokens of a sequence and then over sequences, as the options say.
///
/// For a channel of the residual stream, the number is its value after a norm; scores are averaged
/// over all norms, the final one included. For a neuron, it is `silu(gate) up`, the input of the
/// down projection. For a group of heads, it is the Euclidean norm of what its query heads give to
/// the attention output. Only the parts that may become narrower are measured.
#[derive(Clone, Copy, Debug)]
pub struct WidthActivation;

impl Select for WidthActivation {
    fn about(&self) -> &'static About {
        &About {
            name: "width-activation",
            summary: "narrow every layer to the channels, neurons and groups of heads that are most active on \
         calibration text",
            paper: Some(
                "Muralidharan et al. 2024, Compact Language Models via Pruning and Knowledge Distillation",
            ),
            takes: TAKES,
            reads_text: true,
        }
    }

    fn recorded_options(&self, options: &MethodOptions) -> BTreeMap<String, String> {
        options.aggregations()
    }

    fn outcomes(
        &self,
        config: &ModelConfig,
        target: &PruningTarget,
        options: &MethodOptions,
    ) -> Result<Vec<Smaller>> {
        outcomes(self.name(), config, target, options)
    }

    fn cost(
        &self,
        config: &ModelConfig,
        _: &Smaller,
        _: &MethodOptions,
        text: TextSize,
    ) -> Result<MeasuringCost> {
        Ok(MeasuringCost { statistics: score_bytes(config), ..MeasuringCost::walk(config, text)? })
    }

    fn measure(&self, model: &mut Measuring<'_>, _: &Smaller) -> Result<Scores> {
        let (folder, options) = (model.folder(), model.options());
        let mut sums = ActivationSums::new(folder, options, model.sequences().length())?;
        model.walk(&mut sums)?;
        Ok(Scores::Width(sums.scores()))
    }

    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        _: &PruningTarget,
        outcome: &Smaller,
    ) -> Result<Cut> {
        narrow(self, config, scores, outcome)
    }
}

/// Sums over calibration text while blocks run.
struct ActivationSums<'a> {
    config: &'a ModelConfig,
    options: &'a MethodOptions,
    length: usize,
    /// Weights of the norm after the last block.
    final_norm: Vec<f32>,
    /// Two norms per block in model order, then the final one.
    norms: Vec<ColumnSums>,
    ffn: Vec<ColumnSums>,
    heads: Vec<ColumnSums>,
}

impl<'a> ActivationSums<'a> {
    fn new(folder: &'a ModelFolder, options: &'a MethodOptions, length: usize) -> Result<Self> {
        let config = folder.config();
        let layers = config.num_hidden_layers();
        let sums = |part, columns, count| {
            // A part that may not become narrower gets no sums: they would cost memory and time.
            let wanted = options.width.parts.contains(&part);
            vec![ColumnSums::new(columns); if wanted { count } else { 0 }]
        };
        Ok(Self {
            config,
            options,
            length,
            final_norm: final_norm(folder)?,
            norms: sums(Part::Hidden, config.hidden_size(), 2 * layers + 1),
            ffn: sums(Part::Ffn, config.intermediate_size(), layers),
            heads: sums(Part::Heads, config.num_key_value_heads(), layers),
        })
    }

    fn scores(&self) -> WidthScores {
        let over = self.options.over_sequences;
        let of =
            |sums: &[ColumnSums]| sums.iter().map(|sums| sums.scores(over)).collect::<Vec<_>>();
        let norms = of(&self.norms);
        let mean = |channel: usize| {
            norms.iter().map(|norm| norm[channel]).sum::<f64>() / norms.len() as f64
        };
        let channels = norms.first().map_or(0, Vec::len);
        WidthScores {
            hidden: (0..channels).map(mean).collect(),
            ffn: of(&self.ffn),
            heads: of(&self.heads),
        }
    }
}

/// For every column, the sum over sequences of the aggregate of their tokens.
#[derive(Clone)]
struct ColumnSums {
    columns: Vec<f64>,
    sequences: usize,
}

impl ColumnSums {
    fn new(columns: usize) -> Self {
        Self { columns: vec![0.0; columns], sequences: 0 }
    }

    /// Adds sequences of `length` rows. Every column is summed row by row, so the result does not
    /// depend on the number of threads.
    fn add(&mut self, rows: &[f32], length: usize, options: &MethodOptions) {
        let width = self.columns.len();
        self.sequences += rows.len() / (length * width);
        let (tokens, sequences) = (options.over_tokens, options.over_sequences);
        self.columns.par_chunks_mut(COLUMNS).enumerate().for_each(|(chunk, sums)| {
            let first = chunk * COLUMNS;
            let mut of_sequence = vec![0.0; sums.len()];
            for sequence in rows.chunks_exact(length * width) {
                of_sequence.fill(0.0);
                for row in sequence.chunks_exact(width) {
                    for (sum, &x) in of_sequence.iter_mut().zip(&row[first..]) {
                        *sum += tokens.term(f64::from(x));
                    }
                }
                for (sum, &of_sequence) in sums.iter_mut().zip(&of_sequence) {
                    *sum += sequences.term(tokens.of(of_sequence, length));
                }
            }
        });
    }

    fn scores(&self, over: Aggregation) -> Vec<f64> {
        self.columns.iter().map(|&sum| over.of(sum, self.sequences)).collect()
    }
}

impl Visit for ActivationSums<'_> {
    fn wants(&self, inlet: Inlet) -> bool {
        let part = match inlet {
            Inlet::Attention | Inlet::FeedForward => Part::Hidden,
            Inlet::AttentionOutput => Part::Heads,
            Inlet::Down => Part::Ffn,
        };
        self.options.width.parts.contains(&part)
    }

    fn read(&mut self, read: &Read<'_>) -> Result<()> {
        let (length, options) = (self.length, self.options);
        match read.inlet() {
            Inlet::Attention => self.norms[2 * read.layer()].add(read.values(), length, options),
            Inlet::FeedForward => {
                self.norms[2 * read.layer() + 1].add(read.values(), length, options);
            }
            Inlet::Down => self.ffn[read.layer()].add(read.values(), length, options),
            Inlet::AttentionOutput => {
                // Query heads that share a key head lie side by side, so a group is a run of
                // columns.
                let group = read.columns() / self.config.num_key_value_heads();
                let norms: Vec<f32> = read.values().par_chunks_exact(group).map(norm).collect();
                self.heads[read.layer()].add(&norms, length, options);
            }
        }
        Ok(())
    }

    fn block(&mut self, seen: &Seen<'_>) -> Result<()> {
        // No linear layer of a block reads the final norm, so it is computed here.
        if seen.layer() + 1 == self.config.num_hidden_layers() && !self.norms.is_empty() {
            let (weights, epsilon) = (&self.final_norm, self.config.rms_norm_eps());
            let rows = seen.after().par_chunks_exact(seen.hidden());
            let normed: Vec<f32> =
                rows.flat_map_iter(|row| normed(row, weights, epsilon)).collect();
            let last = self.norms.last_mut().expect("there is a final norm");
            last.add(&normed, self.length, self.options);
        }
        Ok(())
    }
}

/// The Euclidean norm.
fn norm(values: &[f32]) -> f32 {
    values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt() as f32
}

/// `w x / sqrt(mean x^2 + epsilon)`
fn normed<'a>(row: &'a [f32], weights: &'a [f32], epsilon: f64) -> impl Iterator<Item = f32> + 'a {
    let mean = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / row.len() as f64;
    let inverse = 1.0 / (mean + epsilon).sqrt();
    row.iter().zip(weights).map(move |(&x, &weight)| (f64::from(x) * inverse) as f32 * weight)
}

fn final_norm(folder: &ModelFolder) -> Result<Vec<f32>> {
    let specs = trailing_tensors(folder.config());
    let spec = specs
        .iter()
        .find(|spec| spec.role == Role::FinalNorm)
        .expect("every model has a final norm");
    let mut weights = vec![0.0; spec.len()];
    folder.read_f32(spec, &mut weights)?;
    Ok(weights)
}
