//! Streams blocks: load one, run the calibration text through it, let a visitor look, drop it. Nobody sees a whole model.
//!
//! In memory are the weights of one block, the residual stream of all calibration tokens, and the activations of one
//! batch.

use model::backend::{Backend, IGNORED};
use model::batch::Batch;
use model::decoder::Decoder;
use model::family::leading_tensors;
use model::folder::ModelFolder;
use model::safetensors::TensorView;
use model::weights;
use model::workspace::Workspace;

use crate::calibration::Sequences;
use crate::error::{Error, Result};

/// Tokens that go through a block at once, or one sequence that is longer.
const BATCH: usize = 2048;

/// What a block did to one batch of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The block, counted from 0.
    pub layer: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// The residual stream that entered it, `[tokens, hidden]`.
    pub before: &'a [f32],
    /// The residual stream that left it, `[tokens, hidden]`.
    pub after: &'a [f32],
}

/// Looks on as blocks run; batches come in the order of the text, blocks in the order of the model.
pub trait Visit {
    /// A block has run on one batch.
    ///
    /// # Errors
    /// Whatever the visitor cannot accept; the walk ends with it.
    fn block(&mut self, seen: &Seen<'_>) -> Result<()>;
}

impl<F: FnMut(&Seen<'_>) -> Result<()>> Visit for F {
    fn block(&mut self, seen: &Seen<'_>) -> Result<()> {
        self(seen)
    }
}

/// Runs the sequences through every block of a model on `backend`. `progress` hears of blocks done, and of how many.
///
/// # Errors
/// If weights cannot be read or are not finite, an id is outside the vocabulary, or memory is short; and those of
/// `visitor`.
pub fn walk<B: Backend>(
    backend: B,
    folder: &ModelFolder,
    sequences: &Sequences,
    visitor: &mut dyn Visit,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    let config = folder.config();
    let (hidden, layers) = (config.hidden_size, config.num_hidden_layers);
    let mut states = embed(folder, sequences)?; // [sequence, position, hidden]
    let decoder = Decoder::new(backend, config, sequences.length())?;
    let mut space = Workspace::new(&decoder)?;

    let rows = (BATCH / sequences.length()).max(1) * sequences.length();
    let mut stream = decoder.backend().allocate(rows.min(sequences.tokens().len()) * hidden)?;
    let mut after = vec![0.0; rows.min(sequences.tokens().len()) * hidden];
    let batches: Vec<Batch> =
        sequences.tokens().chunks(rows).map(|part| batch(part, sequences.length())).collect();
    progress(0, layers);
    for layer in 0..layers {
        let block = weights::load_block(folder, layer, decoder.backend())?;
        for (batch, before) in batches.iter().zip(states.chunks_mut(rows * hidden)) {
            let after = &mut after[..before.len()];
            decoder.backend().upload(before, &mut stream, 0)?;
            decoder.run_block(&block, 0, batch, &mut stream, &mut space)?;
            decoder.backend().download(&stream, 0, after)?;
            visitor.block(&Seen { layer, hidden, before, after })?;
            before.copy_from_slice(after);
        }
        progress(layer + 1, layers);
    }
    Ok(())
}

/// Sequences of `length` as a batch that predicts nothing.
fn batch(tokens: &[u32], length: usize) -> Batch {
    let ignored = vec![IGNORED; length];
    let mut batch = Batch::new();
    for sequence in tokens.chunks_exact(length) {
        batch.push(sequence, &ignored);
    }
    batch
}

/// The embedding of every token, `[token, hidden]`; only the rows that are needed are read.
fn embed(folder: &ModelFolder, sequences: &Sequences) -> Result<Vec<f32>> {
    let (hidden, vocabulary) = (folder.config().hidden_size, folder.config().vocab_size);
    let tokens = sequences.tokens();
    let memory = || Error::Memory { tokens: tokens.len(), hidden };
    let mut states = Vec::new();
    let len = tokens.len().checked_mul(hidden).ok_or_else(memory)?;
    states.try_reserve_exact(len).map_err(|_| memory())?;
    states.resize(len, 0.0);
    for spec in leading_tensors(folder.config()) {
        let table = folder.tensor(&spec)?;
        let row_bytes = hidden * table.dtype.size();
        for (position, (&token, state)) in tokens.iter().zip(states.chunks_exact_mut(hidden)).enumerate() {
            let row = token as usize;
            if row >= vocabulary {
                return Err(Error::TokenOutOfRange { found: token, position: position as u64, vocabulary });
            }
            let bytes = &table.bytes[row * row_bytes..][..row_bytes];
            let view = TensorView { dtype: table.dtype, shape: &[hidden], bytes };
            view.to_f32(state).map_err(|column| model::Error::NotFinite {
                path: folder.path().to_path_buf(),
                tensor: spec.name.clone(),
                index: row * hidden + column,
                value: state[column],
            })?;
        }
        folder.release(&spec);
    }
    Ok(states)
}
