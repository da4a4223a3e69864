//! Held-out loss. L0, every curve and the `eval` command use this one evaluator.
//!
//! Every published number depends on this convention:
//!
//! - A document is its begin token, then the tokens of its text. The network reads the begin token.
//!   If documents are read separately, it is never predicted.
//! - [`Convention::Documents`]: each document is read separately. [`Convention::Packed`]: documents
//!   are joined end to end, as in training. Attention then runs across them, and the begin token of
//!   the next document is predicted like any other token.
//! - A text longer than the context is read in windows that begin `stride` tokens apart. Every
//!   token is predicted exactly once, in the first window that reaches it. With `stride = context`,
//!   windows are adjacent. A smaller stride gives each prediction at least `context - stride`
//!   earlier tokens.
//! - The loss is the sum of -ln p over the predicted tokens, in nats, divided by their number.

use std::ops::Range;

use ledger::{Convention, Evaluation, Nats};
use shape::config::ModelConfig;
use text::CorpusPart;

use crate::backend::{Backend, IGNORED};
use crate::batch::Batch;
use crate::decoder::Decoder;
use crate::error::ModelFault;
use crate::teacher::Teacher;
use crate::workspace::{Workspace, inference_numbers};
use crate::{Error, Result};

/// Tokens per pass through the network, at least. It is fixed, because it decides the order of
/// sums.
const BATCH: usize = 2048;

/// How text is read for evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocol {
    /// Whether documents are read separately or packed.
    pub convention: Convention,
    /// Largest number of tokens in a window.
    pub context: usize,
    /// Tokens between the starts of two windows, 1 to `context`.
    pub stride: usize,
    /// The evaluation stops after this many predicted tokens.
    pub limit: u64,
}

impl From<&Evaluation> for Protocol {
    fn from(evaluation: &Evaluation) -> Self {
        let &Evaluation { convention, context, stride, tokens, .. } = evaluation;
        Protocol { convention, context, stride, limit: tokens.0 }
    }
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The documents that were reached, in order.
    pub documents: Vec<DocumentLoss>,
}

/// The loss on one document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DocumentLoss {
    /// Index of the document in the part.
    pub document: usize,
    /// Sum of -ln p over its tokens.
    pub nats: f64,
    /// Number of predicted tokens.
    pub tokens: u64,
}

impl Evaluated {
    /// Number of predicted tokens.
    pub fn tokens(&self) -> u64 {
        self.documents.iter().map(|document| document.tokens).sum()
    }

    /// Mean loss, nats per token.
    pub fn loss(&self) -> Nats {
        let nats: f64 = self.documents.iter().map(|document| document.nats).sum();
        Nats(nats / self.tokens() as f64)
    }

    /// Standard error of [`Evaluated::loss`] over the sample of documents (ratio estimator); `None`
    /// for fewer than two documents. The losses of two models on the same text share most of this
    /// error.
    pub fn standard_error(&self) -> Option<Nats> {
        let count = self.documents.len() as f64;
        if count < 2.0 {
            return None;
        }
        let loss = self.loss().0;
        let spread = |d: &DocumentLoss| (d.nats - loss * d.tokens as f64).powi(2);
        let squares: f64 = self.documents.iter().map(spread).sum();
        Some(Nats((squares * count / (count - 1.0)).sqrt() / self.tokens() as f64))
    }
}

/// Numbers that the workspace of an evaluation with windows of `context` tokens holds.
pub fn numbers(config: &ModelConfig, context: usize) -> u64 {
    // A batch runs once it has `BATCH` tokens. The window that reaches them may add up to a whole
    // `context`.
    inference_numbers(config, BATCH.saturating_add(context))
}

/// Passes the batches of an evaluation to `visit`, in order.
///
/// # Errors
/// If the part cannot be read, or `visit` fails.
pub fn batches<E: From<Error>>(
    part: &CorpusPart,
    protocol: &Protocol,
    visit: &mut dyn FnMut(&Batch) -> Result<(), E>,
) -> Result<(), E> {
    let windows = windows(part, protocol);
    let mut batch = Batch::new();
    for (index, window) in windows.iter().enumerate() {
        window.push(part, &mut batch)?;
        if batch.tokens().len() >= BATCH || index + 1 == windows.len() {
            visit(&batch)?;
            batch.clear();
        }
    }
    Ok(())
}

/// Rows of all batches of an evaluation.
pub fn planned_rows(part: &CorpusPart, protocol: &Protocol) -> u64 {
    let rows = |window: &TextWindow| window.tokens.end - window.tokens.start - 1;
    windows(part, protocol).iter().map(rows).sum()
}

