//! Prunes a model folder into a new one, and records the cut.

use std::path::{Path, PathBuf};

use ledger::{CutRecord, Nats};
use model::folder::ModelFolder;
use prune::{
    CalibrationSettings, Destination, Method, Pruned, PruningPlan, PruningProgress, PruningTarget,
    Refused, Request, Takes, TextSize,
};
use shape::config::RawConfig;

use crate::error::{Error, Result, bail};
use crate::inspect::{self, Inspected};
use crate::lineage;
use crate::loaded::{self, default_context};
use crate::machine::machine;
use crate::observer::{Event, Observer};
use crate::source::{OpenText, TextSource};

/// Bytes per weight where the number format is unknown: most public models are stored in 16 bits.
const USUAL_BYTES: usize = 2;

/// The options of a pruning: how much is removed, how it is chosen, and what is recorded.
#[derive(Clone, Debug)]
pub struct PruneOptions {
    method: Option<Method>,
    target: PruningTarget,
    text: Option<TextSource>,
    samples: Option<usize>,
    length: Option<usize>,
    seed: u64,
    how: prune::MethodOptions,
    spill: Option<PathBuf>,
    series: Option<String>,
    loss0: Option<Nats>,
}

impl PruneOptions {
    /// Prunes to `target` with the default method for this kind of target.
    pub fn new(target: PruningTarget) -> Self {
        Self {
            method: None,
            target,
            text: None,
            samples: None,
            length: None,
            seed: 0,
            how: prune::MethodOptions::default(),
            spill: None,
            series: None,
            loss0: None,
        }
    }

    /// Sets the method, one of [`prune::METHODS`].
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Sets the calibration text. Methods that measure nothing do not read it.
    #[must_use]
    pub fn text(mut self, text: TextSource) -> Self {
        self.text = Some(text);
        self
    }

    /// Sets the number of calibration sequences. The default is the usual number, or as many as the
    /// text has.
    #[must_use]
    pub fn samples(mut self, sequences: usize) -> Self {
        self.samples = Some(sequences);
        self
    }

    /// Sets the tokens per calibration sequence.
    #[must_use]
    pub fn length(mut self, tokens: usize) -> Self {
        self.length = Some(tokens);
        self
    }

    /// Sets the seed that chooses the calibration sequences.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets further options of the methods.
    #[must_use]
    pub fn how(mut self, how: prune::MethodOptions) -> Self {
        self.how = how;
        self
    }

    /// Keeps activations in a file in this folder, instead of in memory.
    #[must_use]
    pub fn spill(mut self, folder: impl AsRef<Path>) -> Self {
        self.spill = Some(folder.as_ref().to_path_buf());
        self
    }

    /// Sets the model series that laws are fitted for. The default is that of the model.
    #[must_use]
    pub fn series(mut self, series: impl Into<String>) -> Self {
        self.series = Some(series.into());
        self
    }

    /// Sets the held-out loss of the model before pruning, for the record.
    #[must_use]
    pub fn loss0(mut self, loss: Nats) -> Self {
        self.loss0 = Some(loss);
        self
    }

    /// The chosen method, or the default for the target.
    fn resolved_method(&self) -> Result<Method> {
        let usual = match self.target.kind() {
            Takes::Rate | Takes::Pattern => "depth-block-influence",
            Takes::Blocks => "depth-list",
            Takes::Sizes => "width-activation",
        };
        self.method.map_or_else(|| Ok(prune::method(usual)?), Ok)
    }

    fn check(&self) -> Result<()> {
        match self.loss0 {
            Some(Nats(loss)) if !(loss.is_finite() && loss >= 0.0) => {
                let message = format!("`loss0` is {loss}, expected nats per token, 0 or more");
                Err(Error::msg(message).about("loss0"))
            }
            _ => Ok(()),
        }
    }
}

/// What pruning would remove, read, keep in memory and write.
pub struct PrunePreview {
    model: Inspected,
    method: Method,
    plan: PruningPlan,
    speed: f64,
}

impl PrunePreview {
    /// The model.
    pub fn model(&self) -> &Inspected {
        &self.model
    }

    /// The id of the method.
    pub fn method(&self) -> String {
        self.method.name()
    }

    /// The pruning plan.
    pub fn plan(&self) -> &PruningPlan {
        &self.plan
    }

    /// Measured floating-point operations per second.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// An upper bound on its memory, in bytes.
    pub fn memory_bound(&self) -> u64 {
        self.plan.memory().bound(self.model.config())
    }
}

