//! Scores every part of the width by the magnitude of its weights.

use ledger::{Cut, Part};
use model::folder::ModelFolder;
use rayon::prelude::*;
use shape::config::ModelConfig;
use shape::tensors::{Role, TensorSpec, block_tensors, leading_tensors, trailing_tensors};

use super::narrow::{TAKES, narrow, outcomes, score_bytes};
use crate::cost::{MeasuringCost, TextSize};
use crate::error::{Error, Result};
use crate::measuring::Measuring;
use crate::options::MethodOptions;
use crate::scores::{Scores, WidthScores};
use crate::select::{About, Select};
use crate::target::PruningTarget;
use shape::legal::Smaller;

/// Columns that one thread task sums.
const TASK: usize = 64;

/// Numbers that are read at a time.
const PIECE: usize = 1 << 22;

/// `width-magnitude`: keeps the parts with the largest weights.
///
/// The score is `mean |w|` over every weight of a channel, neuron or group of heads, without norms
/// and biases.
///
/// A channel of the residual stream owns its column in the embedding, in the head and in every
/// matrix that reads the stream. It also owns its row in every matrix that writes to the stream. A
/// neuron owns its rows of gate and up and its column of down. A group of heads owns its rows of
/// query, key and value and its columns of the attention output. Only the parts that may become
/// narrower are measured.
#[derive(Clone, Copy, Debug)]
pub struct WidthMagnitude;

impl Select for WidthMagnitude {
    fn about(&self) -> &'static About {
        &About {
            name: "width-magnitude",
            summary: "narrow every layer to the channels, neurons and groups of heads with the largest weights",
            paper: None,
            takes: TAKES,
            reads_text: false,
        }
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
        _: TextSize,
    ) -> Result<MeasuringCost> {
        Ok(MeasuringCost {
            statistics: score_bytes(config),
            ..MeasuringCost::reading_weights(config)?
        })
    }

    fn measure(&self, model: &mut Measuring<'_>, _: &Smaller) -> Result<Scores> {
        Ok(Scores::Width(magnitudes(model)?))
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

/// Mean magnitudes. Reads every weight once, and no text.
fn magnitudes(model: &mut Measuring<'_>) -> Result<WidthScores> {
    let (folder, options) = (model.folder(), model.options());
    let config = folder.config();
    let (layers, groups) = (config.num_hidden_layers(), config.num_key_value_heads());
    let wants = |part| options.width.parts.contains(&part);
    let mut hidden = Means::new(config.hidden_size());
    let mut scores = WidthScores::default();
    if wants(Part::Hidden) {
        let outside = [leading_tensors(config), trailing_tensors(config)].concat();
        for spec in outside.iter().filter(|spec| matches!(spec.role, Role::Embedding | Role::Head))
        {
            hidden.add(&Matrix::read(folder, spec)?.columns(), spec.rows());
        }
    }
    model.progress(0, layers);
    for layer in 0..layers {
        let mut ffn = Means::new(config.intermediate_size());
        let mut heads = Means::new(groups);
        for spec in block_tensors(config, layer) {
            let (part, rows) = match spec.role {
                Role::Query | Role::Key | Role::Value => (Part::Heads, true),
                Role::AttentionOutput => (Part::Heads, false),
                Role::Gate | Role::Up => (Part::Ffn, true),
                Role::Down => (Part::Ffn, false),
                _ => continue,
            };
            if !wants(part) && !wants(Part::Hidden) {
                continue;
            }
            let matrix = Matrix::read(folder, &spec)?;
            let (by_row, by_column) = (matrix.rows(), matrix.columns());
            // A matrix that reads the stream has one row per inner unit; one that writes to it has
            // one column.
            let (inner, stream) = if rows { (by_row, by_column) } else { (by_column, by_row) };
            let (of_inner, of_stream) =
                if rows { (spec.columns(), spec.rows()) } else { (spec.rows(), spec.columns()) };
            hidden.add(&stream, of_stream);
            match part {
                Part::Heads => {
                    // Rows of a group of heads lie side by side, so each group is one run of them.
                    let size = inner.len() / groups;
                    let sums: Vec<f64> =
                        inner.chunks_exact(size).map(|group| group.iter().sum()).collect();
                    heads.add(&sums, of_inner * size);
                }
                _ => ffn.add(&inner, of_inner),
            }
        }
        if wants(Part::Ffn) {
            scores.ffn.push(ffn.means());
        }
        if wants(Part::Heads) {
            scores.heads.push(heads.means());
        }
        model.progress(layer + 1, layers);
    }
    if wants(Part::Hidden) {
        scores.hidden = hidden.means();
    }
    Ok(scores)
}

/// Sums for several units, each over `weights` weights.
struct Means {
    sums: Vec<f64>,
    weights: usize,
}

impl Means {
    fn new(len: usize) -> Self {
        Self { sums: vec![0.0; len], weights: 0 }
    }

    fn add(&mut self, sums: &[f64], weights: usize) {
        self.weights += weights;
        for (sum, more) in self.sums.iter_mut().zip(sums) {
            *sum += more;
        }
    }

    fn means(self) -> Vec<f64> {
        let weights = self.weights.max(1) as f64;
        self.sums.into_iter().map(|sum| sum / weights).collect()
    }
}

/// Sums of magnitudes of one matrix. The matrix itself is not kept.
struct Matrix {
    rows: Vec<f64>,
    columns: Vec<f64>,
}

impl Matrix {
    /// Reads a matrix in pieces of whole rows. The memory of each piece is released after use.
    fn read(folder: &ModelFolder, spec: &TensorSpec) -> Result<Self> {
        let width = spec.columns();
        let mut sums = Self { rows: vec![0.0; spec.rows()], columns: vec![0.0; width] };
        let mut done = 0;
        folder.read_rows(spec, PIECE, &mut |piece| {
            let rows = piece.len() / width;
            let of_rows = &mut sums.rows[done..done + rows];
            of_rows.par_iter_mut().zip(piece.par_chunks_exact(width)).for_each(|(sum, row)| {
                *sum = row.iter().map(|&x| f64::from(x.abs())).sum();
            });
            // Every column is summed row by row, so the result does not depend on the number of
            // threads.
            sums.columns.par_chunks_mut(TASK).enumerate().for_each(|(chunk, sums)| {
                for row in piece.chunks_exact(width) {
                    for (sum, &x) in sums.iter_mut().zip(&row[chunk * TASK..]) {
                        *sum += f64::from(x.abs());
                    }
                }
            });
            done += rows;
            Ok::<(), Error>(())
        })?;
        Ok(sums)
    }

    fn rows(&self) -> Vec<f64> {
        self.rows.clone()
    }

    fn columns(&self) -> Vec<f64> {
        self.columns.clone()
    }
}
