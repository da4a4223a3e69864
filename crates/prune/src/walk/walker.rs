//! Runs calibration text through a model, block by block.

use std::path::Path;

use model::backend::{Backend, IGNORED};
use model::batch::Batch;
use model::decoder::{Decoder, Inlet, Watch};
use model::folder::ModelFolder;
use model::weights;
use model::workspace::Workspace;

use super::embedding::Embedding;
use super::stream::ResidualStream;
use super::visit::{Read, Seen, Visit};
use crate::calibration::Sequences;
use crate::error::{Error, Result};

/// Tokens that go through a block at once. A longer sequence goes through whole.
pub(crate) const BATCH: usize = 2048;

/// Runs the sequences through every block of a model on `backend`. `progress` gets the number of
/// blocks done, and of how many. If a folder `spill` is given, the residual stream is in a file
/// there instead of in memory.
///
/// # Errors
/// If weights or activations are not finite, an id is outside the vocabulary, the disk fails or
/// memory is short; and the errors of `visitor`.
pub fn walk<B: Backend>(
    backend: B,
    folder: &ModelFolder,
    sequences: &Sequences,
    spill: Option<&Path>,
    visitor: &mut dyn Visit,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    let layers = folder.config().num_hidden_layers();
    let mut walker = Walker::new(backend, folder, sequences, spill)?;
    progress(0, layers);
    for layer in 0..layers {
        visitor.begin(layer);
        let block = weights::load_block(folder, layer, walker.backend())?;
        walker.pass(&block, layer, true, visitor)?;
        progress(layer + 1, layers);
    }
    Ok(())
}

/// The calibration text at some depth of a model. The caller decides which block comes next.
pub(crate) struct Walker<B: Backend> {
    decoder: Decoder<B>,
    space: Workspace<B>,
    states: ResidualStream, // [sequence, position, hidden]
    batches: Vec<Batch>,
    /// Tokens of a whole batch.
    rows: usize,
    stream: B::Buffer,
    before: Vec<f32>,
    after: Vec<f32>,
    read: Vec<f32>,
}

impl<B: Backend> Walker<B> {
    /// Places the text in front of the first block of a model.
    pub(crate) fn new(
        backend: B,
        folder: &ModelFolder,
        sequences: &Sequences,
        spill: Option<&Path>,
    ) -> Result<Self> {
        let config = folder.config();
        let hidden = config.hidden_size();
        // Whole sequences only: attention needs all tokens of a sequence in one batch.
        let rows = (BATCH / sequences.length()).max(1) * sequences.length();
        let largest = rows.min(sequences.tokens().len()) * hidden;
        let mut before = vec![0.0; largest];
        let mut states = ResidualStream::new(sequences.tokens().len(), hidden, spill)?;
        let mut embedding = Embedding::of(folder);
        for (place, part) in sequences.tokens().chunks(rows).enumerate() {
            let before = &mut before[..part.len() * hidden];
            embedding.embed(part, place * rows, before)?;
            states.write(place * rows * hidden, before)?;
            // Else the whole embedding would stay in memory.
            embedding.release();
        }
        let decoder = Decoder::new(backend, config, sequences.length())?;
        let space = decoder.workspace()?;
        let stream = decoder.backend().allocate(largest)?;
        let batches =
            sequences.tokens().chunks(rows).map(|part| batch(part, sequences.length())).collect();
        let (after, read) = (vec![0.0; largest], Vec::new());
        Ok(Self { decoder, space, states, batches, rows, stream, before, after, read })
    }

    /// The machine.
    pub(crate) fn backend(&self) -> &B {
        self.decoder.backend()
    }

    /// Runs every batch through a block, whose weights begin at 0 of `block`. If `advance` is
    /// false, the text stays in front of this block.
    pub(crate) fn pass(
        &mut self,
        block: &B::Weights,
        layer: usize,
        advance: bool,
        visitor: &mut dyn Visit,
    ) -> Result<()> {
        let Self { decoder, space, states, batches, rows, stream, before, after, read } = self;
        let hidden = decoder.config().hidden_size();
        for (place, batch) in batches.iter().enumerate() {
            let (first, len) = (place * *rows, batch.tokens().len() * hidden);
            let (before, after) = (&mut before[..len], &mut after[..len]);
            states.read(first * hidden, before)?;
            decoder.backend().upload(before, stream, 0)?;
            // The watcher cannot return an error, so the first one is kept here until the block has
            // run.
            let mut heard = Ok(());
            let watch: &mut Watch<'_, B> = &mut |inlet, view| {
                if heard.is_ok() && visitor.wants(inlet) {
                    let columns = view.area.columns;
                    read.resize(view.area.rows * columns, 0.0);
                    let copied = decoder.backend().download(view.buffer, view.area.offset, read);
                    heard = copied
                        .map_err(Error::from)
                        .and_then(|()| finite(read, columns, first, || reads(layer, inlet)))
                        .and_then(|()| visitor.read(&Read { layer, inlet, columns, values: read }));
                }
            };
            decoder.watch_block(block, 0, batch, stream, space, watch)?;
            heard?;
            decoder.backend().download(stream, 0, after)?;
            finite(after, hidden, first, || format!("the output of `model.layers.{layer}`"))?;
            visitor.block(&Seen { layer, hidden, before, after })?;
            // Only `states` carries the text to the next block; the buffers are per batch.
            if advance {
                states.write(first * hidden, after)?;
            }
        }
        Ok(())
    }
}

/// The name of an input in messages: that of the first linear layer that reads it.
fn reads(layer: usize, inlet: Inlet) -> String {
    let part = match inlet {
        Inlet::Attention => "self_attn.q_proj",
        Inlet::AttentionOutput => "self_attn.o_proj",
        Inlet::FeedForward => "mlp.gate_proj",
        Inlet::Down => "mlp.down_proj",
    };
    format!("the input of `model.layers.{layer}.{part}`")
}

/// Refuses activations that are not finite: no score can use them. `first` is the token of the
/// first row.
fn finite(values: &[f32], columns: usize, first: usize, place: impl Fn() -> String) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (token, channel) = (first + at / columns, at % columns);
            let (place, value) = (place(), values[at]);
            Err(Error::other(format!(
                "{place} is {value} at calibration token {token}, channel {channel}, expected \
                 finite numbers"
            )))
        }
    }
}

/// A batch of sequences of `length` tokens, without targets.
fn batch(tokens: &[u32], length: usize) -> Batch {
    let ignored = vec![IGNORED; length];
    let mut batch = Batch::new();
    for sequence in tokens.chunks_exact(length) {
        batch.push(sequence, &ignored);
    }
    batch
}
