//! The beginning of a run folder: what is known before the first step, the loss before pruning
//! among it.

use std::path::Path;

use anyhow::bail;
use disk::Existing;
use ledger::{Nats, Phase, Provenance, RunRecord};
use model::backend::Backend;
use model::decoder::Decoder;
use model::evaluate::{Protocol, evaluate, planned_tokens};
use model::folder::ModelFolder;
use store::{RunFolder, RunWriter};

use super::Arguments;
use super::execute::Run;
use crate::terminal::Output;
use regrow::lineage::{self, Lineage};
use regrow::loaded::Loaded;
use regrow::source::open_corpus;

/// Makes the run folder, with what is known before the first step.
pub(super) fn begin(
    arguments: &Arguments,
    run: &Run,
    out: &Path,
    output: &Output,
) -> anyhow::Result<RunWriter> {
    let Run { beginning, spec, recipe, decoder, .. } = run;
    let (n0, rate, rate_without_embedding) = beginning.sizes()?;
    let loss0 = loss0(arguments, run, output)?;
    let loss0_phase = loss0.and(phase(arguments, run)?);
    if loss0_phase == Some(Phase::Decay) && spec.schedule.decay.0 == 0 {
        output.warn(
            "the model before pruning was left at the end of a decay, this run trains at a constant learning rate: a part of \
             what lies between their losses is that, not pruning",
        );
    }
    let provenance = Provenance {
        regrow: regrow::VERSION.to_owned(),
        machine: machine(),
        threads: rayon::current_num_threads(),
        kernel: decoder.backend().kernel(),
    };
    let mut record = RunRecord::of(spec, n0, beginning.parameters()?, provenance)
        .with_rates(rate, rate_without_embedding);
    if let Some(loss) = loss0 {
        record = record.with_loss0(loss, loss0_phase);
    }
    let existing = if arguments.force { Existing::Replace } else { Existing::Refuse };
    let cut = beginning.lineage.cut.as_ref().map(serde_json::to_vec_pretty).transpose()?;
    Ok(RunFolder::create(out, existing, spec, recipe, &record, cut.as_deref())?)
}

/// The loss of the model before pruning, on the held-out text of this run and by its protocol.
fn loss0(arguments: &Arguments, run: &Run, output: &Output) -> anyhow::Result<Option<Nats>> {
    let Run { beginning, spec, decoder, .. } = run;
    if let Some(loss) = arguments.loss0 {
        if !(loss.is_finite() && loss >= 0.0) {
            bail!("`--loss0` is {loss}, expected nats per token, 0 or more");
        }
        return Ok(Some(Nats(loss)));
    }
    if let Some(path) = &arguments.base {
        let folder = ModelFolder::open(path)?;
        open_corpus(&arguments.corpus, &folder, &mut output.listener())?;
        if let Some(cut) = &beginning.lineage.cut {
            let found = folder.weights_hash()?;
            if found != cut.base_hash {
                bail!(
                    "`{}` is not the model that was pruned: its weights have the hash {found}, expected {}",
                    path.display(),
                    cut.base_hash
                );
            }
        }
        let base = Loaded::new(folder, spec.evaluation.context)?;
        return measure(&base.decoder, &base.weights, run, output).map(Some);
    }
    match (&beginning.folder, &beginning.lineage.cut) {
        // Training from scratch has no model before it.
        (None, _) => Ok(None),
        // A control is its own base.
        (Some(_), None) => {
            let weights = beginning.weights(decoder, spec.seed)?;
            measure(&decoder.in_full_precision()?, &weights, run, output).map(Some)
        }
        (Some(_), Some(_)) => {
            output.warn(
                "the loss of the model before pruning is not known, and laws need it: give `--base DIR` or `--loss0 NATS`",
            );
            Ok(None)
        }
    }
}

/// The held-out loss of `weights`, by the protocol of the run.
fn measure<B: Backend>(
    decoder: &Decoder<B>,
    weights: &B::Weights,
    run: &Run,
    output: &Output,
) -> anyhow::Result<Nats> {
    let (part, protocol) = (run.beginning.corpus.heldout(), Protocol::from(&run.spec.evaluation));
    let mut space = decoder.workspace()?;
    let label = "the loss before pruning";
    let mut progress = output.progress(label, planned_tokens(part, &protocol), "tokens");
    let found =
        evaluate(decoder, weights, &mut space, part, &protocol, &mut |done| progress.at(done, ""))?;
    Ok(found.loss())
}

/// The phase of the learning rate in which the model before pruning was left, where it comes from a
/// run.
fn phase(arguments: &Arguments, run: &Run) -> anyhow::Result<Option<Phase>> {
    let Lineage { cut, phase, .. } = &run.beginning.lineage;
    // The lineage of a pruned model tells of the model itself; what stood before it, its record.
    let known = cut.as_ref().map_or(*phase, |cut| cut.loss0_phase);
    let Some(base) = &arguments.base else { return Ok(known) };
    Ok(lineage::own(&ModelFolder::open(base)?)?.phase.or(known))
}

/// The model of the CPU, where the system says.
fn machine() -> String {
    let named = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    named.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
