//! Maps every tensor of the new model to rows and columns of a tensor of the old one.

use std::ops::Range;

use ledger::{Cut, Indices, Width};
use model::folder::{FolderWriter, ModelFolder};
use shape::config::ModelConfig;
use shape::tensors::{Role, TensorSpec, block_tensors, leading_tensors, trailing_tensors};

use crate::error::{Error, Result};

/// A tensor of the new model, and its source in the old one.
#[derive(Debug)]
pub(crate) struct TensorCut {
    pub(crate) from: TensorSpec,
    pub(crate) to: TensorSpec,
    /// Rows that stay, all if `None`. A vector is one row.
    rows: Option<Vec<Range<usize>>>,
    /// Columns that stay, all if `None`.
    columns: Option<Vec<Range<usize>>>,
}

/// Every tensor of the smaller model, in file order.
pub(crate) fn tensor_cuts(old: &ModelConfig, new: &ModelConfig, cut: &Cut) -> Vec<TensorCut> {
    let mut pairs: Vec<_> = leading_tensors(old).into_iter().zip(leading_tensors(new)).collect();
    // Blocks that stay are renumbered without gaps.
    for (block, &layer) in cut.kept().iter().enumerate() {
        pairs.extend(block_tensors(old, layer).into_iter().zip(block_tensors(new, block)));
    }
    pairs.extend(trailing_tensors(old).into_iter().zip(trailing_tensors(new)));
    let sides = |from: &TensorSpec| match cut {
        Cut::Depth { .. } | Cut::Sparse { .. } => (None, None),
        Cut::Width(width) => sides(old, width, from),
    };
    pairs
        .into_iter()
        .map(|(from, to)| {
            let (rows, columns) = sides(&from);
            let tensor = TensorCut { from, to, rows, columns };
            assert_eq!(
                tensor.shape(),
                (tensor.to.rows(), tensor.to.columns()),
                "{}: a cut gives its shape",
                tensor.to.name
            );
            tensor
        })
        .collect()
}

/// Runs of rows or columns; all of them if `None`.
type Runs = Option<Vec<Range<usize>>>;

/// The rows and columns of a tensor that a width cut keeps.
fn sides(old: &ModelConfig, width: &Width, from: &TensorSpec) -> (Runs, Runs) {
    let stream = || width.hidden().map(|kept| scaled(kept.keep(), 1));
    let layer = from.layer.unwrap_or(0);
    let neurons = || width.ffn().map(|kept| scaled(&kept.keep()[layer], 1));
    let groups = |channels: usize| width.heads().map(|kept| scaled(&kept.keep()[layer], channels));
    // A group of heads is one key head, one value head and the query heads that share them.
    let of_keys = old.head_dim();
    let of_queries = old.num_attention_heads() / old.num_key_value_heads() * old.head_dim();
    match from.role {
        Role::Embedding
        | Role::Head
        | Role::AttentionNorm
        | Role::FeedForwardNorm
        | Role::FinalNorm => (None, stream()),
        Role::Query => (groups(of_queries), stream()),
        Role::Key | Role::Value => (groups(of_keys), stream()),
        Role::QueryBias => (None, groups(of_queries)),
        Role::KeyBias | Role::ValueBias => (None, groups(of_keys)),
        // Weights are `[out, in]`: a matrix that writes to the stream has its channels as rows.
        Role::AttentionOutput => (stream(), groups(of_queries)),
        Role::Gate | Role::Up => (neurons(), stream()),
        Role::Down => (stream(), neurons()),
    }
}

/// Turns runs of units into runs of channels, `channels` for each unit.
fn scaled(kept: &Indices, channels: usize) -> Vec<Range<usize>> {
    kept.runs().iter().map(|run| run.start * channels..run.end * channels).collect()
}

impl TensorCut {
    /// Writes the tensor; it must be the next of the plan.
    pub(crate) fn copy(&self, folder: &ModelFolder, writer: &mut FolderWriter) -> Result<()> {
        let (size, width) = (folder.tensor(&self.from)?.dtype.size(), self.from.columns());
        let row_bytes = width * size;
        let mut out = Vec::new();
        let every_row = 0..self.from.rows();
        for run in self.rows.as_deref().unwrap_or(std::slice::from_ref(&every_row)) {
            let range = run.start * row_bytes..run.end * row_bytes;
            let Some(columns) = &self.columns else {
                // Whole rows are one range of bytes.
                folder.copy_bytes(&self.from, range, writer)?;
                continue;
            };
            folder.read_bytes(&self.from, range, row_bytes, &mut |bytes| {
                out.clear();
                for row in bytes.chunks_exact(row_bytes) {
                    for run in columns {
                        out.extend_from_slice(&row[run.start * size..run.end * size]);
                    }
                }
                Ok::<(), Error>(writer.write(&out)?)
            })?;
        }
        Ok(())
    }

    fn shape(&self) -> (usize, usize) {
        let kept =
            |runs: &Runs, all| runs.as_ref().map_or(all, |runs| runs.iter().map(Range::len).sum());
        (kept(&self.rows, self.from.rows()), kept(&self.columns, self.from.columns()))
    }
}