/// Prunes a model, named by its folder or its id on the hub, into a new folder.
///
/// # Errors
/// Where model or text cannot be read, the method does not fit the target, or the new folder cannot
/// be written.
pub fn prune(
    model: impl AsRef<Path>,
    options: &PruneOptions,
    destination: &Destination<'_>,
    observer: &mut dyn Observer,
) -> Result<Pruned> {
    check_shards(destination)?;
    options.check()?;
    let texts = options.text.iter().flat_map(TextSource::paths);
    destination.check(&[model.as_ref()].into_iter().chain(texts).collect::<Vec<_>>())?;
    let folder = loaded::open(model.as_ref(), observer)?;
    // `own`, not `of`: the model that is pruned now is the base, even if it was pruned before.
    let lineage = lineage::own(&folder)?;
    let method = options.resolved_method()?;
    let text = match &options.text {
        // Text that the method ignores is not opened: reading it could take long.
        Some(text) if method.reads_text() => Some(OpenText::open(text, &folder, observer)?),
        _ => None,
    };
    let sequences = options.samples.unwrap_or(prune::calibration::SEQUENCES);
    let calibration = CalibrationSettings { sequences, length: options.length, seed: options.seed };
    if let Some(text) = &text {
        let fits = calibration.fits(prune::Source::Part(text.part()), folder.config());
        match fits {
            // Nobody asked for a number of sequences, so a short text is only a warning.
            Err(error)
                if error.refusal() == Some(Refused::TooFewTokens) && options.samples.is_none() =>
            {
                observer.hear(&Event::Warning(&format!("{error}: fewer are read")));
            }
            fits => fits?,
        }
    }
    let request = Request {
        calibration: text.as_ref().map(|text| (prune::Source::Part(text.part()), calibration)),
        base: Some(lineage.base),
        series: Some(options.series.clone().unwrap_or(lineage.series)),
        // A loss given by the caller wins over the last one of the model's own run.
        loss0: options.loss0.or(lineage.loss),
        loss0_phase: lineage.phase,
        options: options.how.clone(),
        spill: options.spill.clone(),
        ..Request::new(method, options.target.clone(), crate::VERSION)
    };
    let mut shown = StageTeller::new(observer);
    let mut hear = |progress: PruningProgress| match progress {
        PruningProgress::Scoring { done, of } => shown.at("scoring", done, of, "blocks"),
        PruningProgress::Writing { done, of } => shown.at("writing", done, of, "tensors"),
        PruningProgress::Hashing => {}
    };
    Ok(prune::prune(&machine(), &folder, &request, destination, &mut hear)?)
}

/// Repeats an earlier cut, given as a pruned folder or its `cut.json`, on the model that it was
/// made from. Methods that also adjust the kept weights need the calibration text of the cut.
///
/// # Errors
/// As for [`prune()`], and where `cut` has no cut, or a cut of another model.
pub fn prune_again(
    model: impl AsRef<Path>,
    cut: impl AsRef<Path>,
    text: Option<&TextSource>,
    destination: &Destination<'_>,
    observer: &mut dyn Observer,
) -> Result<CutRecord> {
    check_shards(destination)?;
    let cut = cut.as_ref();
    let texts = text.into_iter().flat_map(TextSource::paths);
    destination.check(&[model.as_ref(), cut].into_iter().chain(texts).collect::<Vec<_>>())?;
    let folder = loaded::open(model.as_ref(), observer)?;
    let Some(record) = prune::record_of(cut)? else {
        bail!("`{}` holds no `cut.json`", cut.display());
    };
    let text = match text {
        Some(text) => Some(OpenText::open(text, &folder, observer)?),
        None => None,
    };
    let source = text.as_ref().map(|text| prune::Source::Part(text.part()));
    let mut shown = StageTeller::new(observer);
    let mut hear = |done: usize, of: usize| shown.at("writing", done, of, "parts");
    prune::replay(&machine(), &folder, &record, source, destination, &mut hear)?;
    Ok(record)
}

/// Refuses files that can hold nothing.
fn check_shards(destination: &Destination<'_>) -> Result<()> {
    if destination.shard_limit() == 0 {
        let message = "`shard_size` is 0, expected at least 1";
        return Err(Error::msg(message).about("shard_size"));
    }
    Ok(())
}

/// Reports what pruning would remove and need, for a folder, a configuration or a public model.
/// Only the speed of this machine is measured, and nothing is written.
///
/// # Errors
/// Where the model does not exist, or the method does not fit the target.
pub fn preview(model: impl AsRef<Path>, options: &PruneOptions) -> Result<PrunePreview> {
    let path = model.as_ref();
    let model = inspect::find(path)?;
    let bytes = match model.folder() {
        Some(folder) => folder.dtype().size(),
        None if path.exists() => stored_bytes(&ModelFolder::raw_config_of(path)?),
        None => USUAL_BYTES,
    };
    let text = TextSize {
        sequences: options.samples.unwrap_or(prune::calibration::SEQUENCES),
        length: options.length.unwrap_or_else(|| default_context(model.config())),
        spilled: options.spill.is_some(),
    };
    let method = options.resolved_method()?;
    let plan =
        PruningPlan::new(model.config(), method, &options.target, &options.how, text, bytes)?;
    let speed = prune::plan::speed(&machine())?;
    Ok(PrunePreview { model, method, plan, speed })
}

fn stored_bytes(raw: &RawConfig) -> usize {
    let name = raw.get("dtype").or_else(|| raw.get("torch_dtype")).and_then(|value| value.as_str());
    if name == Some("float32") { 4 } else { USUAL_BYTES }
}

/// Reports stages that follow each other.
struct StageTeller<'a> {
    observer: &'a mut dyn Observer,
    stage: Option<&'static str>,
}

impl<'a> StageTeller<'a> {
    fn new(observer: &'a mut dyn Observer) -> Self {
        Self { observer, stage: None }
    }

    fn at(&mut self, stage: &'static str, done: usize, of: usize, unit: &'static str) {
        if self.stage != Some(stage) {
            self.observer.hear(&Event::Begun { stage, total: of as u64, unit, done: 0 });
            self.stage = Some(stage);
        }
        self.observer.hear(&Event::Progress { done: done as u64, message: "" });
    }
}

impl Drop for StageTeller<'_> {
    fn drop(&mut self) {
        if self.stage.is_some() {
            self.observer.hear(&Event::Ended);
        }
    }
}
