//! The record of a run, written when its folder is created. It includes the loss before pruning.

use std::path::Path;

use disk::Existing;
use ledger::{Nats, Phase, Provenance, RunRecord};
use model::backend::Backend;
use model::decoder::Decoder;
use model::evaluate::{Evaluated, Protocol, evaluate, evaluate_against, planned_tokens};
use model::folder::ModelFolder;
use store::{RunFolder, RunWriter};

use super::options::{HealOptions, LossBefore, RunMode};
use super::prepared::PreparedRun;
use super::teacher::LoadedTeacher;
use crate::base_loss;
use crate::error::{Error, Result, bail};
use crate::hub;
use crate::lineage::{self, Lineage};
use crate::loaded::{self, Loaded};
use crate::machine::{HostWeights, TrainingMachine};
use crate::measure::require_finite;
use crate::observer::{Event, Observer, ShownStage};
use crate::source::open_corpus;

const BEFORE: &str = "the loss before pruning";

/// Creates the run folder, with its record.
pub(super) fn begin(
    options: &HealOptions,
    run: &PreparedRun,
    out: &Path,
    observer: &mut dyn Observer,
) -> Result<RunWriter> {
    let (origin, spec, decoder) = (run.origin(), run.spec(), run.decoder());
    let (n0, rate, rate_without_embedding) = origin.sizes()?;
    let loss0 = loss0(options, run, observer)?;
    // A phase without a loss would describe nothing.
    let loss0_phase = loss0.and(phase(options, run)?);
    if loss0_phase == Some(Phase::Decay) && spec.schedule.decay.0 == 0 {
        observer.hear(&Event::Warning(
            "the model before pruning was left at the end of a decay, this run trains at a constant learning rate: a part of \
             what lies between their losses is that, not pruning",
        ));
    }
    let provenance = Provenance {
        regrow: crate::VERSION.to_owned(),
        machine: machine(),
        threads: rayon::current_num_threads(),
        kernel: decoder.backend().kernel(),
    };
    let mut record = RunRecord::of(spec, n0, origin.parameters()?, provenance)
        .with_rates(rate, rate_without_embedding);
    if let Some(loss) = loss0 {
        record = record.with_loss0(loss, loss0_phase);
    }
    let existing = match options.folder {
        RunMode::Replace => Existing::Replace,
        // `Resume` comes here only if the folder does not exist; `Refuse` keeps it so if another
        // process is faster.
        RunMode::New | RunMode::Resume => Existing::Refuse,
    };
    let cut = origin.lineage.cut.as_ref().map(serde_json::to_vec_pretty).transpose()?;
    Ok(RunFolder::create(out, existing, spec, run.recipe(), &record, cut.as_deref())?)
}

/// The loss of the model before pruning, on this run's held-out text and with its evaluation
/// settings.
fn loss0(
    options: &HealOptions,
    run: &PreparedRun,
    observer: &mut dyn Observer,
) -> Result<Option<Nats>> {
    let (origin, spec, decoder) = (run.origin(), run.spec(), run.decoder());
    if let LossBefore::Known(loss) = options.before {
        if !(loss.0.is_finite() && loss.0 >= 0.0) {
            let message = format!("`loss0` is {}, expected nats per token, 0 or more", loss.0);
            return Err(Error::msg(message).about("loss0"));
        }
        if let Some(remark) = odd_loss(loss, origin.config.vocab_size()) {
            observer.hear(&Event::Warning(&remark));
        }
        return Ok(Some(loss));
    }
    if let LossBefore::Kept(file) = &options.before {
        let weights = match (&origin.folder, &origin.lineage.cut) {
            (_, Some(cut)) => cut.base_hash.clone(),
            (Some(folder), None) => folder.weights_hash()?,
            (None, None) => bail!("training from random weights has no loss before pruning"),
        };
        return base_loss::read(file, &weights, spec).map(Some);
    }
    if let LossBefore::Of(path) = &options.before {
        let folder = loaded::open(path, observer)?;
        // Only for its check that the base has the tokenizer of the corpus; otherwise the two
        // losses could not be compared.
        open_corpus(&options.corpus, &folder, observer)?;
        if let Some(cut) = &origin.lineage.cut {
            let found = folder.weights_hash()?;
            // The loss of another model would shift the whole curve of excess loss, without any
            // sign of it.
            if found != cut.base_hash {
                bail!(
                    "`{}` is not the model that was pruned: its weights have the hash {found}, expected {}",
                    path.display(),
                    cut.base_hash
                );
            }
        }
        let base = Loaded::new(folder, spec.evaluation.context)?;
        let loss = measure(base.decoder(), base.weights(), run, BEFORE, observer)?;
        return finite(loss, path).map(Some);
    }
    match (&origin.folder, &origin.lineage.cut) {
        // Training from scratch has no model before pruning.
        (None, _) => Ok(None),
        // A control is its own base. Its loss is measured in full precision, as held-out losses
        // always are.
        (Some(folder), None) => {
            let weights = origin.weights(decoder, spec.seed)?;
            let loss = measure(&decoder.in_full_precision()?, &weights, run, BEFORE, observer)?;
            finite(loss, folder.path()).map(Some)
        }
        (Some(_), Some(_)) => {
            observer.hear(&Event::LossBeforeUnknown);
            Ok(None)
        }
    }
}

