//! The head of a tied model, where its folder stores one all the same.

use shape::config::ModelConfig;

use super::files::Files;
use crate::error::Result;
use crate::safetensors::{SafeTensors, TensorView};

/// The field of `config.json` that says whether the head is the embedding.
pub(super) const TIED: &str = "tie_word_embeddings";
pub(super) const EMBEDDING: &str = "model.embed_tokens.weight";
pub(super) const HEAD: &str = "lm_head.weight";

/// Bytes that are compared before their memory is released.
const PIECE: usize = 1 << 22;
/// Numbers that are compared at once.
const NUMBERS: usize = PIECE / 4;

/// What a folder stores as the head of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoredHead {
    /// None, or the model is not tied.
    None,
    /// The embedding once more.
    Same,
    /// Other numbers than the embedding.
    Other,
    /// The tied tensor, under this name only.
    Alone,
}

impl StoredHead {
    /// The problem that this is, if it is one.
    pub(super) fn remark(self) -> Option<String> {
        (self == Self::Other).then(|| {
            format!(
                "`config.json` says that the head is the embedding, and `{HEAD}` holds another: it is read as it is \
                 stored, as a head of its own"
            )
        })
    }
}

/// Holds the head of a folder against its embedding. Both are read in full only where both are
/// stored.
pub(super) fn head(files: &Files, config: &ModelConfig) -> Result<StoredHead> {
    if !config.tie_word_embeddings() || !files.has(HEAD) {
        return Ok(StoredHead::None);
    }
    if !files.has(EMBEDDING) {
        return Ok(StoredHead::Alone);
    }
    let (head_file, embedding_file) = (files.holding(HEAD)?, files.holding(EMBEDDING)?);
    let (head, embedding) = (head_file.tensor(HEAD)?, embedding_file.tensor(EMBEDDING)?);
    let same = head.shape == embedding.shape
        && if head.dtype == embedding.dtype {
            same_bytes((head_file, head), (embedding_file, embedding))
        } else {
            same_numbers(head, embedding)
        };
    Ok(if same { StoredHead::Same } else { StoredHead::Other })
}

fn same_bytes(
    (head_file, head): (&SafeTensors, TensorView<'_>),
    (embedding_file, embedding): (&SafeTensors, TensorView<'_>),
) -> bool {
    let mut at = 0;
    head.bytes.chunks(PIECE).zip(embedding.bytes.chunks(PIECE)).all(|(left, right)| {
        let range = at..at + left.len();
        at = range.end;
        head_file.fetch_part(HEAD, range.clone());
        embedding_file.fetch_part(EMBEDDING, range.clone());
        let same = left == right;
        head_file.release_part(HEAD, range.clone());
        embedding_file.release_part(EMBEDDING, range);
        same
    })
}

/// As [`same_bytes`], for tensors of two types.
fn same_numbers(head: TensorView<'_>, embedding: TensorView<'_>) -> bool {
    (0..head.len().div_ceil(NUMBERS)).all(|at| piece(head, at) == piece(embedding, at))
}

/// Some of the numbers of a tensor.
fn piece(view: TensorView<'_>, at: usize) -> Vec<f32> {
    let (start, size) = (at * NUMBERS, view.dtype.size());
    let end = view.len().min(start + NUMBERS);
    let mut values = vec![0.0; end - start];
    // What is not finite is reported when the tensor is read.
    let _ = TensorView { bytes: &view.bytes[start * size..end * size], ..view }.to_f32(&mut values);
    values
}
