//! What can be known to fail before the first step, refused before a run folder is made for it.

use std::path::Path;

use anyhow::anyhow;
use ledger::RunSpec;
use train::memory::Memory;

use super::Arguments;
use super::start::Beginning;
use crate::terminal::Output;
use regrow::count::grouped;
use regrow::free;
use regrow::hinted::hinted;

/// Refuses held-out text that has nothing to predict.
pub(super) fn held_out(beginning: &Beginning) -> anyhow::Result<()> {
    let part = beginning.corpus.heldout();
    let (documents, tokens) = (part.documents() as u64, part.tokens());
    // A document of one token has its begin token only.
    if tokens > documents {
        return Ok(());
    }
    Err(hinted(
        anyhow!(
            "the held-out part of the corpus has nothing to predict: {documents} documents of {tokens} tokens"
        ),
        "tokenise the text again with a larger `--heldout-share`",
    ))
}

/// Refuses training text that does not fill one sequence, and sequences that the model has no
/// positions for.
pub(super) fn training(spec: &RunSpec, beginning: &Beginning) -> anyhow::Result<()> {
    length(spec, beginning)?;
    positions(spec, beginning)
}

/// Warns where the disk has no room for what a run will write, `checkpoints` of it aside that stand
/// already.
pub(super) fn room(
    beginning: &Beginning,
    out: &Path,
    checkpoints: usize,
    output: &Output,
) -> anyhow::Result<()> {
    let parameters = beginning.parameters()?.0;
    // Weights and two moments in f32; the last two, the best, and the next before one of them goes.
    let missing = 4_u64.saturating_sub(checkpoints as u64);
    let checkpoints = parameters.saturating_mul(12).saturating_mul(missing);
    let needed =
        checkpoints.saturating_add(parameters.saturating_mul(2 * beginning.dtype.size() as u64));
    if let Some(found) = disk::free_space(out)?.filter(|&found| found < needed) {
        output.warn(&format!(
            "the disk of `{}` has room for {} MB, checkpoints and models of this run take up to {} MB",
            out.display(),
            grouped(found / 1_000_000),
            grouped(needed.div_ceil(1_000_000))
        ));
    }
    Ok(())
}

/// The training text fills one sequence.
fn length(spec: &RunSpec, beginning: &Beginning) -> train::Result<()> {
    let (tokens, context) = (beginning.corpus.train().tokens(), spec.context);
    let expected = context as u64 + 1;
    if tokens < expected {
        Err(train::Error::ShortCorpus { tokens, context, expected })
    } else {
        Ok(())
    }
}

/// The model has a position for every token of a sequence.
fn positions(spec: &RunSpec, beginning: &Beginning) -> anyhow::Result<()> {
    let longest = beginning.config.max_position_embeddings();
    for (flag, found) in [("--context", spec.context), ("--eval-context", spec.evaluation.context)]
    {
        if found > longest {
            let file = beginning.raw.path().display();
            return Err(hinted(
                anyhow!(
                    "`{flag}` is {found} tokens, the model has positions for {longest}: \
                     `max_position_embeddings` in `{file}`"
                ),
                format!(
                    "give `{flag} {longest}` or less; the model was never taught where later tokens stand"
                ),
            ));
        }
    }
    Ok(())
}

/// A step fits into memory.
pub(super) fn memory(
    spec: &RunSpec,
    beginning: &Beginning,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let (limit, whose) = match (arguments.memory, free::memory()) {
        (Some(asked), _) => (asked.0, "`--memory` allows"),
        (None, Some(free)) => (free, "free are"),
        (None, None) => return Ok(()),
    };
    let estimate = Memory::of(&beginning.config, spec, arguments.recompute)?;
    if estimate.total() <= limit {
        return Ok(());
    }
    let gigabytes = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
    let error = anyhow!(
        "the run takes about {}, {whose} {}: {} for weights, gradients and moments, {} for a micro-batch of {} sequences of \
         {} tokens, {} for evaluation and the rest",
        gigabytes(estimate.total()),
        gigabytes(limit),
        gigabytes(estimate.model),
        gigabytes(estimate.activations),
        spec.micro_batch,
        spec.context,
        gigabytes(estimate.evaluation + estimate.rest)
    );
    let advice = match Memory::fitting(&beginning.config, spec, limit) {
        Some((size, false)) => {
            format!("`--micro-batch {size}` fits, with gradients of the same batch added up")
        }
        Some((size, true)) => {
            format!("`--micro-batch {size} --recompute` fits, with the same numbers and more time")
        }
        None => format!(
            "no micro-batch fits; the model alone takes {}: prune more, shorten `--context`, or use a larger machine",
            gigabytes(estimate.model)
        ),
    };
    Err(hinted(error, advice))
}
