//! One entry: a model folder and a request in, a smaller model folder and what came of it out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use disk::Existing;
use ledger::{Cut, CutRecord, Nats, Params, Phase, Rate};
use model::folder::{ModelFolder, SHARD_LIMIT};
use shape::config::ModelConfig;
use shape::count::Count;

use crate::apply::{apply_then, check_clear, check_disk, check_target};
use crate::beside::hashed;
use crate::calibration::{Calibration, LENGTH, Sequences, Source};
use crate::error::{Error, Result};
use crate::measure::measure;
use crate::methods::{Method, Select, Takes, Target, method};
use crate::options::Options;
use crate::plan::{Text, plan};
use crate::shapes;
use crate::sparse::{self, SparsePlan, Sparsify, Writing};
use crate::width::shape::{Choice, Shape};
use crate::width::solve;

/// What is to be pruned away, and how that is decided.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method, by its name in [`crate::METHODS`].
    pub method: &'a str,
    /// How much goes.
    pub target: Target,
    /// The calibration text and how sequences are drawn from it; methods that do not score never
    /// read it.
    ///
    /// Whether the text was made by the model's tokenizer is for the caller to see to.
    pub calibration: Option<(Source<'a>, Calibration)>,
    /// What methods can be told beside how much goes.
    pub options: Options,
    /// A folder in which activations are kept while they are needed, instead of in memory.
    pub spill: Option<PathBuf>,
    /// The name of the model before the cut; that of its folder where nothing is said.
    pub base: Option<String>,
    /// The model series that laws are fitted for; the word of the family where nothing is said.
    pub series: Option<String>,
    /// Held-out loss of the model before the cut, where it was measured.
    pub loss0: Option<Nats>,
    /// The phase of the learning rate in which that model was left, where it is known.
    pub loss0_phase: Option<Phase>,
    /// Most bytes of tensors in one file.
    pub shard_limit: u64,
}

/// How far pruning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Layers are scored, or made sparse.
    Scoring {
        /// Layers done ...
        done: usize,
        /// ... of this many.
        of: usize,
    },
    /// The hash of the model's weights is taken, from here on beside the writing.
    Hashing,
    /// The smaller model is written.
    Writing {
        /// Tensors written ...
        done: usize,
        /// ... of this many.
        of: usize,
    },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruned {
    /// What `cut.json` holds: method, counts, rates asked and realised, scores, hashes.
    pub record: CutRecord,
    /// Layers that stayed, counted from 0 in the model before the cut.
    pub kept: Vec<usize>,
    /// Layers that went, counted likewise.
    pub dropped: Vec<usize>,
}

impl<'a> Request<'a> {
    /// A request without calibration text, named after the folder and its family.
    pub fn new(method: &'a str, target: Target) -> Self {
        Self {
            method,
            target,
            calibration: None,
            options: Options::default(),
            spill: None,
            base: None,
            series: None,
            loss0: None,
            loss0_phase: None,
            shard_limit: SHARD_LIMIT,
        }
    }
}

/// Decides what goes and writes the smaller model to `out`.
///
/// A model that was pruned before is a base like any other: the record counts from this folder's
/// parameters and names this folder, not the one that it came from.
///
/// # Errors
/// Those of [`decide`] and [`crate::apply::apply`]; a target that is taken is refused before
/// anything is computed.
pub fn prune(
    folder: &ModelFolder,
    request: &Request<'_>,
    out: &Path,
    existing: Existing,
    progress: &mut dyn FnMut(Progress),
) -> Result<Pruned> {
    check_target(folder, out, existing)?;
    check_clear(folder)?;
    let shard_limit = request.shard_limit;
    if let Method::Select(select) = method(request.method)? {
        check(select, folder.config(), request)?;
    }
    check_room(folder, request, out)?;
    match method(request.method)? {
        Method::Select(select) => {
            let record = decide_by(select, folder, request, progress)?;
            progress(Progress::Hashing);
            let writing = &mut |done, of| progress(Progress::Writing { done, of });
            let record = hashed(folder, |hash| {
                let finish = || Ok(CutRecord { base_hash: hash()?, ..record.clone() });
                apply_then(folder, &record, out, existing, shard_limit, writing, finish)
            })?;
            Ok(Pruned::of(record))
        }
        Method::Sparse(_, score) => {
            let (plan, sequences) = plan_sparse(folder, request)?;
            let sequences = sequences.as_ref();
            let record = record_sparse(folder, request, score, &plan, sequences)?;
            let spill = request.spill.as_deref();
            let writing = Writing {
                plan: &plan,
                score,
                sequences,
                spill,
                out,
                existing,
                shard_limit,
                again: None,
            };
            progress(Progress::Hashing);
            let scoring = &mut |done, of| progress(Progress::Scoring { done, of });
            let finish = |hash: &mut dyn FnMut() -> Result<String>| {
                let finish = |record| Ok(CutRecord { base_hash: hash()?, ..record });
                sparse::write(folder, record, &writing, scoring, finish)
            };
            Ok(Pruned::of(hashed(folder, finish)?))
        }
    }
}