/// A remark on a loss that is likely in another unit.
fn odd_loss(loss: Nats, vocabulary: usize) -> Option<String> {
    // Guessing every token alike; a trained model is far below.
    let guessing = (vocabulary as f64).ln();
    (loss.0 > guessing).then(|| {
        format!(
            "`loss0` is {} nats per token, above the {guessing:.2} of a model that guesses; if it is a perplexity, the loss \
             is its logarithm, {:.4}; if it is in bits, {:.4}",
            loss.0,
            loss.0.ln(),
            loss.0 * std::f64::consts::LN_2
        )
    })
}

/// The held-out loss of `weights`, with the run's evaluation settings.
pub(super) fn measure<B: Backend>(
    decoder: &Decoder<B>,
    weights: &B::Weights,
    run: &PreparedRun,
    stage: &'static str,
    observer: &mut dyn Observer,
) -> Result<Evaluated> {
    let (part, protocol) = (run.origin().corpus.heldout(), Protocol::from(&run.spec().evaluation));
    let mut space = decoder.workspace()?;
    let total = planned_tokens(part, &protocol);
    let mut stage = ShownStage::begin(observer, stage, total, "tokens");
    Ok(evaluate(decoder, weights, &mut space, part, &protocol, &mut |done| stage.at(done))?)
}

/// As [`measure`], with the divergence from the run's teacher where it knows the held-out text.
pub(super) fn measure_taught(
    (decoder, weights): (&Decoder<TrainingMachine>, &HostWeights),
    run: &PreparedRun,
    stage: &'static str,
    observer: &mut dyn Observer,
) -> Result<(Evaluated, Option<Nats>)> {
    let Some(mut teacher) = run.teacher().map(LoadedTeacher::heldout).transpose()?.flatten() else {
        return Ok((measure(decoder, weights, run, stage, observer)?, None));
    };
    let (part, protocol) = (run.origin().corpus.heldout(), Protocol::from(&run.spec().evaluation));
    let mut space = decoder.workspace()?;
    let total = planned_tokens(part, &protocol);
    let mut stage = ShownStage::begin(observer, stage, total, "tokens");
    let (sides, mut hear) = ((weights, &mut teacher), |done| stage.at(done));
    let (found, divergence) =
        evaluate_against(decoder, sides, &mut space, part, &protocol, &mut hear)?;
    Ok((found, Some(divergence)))
}

fn finite(found: Evaluated, model: &Path) -> Result<Nats> {
    require_finite(&found, model)?;
    Ok(found.loss())
}

/// The phase of the learning rate in which the training of the model before pruning ended, if it
/// comes from a run.
fn phase(options: &HealOptions, run: &PreparedRun) -> Result<Option<Phase>> {
    let Lineage { cut, phase, .. } = &run.origin().lineage;
    // For a pruned model, the facts about its base are in its cut record, not in its own lineage.
    let known = cut.as_ref().map_or(*phase, |cut| cut.loss0_phase);
    let LossBefore::Of(base) = &options.before else { return Ok(known) };
    let base = hub::cached_folder(base).unwrap_or_else(|| base.clone());
    Ok(lineage::own(&ModelFolder::open(&base)?)?.phase.or(known))
}

/// The model of the CPU if `/proc/cpuinfo` names it, else the architecture.
fn machine() -> String {
    let named = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    named.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perplexity_given_as_a_loss_is_remarked_on() {
        assert_eq!(odd_loss(Nats(5.5), 256), None);
        let remark = odd_loss(Nats(12.0), 256).unwrap();
        assert!(remark.contains("above the 5.55 of a model that guesses"), "{remark}");
        assert!(remark.contains("its logarithm, 2.4849"), "{remark}");
    }
}