/// Evaluates `weights` on a part of a corpus. `progress` receives the number of tokens predicted so
/// far.
///
/// # Errors
/// If the part cannot be read, contains an id outside the vocabulary, or has nothing to predict.
pub fn evaluate<B: Backend>(
    decoder: &Decoder<B>,
    weights: &B::Weights,
    space: &mut Workspace<B>,
    part: &CorpusPart,
    protocol: &Protocol,
    progress: &mut dyn FnMut(u64),
) -> Result<Evaluated> {
    let mut losses = |batch: &Batch| Ok((decoder.losses(weights, batch, &mut *space)?, None));
    Ok(run(part, protocol, &mut losses, progress)?.0)
}

/// As [`evaluate`]. Also gives the mean divergence from a teacher over the same tokens, KL(teacher
/// ‖ model) at temperature 1.
///
/// # Errors
/// Those of [`evaluate`], and if the teacher does not fit the model or the text.
pub fn evaluate_against<B: Backend>(
    decoder: &Decoder<B>,
    (weights, teacher): (&B::Weights, &mut Teacher<'_, B>),
    space: &mut Workspace<B>,
    part: &CorpusPart,
    protocol: &Protocol,
    progress: &mut dyn FnMut(u64),
) -> Result<(Evaluated, Nats)> {
    let mut row = 0;
    let mut losses = |batch: &Batch| {
        let rows = row..row + batch.tokens().len() as u64;
        row = rows.end;
        let mut lesson = teacher.heldout(rows)?;
        let (losses, divergences) =
            decoder.losses_and_divergences(weights, batch, &mut lesson, &mut *space)?;
        Ok((losses, Some(divergences)))
    };
    let (found, divergence) = run(part, protocol, &mut losses, progress)?;
    let mean = divergence / found.tokens() as f64;
    Ok((found, Nats(mean)))
}

/// Loss of every row of a batch, and its divergence from a teacher.
type RowLosses<'a> = dyn FnMut(&Batch) -> Result<(Vec<f64>, Option<Vec<f64>>)> + 'a;

/// Reads a part, and sums losses by document and divergences over all.
fn run(
    part: &CorpusPart,
    protocol: &Protocol,
    losses_of: &mut RowLosses<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<(Evaluated, f64)> {
    let windows = windows(part, protocol);
    let mut divergence = 0.0;
    let mut documents: Vec<DocumentLoss> = Vec::new();
    let mut batch = Batch::new();
    let mut pending: Vec<TextWindow> = Vec::new();
    let mut predicted = 0;
    for (index, window) in windows.iter().enumerate() {
        window.push(part, &mut batch)?;
        pending.push(window.clone());
        if batch.tokens().len() < BATCH && index + 1 < windows.len() {
            continue;
        }
        let (losses, divergences) = losses_of(&batch)?;
        // 0 where a target does not count.
        divergence += divergences.map_or(0.0, |all| all.iter().sum());
        for (window, rows) in pending.drain(..).zip(batch.sequences()) {
            // The loss of an input belongs to the token after it.
            for (row, target) in
                (window.inputs().start + 1..).zip(&losses[rows.clone()]).map(|(t, l)| (l, t))
            {
                if window.counted.contains(&target) {
                    add(&mut documents, part, window.document, target, *row);
                    predicted += 1;
                }
            }
        }
        batch.clear();
        progress(predicted);
    }
    if predicted == 0 {
        return Err(Error::from(ModelFault::NothingToEvaluate { part: "held-out text".into() }));
    }
    Ok((Evaluated { documents }, divergence))
}

/// Tokens that [`evaluate`] will predict.
pub fn planned_tokens(part: &CorpusPart, protocol: &Protocol) -> u64 {
    windows(part, protocol).iter().map(|window| window.counted.end - window.counted.start).sum()
}

/// Adds the loss of the token at `target` to its document, which is `first` or a later one.
fn add(documents: &mut Vec<DocumentLoss>, part: &CorpusPart, first: usize, target: u64, nats: f64) {
    let mut document = documents.last().map_or(first, |last| last.document.max(first));
    // Packed windows run across documents.
    while part.document(document).end <= target {
        document += 1;
    }
    match documents.last_mut() {
        Some(last) if last.document == document => {
            last.nats += nats;
            last.tokens += 1;
        }
        _ => documents.push(DocumentLoss { document, nats, tokens: 1 }),
    }
}

/// A part of the token stream that the network reads as one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TextWindow {
    /// The tokens read. The last one is only a target.
    tokens: Range<u64>,
    /// The targets that count in this window.
    counted: Range<u64>,
    /// The document in which it begins.
    document: usize,
}

impl TextWindow {
    fn inputs(&self) -> Range<u64> {
        self.tokens.start..self.tokens.end - 1
    }

    fn push(&self, part: &CorpusPart, batch: &mut Batch) -> Result<()> {
        let mut tokens = vec![0; (self.tokens.end - self.tokens.start) as usize];
        part.read(self.tokens.start, &mut tokens)?;
        let targets: Vec<u32> = (self.tokens.start + 1..)
            .zip(&tokens[1..])
            .map(|(at, &token)| if self.counted.contains(&at) { token } else { IGNORED })
            .collect();
        batch.push(&tokens[..targets.len()], &targets);
        Ok(())
    }
}

/// The windows of a part under a protocol, in order, until the limit is reached.
fn windows(part: &CorpusPart, protocol: &Protocol) -> Vec<TextWindow> {
    let mut windows = Vec::new();
    let mut left = protocol.limit;
    match protocol.convention {
        Convention::Packed => cut(0..part.tokens(), 0, protocol, &mut left, &mut windows),
        Convention::Documents => {
            for document in 0..part.documents() {
                cut(part.document(document), document, protocol, &mut left, &mut windows);
            }
        }
    }
    windows
}

/// Cuts one text into windows. Its first token is never predicted.
fn cut(
    text: Range<u64>,
    document: usize,
    protocol: &Protocol,
    left: &mut u64,
    windows: &mut Vec<TextWindow>,
) {
    let (context, stride) = (protocol.context as u64, protocol.stride as u64);
    assert!((1..=context).contains(&stride), "stride {stride} of context {context}");
    let mut start = text.start;
    let mut next = text.start + 1;
    while next < text.end && *left > 0 {
        // Shortened at the end of the text, and so that the limit is met exactly.
        let end = text.end.min(start + context + 1).min(next.saturating_add(*left));
        windows.push(TextWindow { tokens: start..end, counted: next..end, document });
        *left -= end - next;
        next = end;
        start += stride;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_all(text: Range<u64>, context: usize, stride: usize, limit: u64) -> Vec<TextWindow> {
        let protocol = Protocol { convention: Convention::Packed, context, stride, limit };
        let (mut left, mut windows) = (limit, Vec::new());
        cut(text, 0, &protocol, &mut left, &mut windows);
        windows
    }

    #[test]
    fn windows_side_by_side_predict_every_token_but_the_first_once() {
        let windows = cut_all(10..31, 8, 8, u64::MAX);
        let tokens: Vec<_> = windows.iter().map(|window| window.tokens.clone()).collect();
        assert_eq!(tokens, [10..19, 18..27, 26..31]);
        let counted: Vec<_> = windows.iter().map(|window| window.counted.clone()).collect();
        assert_eq!(counted, [11..19, 19..27, 27..31]);
    }

    #[test]
    fn a_smaller_stride_gives_later_predictions_more_to_look_back_on() {
        for window in cut_all(0..40, 8, 3, u64::MAX).iter().skip(1) {
            assert!(window.counted.start - window.tokens.start >= 5, "{window:?}");
        }
    }

    #[test]
    fn every_target_counts_once_whatever_the_stride() {
        for stride in 1..=8 {
            for end in 0..40 {
                let counted: Vec<u64> = cut_all(0..end, 8, stride, u64::MAX)
                    .into_iter()
                    .flat_map(|window| window.counted)
                    .collect();
                assert_eq!(
                    counted,
                    (1..end.max(1)).collect::<Vec<_>>(),
                    "stride {stride}, {end} tokens"
                );
            }
        }
    }

    #[test]
    fn the_limit_is_met_exactly() {
        let counted: u64 =
            cut_all(0..100, 8, 8, 13).iter().map(|w| w.counted.end - w.counted.start).sum();
        assert_eq!(counted, 13);
    }

    #[test]
    fn the_standard_error_is_that_of_a_ratio() {
        let document = |nats, tokens| DocumentLoss { document: 0, nats, tokens };
        let found = Evaluated { documents: vec![document(3.0, 2), document(1.0, 2)] };
        assert_eq!(found.loss(), Nats(1.0));
        assert!((found.standard_error().unwrap().0 - (2.0_f64 * 2.0).sqrt() / 4.0).abs() < 1e-15);
        assert_eq!(Evaluated { documents: vec![document(3.0, 2)] }.standard_error(), None);
    }
}