/// Decides what goes and writes nothing. A sparse method decides only as it writes: its record then
/// lacks what only that tells.
///
/// # Errors
/// For an unknown method, a target that it does not take or that the model cannot meet, calibration
/// text that is missing, too short or of another vocabulary, and weights that cannot be read.
pub fn decide(
    folder: &ModelFolder,
    request: &Request<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Pruned> {
    let record = match method(request.method)? {
        Method::Select(select) => decide_by(select, folder, request, progress)?,
        Method::Sparse(_, score) => {
            let (plan, sequences) = plan_sparse(folder, request)?;
            record_sparse(folder, request, score, &plan, sequences.as_ref())?
        }
    };
    progress(Progress::Hashing);
    Ok(Pruned::of(CutRecord { base_hash: folder.weights_hash()?, ..record }))
}

/// Decides; whose hash the record holds is still to be said.
fn decide_by(
    select: &dyn Select,
    folder: &ModelFolder,
    request: &Request<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<CutRecord> {
    let config = folder.config();
    check(select, config, request)?;
    let sequences = draw(folder, request)?;
    let scoring = &mut |done, of| progress(Progress::Scoring { done, of });
    let (options, spill) = (&request.options, request.spill.as_deref());
    let scores = measure(
        folder,
        select.needs(),
        &request.target,
        sequences.as_ref(),
        options,
        spill,
        scoring,
    )?;
    let cut = select.choose(config, &scores, &request.target, options)?;
    let left = Left::from(left(config, &cut)?);
    let record = record(folder, request, select.name().to_owned(), cut, left, sequences.as_ref())?;
    Ok(CutRecord { options: select.told(options), scores: scores.listed(), ..record })
}

/// Draws the calibration sequences of a request whose method reads text.
fn draw(folder: &ModelFolder, request: &Request<'_>) -> Result<Option<Sequences>> {
    let method = method(request.method)?;
    if !method.needs_text() {
        return Ok(None);
    }
    let missing = || Error::NoCalibration { method: method.name() };
    let (source, settings) = request.calibration.ok_or_else(missing)?;
    Sequences::draw(source, &settings, folder.config()).map(Some)
}

fn plan_sparse(
    folder: &ModelFolder,
    request: &Request<'_>,
) -> Result<(SparsePlan, Option<Sequences>)> {
    let method = method(request.method)?;
    let plan = sparse::plan(folder.config(), &method, &request.target, &request.options.linear)?;
    Ok((plan, draw(folder, request)?))
}

fn record_sparse(
    folder: &ModelFolder,
    request: &Request<'_>,
    score: &dyn Sparsify,
    plan: &SparsePlan,
    sequences: Option<&Sequences>,
) -> Result<CutRecord> {
    let count = Count::of(folder.config());
    let left = Left {
        parameters: Params(count.total - plan.zeroed.0),
        parameters_without_embedding: Params(count.without_embedding - plan.zeroed.0),
        rate: plan.rate,
        rate_without_embedding: plan.rate_without_embedding,
    };
    let names = plan.linear.iter().filter_map(|role| role.linear_name()).map(str::to_owned);
    let pattern = plan.zeros.pattern();
    let cut = Cut::Sparse {
        layers: folder.config().num_hidden_layers(),
        pattern,
        score: score.name().to_owned(),
        linear: names.collect(),
    };
    let name = format!("{pattern}-{}", score.name());
    record(folder, request, name, cut, left, sequences)
}

/// What a cut leaves, in numbers.
struct Left {
    parameters: Params,
    parameters_without_embedding: Params,
    rate: Rate,
    rate_without_embedding: Rate,
}

impl From<Choice> for Left {
    fn from(choice: Choice) -> Self {
        let Choice {
            parameters, parameters_without_embedding, rate, rate_without_embedding, ..
        } = choice;
        Self { parameters, parameters_without_embedding, rate, rate_without_embedding }
    }
}

fn record(
    folder: &ModelFolder,
    request: &Request<'_>,
    method: String,
    cut: Cut,
    left: Left,
    sequences: Option<&Sequences>,
) -> Result<CutRecord> {
    let before = Count::of(folder.config());
    Ok(CutRecord {
        format: CutRecord::FORMAT,
        method,
        base: request.base.clone().unwrap_or_else(|| folder.name()),
        // Taken while the model is written.
        base_hash: String::new(),
        series: request.series.clone().unwrap_or_else(|| folder.config().family().name.to_owned()),
        n0: Params(before.total),
        parameters: left.parameters,
        n0_without_embedding: Params(before.without_embedding),
        parameters_without_embedding: left.parameters_without_embedding,
        asked_rate: match request.target {
            Target::Rate { rate, .. } => Some(rate),
            Target::Layers(_) | Target::Sizes(_) | Target::Pattern => None,
        },
        rate: left.rate,
        rate_without_embedding: left.rate_without_embedding,
        loss0: request.loss0,
        loss0_phase: request.loss0_phase,
        calibration: sequences.map(Sequences::record),
        options: BTreeMap::new(),
        scores: None,
        already_zero: None,
        fallbacks: Vec::new(),
        regrow: env!("CARGO_PKG_VERSION").to_owned(),
        cut,
    })
}

impl Pruned {
    fn of(record: CutRecord) -> Self {
        let (kept, dropped) = (record.cut.kept(), record.cut.dropped().to_vec());
        Self { record, kept, dropped }
    }
}

/// Refuses a disk that is too small before hours are spent.
fn check_room(folder: &ModelFolder, request: &Request<'_>, out: &Path) -> Result<()> {
    let settings = request.calibration.map(|(_, settings)| settings).unwrap_or_default();
    let config = folder.config();
    let text = Text {
        sequences: settings.sequences,
        length: settings.length.unwrap_or(LENGTH.min(config.max_position_embeddings())),
        spilled: request.spill.is_some(),
    };
    let plan = plan(
        config,
        method(request.method)?,
        &request.target,
        &request.options,
        text,
        folder.dtype().size(),
    )?;
    check_disk(out, plan.output, "the smaller model")?;
    match &request.spill {
        Some(folder) => check_disk(folder, plan.spilled, "the activations"),
        None => Ok(()),
    }
}

/// What a cut leaves of a model.
fn left(config: &ModelConfig, cut: &Cut) -> Result<Choice> {
    let smaller = match cut {
        Cut::Depth { .. } => config.with_blocks(cut.kept().len()),
        Cut::Width(width) => Shape::of(config).after(width).apply(config),
        Cut::Sparse { .. } => config.clone(),
    };
    Choice::of(config, &smaller)
}

/// Refuses what cannot be met before anything is scored.
fn check(select: &dyn Select, config: &ModelConfig, request: &Request<'_>) -> Result<()> {
    request.options.check()?;
    if !select.takes().contains(&request.target.kind()) {
        return Err(Error::target(select, &request.target));
    }
    if select.takes().contains(&Takes::Sizes) {
        solve(select, config, &request.target, &request.options)?;
    } else if let Target::Rate { rate, tolerance } = request.target {
        shapes::nearest(config, rate, tolerance)?;
    }
    Ok(())
}
