//! Checks before the first step. A run that cannot work is refused before its folder is created.

use std::path::Path;

use ledger::{RunSpec, Trainer};
use train::memory::TrainingMemory;

use super::options::HealOptions;
use super::origin::Origin;
use crate::error::{Error, ErrorKind, Result};
use crate::free;
use crate::observer::{Event, Observer};
use ledger::count::grouped;

/// Refuses held-out text without a token to predict.
pub(super) fn held_out(origin: &Origin) -> Result<()> {
    let part = origin.corpus.heldout();
    let (documents, tokens) = (part.documents() as u64, part.tokens());
    // Each document starts with a begin token, which is not predicted.
    if tokens > documents {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::NothingHeldOut,
        format!(
            "the held-out part of the corpus has nothing to predict: {documents} documents of {tokens} tokens"
        ),
    ))
}

/// Refuses what an outside trainer cannot do at the end of a run, and warns of a decay that a rule
/// may leave out.
pub(super) fn ending(
    options: &HealOptions,
    spec: &RunSpec,
    observer: &mut dyn Observer,
) -> Result<()> {
    let asked =
        [("stop_when", options.stop_when.is_some()), ("keep_checkpoint", options.keep_checkpoint)];
    let asked = asked.into_iter().find(|(_, is_asked)| *is_asked);
    if let Some((option, _)) = asked.filter(|_| spec.trainer == Trainer::Torch) {
        let message =
            format!("`{option}` is for regrow's own trainer, and PyTorch trains this run");
        return Err(Error::new(ErrorKind::Usage, message).about(option));
    }
    if let Some(rule) = options.stop_when.filter(|_| spec.schedule.decay.0 > 0) {
        observer.hear(&Event::Warning(&format!(
            "if `{rule}` ends the run, it ends without its decay of the learning rate"
        )));
    }
    Ok(())
}

/// Refuses training text that is shorter than one sequence, and sequences that are longer than the
/// model has positions for.
pub(super) fn training(spec: &RunSpec, origin: &Origin) -> Result<()> {
    length(spec, origin)?;
    positions(spec, origin)
}

/// Warns where the disk has no room for what a run will write. `checkpoints` of its checkpoints
/// exist already.
pub(super) fn room(
    origin: &Origin,
    out: &Path,
    checkpoints: usize,
    observer: &mut dyn Observer,
) -> Result<()> {
    let parameters = origin.parameters()?.0;
    // A checkpoint holds weights and two moments in f32: 12 bytes per parameter. At most four exist
    // at once: the last two, the best, and a new one before an old one is removed.
    let missing = 4_u64.saturating_sub(checkpoints as u64);
    let checkpoints = parameters.saturating_mul(12).saturating_mul(missing);
    let needed =
        // Two models are written at the end: the final one and the best one.
        checkpoints.saturating_add(parameters.saturating_mul(2 * origin.dtype.size() as u64));
    if let Some(found) = disk::free_space(out)?.filter(|&found| found < needed) {
        observer.hear(&Event::Warning(&format!(
            "the disk of `{}` has room for {} MB, checkpoints and models of this run take up to {} MB",
            out.display(),
            grouped(found / 1_000_000),
            grouped(needed.div_ceil(1_000_000))
        )));
    }
    Ok(())
}

/// Checks that the training text fills one sequence.
fn length(spec: &RunSpec, origin: &Origin) -> train::Result<()> {
    let (tokens, context) = (origin.corpus.train().tokens(), spec.context);
    // The last token of a sequence needs a next token as its target.
    let expected = context as u64 + 1;
    if tokens < expected {
        Err(train::Error::ShortCorpus { tokens, context, expected })
    } else {
        Ok(())
    }
}

/// Checks that the model has a position for every token of a sequence.
fn positions(spec: &RunSpec, origin: &Origin) -> Result<()> {
    let longest = origin.config.max_position_embeddings();
    for (option, found) in [("context", spec.context), ("eval_context", spec.evaluation.context)] {
        if found > longest {
            let file = origin.raw.path().display();
            let message = format!(
                "`{option}` is {found} tokens, the model has positions for {longest}: \
                 `max_position_embeddings` in `{file}`"
            );
            return Err(Error::new(ErrorKind::TooFewPositions { longest }, message).about(option));
        }
    }
    Ok(())
}

/// Checks that a step fits into memory.
pub(super) fn memory(
    spec: &RunSpec,
    origin: &Origin,
    estimate: &TrainingMemory,
    options: &HealOptions,
) -> Result<()> {
    let (limit, whose) = match (options.memory, free::memory()) {
        (Some(asked), _) => (asked, "`memory` allows"),
        (None, Some(free)) => (free, "free are"),
        (None, None) => return Ok(()),
    };
    if estimate.total() <= limit {
        return Ok(());
    }
    let gigabytes = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
    let message = format!(
        "the run takes about {}, {whose} {}: {} for weights, gradients and moments, {} for a micro-batch of {} sequences of \
         {} tokens, {} for text, {} for evaluation and the rest{}",
        gigabytes(estimate.total()),
        gigabytes(limit),
        gigabytes(estimate.model()),
        gigabytes(estimate.activations()),
        spec.micro_batch,
        spec.context,
        gigabytes(estimate.text()),
        gigabytes(estimate.evaluation() + estimate.rest()),
        match estimate.teacher() {
            0 => String::new(),
            bytes => format!(", {} for the teacher", gigabytes(bytes)),
        }
    );
    let left = limit.saturating_sub(estimate.text()).saturating_sub(estimate.teacher());
    let fits = TrainingMemory::fitting(&origin.config, spec, left);
    let kind = ErrorKind::TooLarge { fits, model: estimate.model() };
    Err(Error::new(kind, message).about("memory"))
}
