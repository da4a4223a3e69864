//! `regrow prune`: a model folder in, a smaller one out, with the decision written down.

mod again;
mod options;
mod plan;
mod show;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use disk::Existing;
use ledger::Nats;
use model::backend::cpu::Cpu;
use model::folder::{ModelFolder, SHARD_LIMIT};
use prune::{
    Calibration, Destination, METHODS, Method, Progress, Pruned, Refusal, Request, TOLERANCE,
    Takes, Target,
};
use serde::Serialize;

use self::options::OptionArguments;
use crate::terminal::{Exit, Output};
use regrow::count::Count;
use regrow::lineage;
use regrow::loaded;
use regrow::source::{PartName, Source, SourceArguments};

const EXAMPLES: &str = "\
Examples:
  A quarter of the parameters, by block influence on the training part of a corpus:
    regrow prune llama-1b --rate 0.25 --corpus corpus --out llama-1b-75

  Blocks that you name:
    regrow prune llama-1b --drop 11,12,13 --out llama-1b-short

  Narrower layers instead, of all three kinds, or neurons alone:
    regrow prune llama-1b --method width-activation --rate 0.25 --corpus corpus --out llama-1b-narrow
    regrow prune llama-1b --method width-activation --width ffn --rate 0.25 --corpus corpus --out llama-1b-ffn

  A shape that you name:
    regrow prune llama-1b --method width-magnitude --shape hidden=1536,ffn=6144,heads=24 --out llama-1b-shape

  Half the weights of every linear layer made zero, two of every four:
    regrow prune llama-1b --method 2:4-wanda --corpus corpus --out llama-1b-2-4

  A decision made again, of a pruned folder or its `cut.json`, to the same bytes:
    regrow prune llama-1b --cut llama-1b-75 --out llama-1b-75-again

  What would be left, and the memory, time and disk that it takes, of a folder or of a public size by its name:
    regrow prune llama-3.1-70b --method width-activation --rate 0.25 --dry-run";

/// Arguments of `regrow prune`.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    override_usage = "regrow prune MODEL (--rate RATE | --drop N,N,.. | --shape PART=N,.. | --method N:M-SCORE | --cut FILE) [--corpus CORPUS | --text FILE...] --out DIR [OPTIONS]"
)]
#[group(id = "target", required = true, multiple = true, args = ["rate", "drop", "shape", "method", "cut"])]
pub struct Arguments {
    /// The model folder
    model: PathBuf,
    /// The share of all parameters to remove; it becomes whole blocks, a legal width, or
    /// unstructured zeros
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, conflicts_with_all = ["drop", "shape"])]
    rate: Option<f64>,
    /// The blocks to remove, counted from 0
    #[arg(long, value_name = "N,N,..", value_delimiter = ',', conflicts_with = "shape")]
    drop: Vec<usize>,
    /// The sizes to keep in width: `hidden=N`, `ffn=N`, `heads=N`
    #[arg(long, value_name = "PART=N,..", value_delimiter = ',', value_parser = options::size)]
    shape: Vec<(ledger::Part, usize)>,
    #[arg(long, value_name = "METHOD", value_parser = prune::method, help = method_help())]
    method: Option<Method>,
    /// Make this cut again: a `cut.json`, or the folder of a pruned model. The model must be the
    /// one that it was decided on
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "drop", "shape", "method", "dry_run"])]
    cut: Option<PathBuf>,
    /// How far the realised rate may be from the one asked for
    #[arg(long, value_name = "DISTANCE", default_value_t = TOLERANCE, allow_negative_numbers = true)]
    tolerance: f64,
    /// The smaller model's folder
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    #[command(flatten)]
    options: OptionArguments,
    #[command(flatten)]
    source: SourceArguments,
    /// Calibration sequences [default: 128, or fewer where the text is used up by fewer]
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Tokens a calibration sequence [default: 2048, or less where text or context is shorter]
    #[arg(long, value_name = "N")]
    length: Option<usize>,
    /// Chooses the calibration sequences
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The model series that laws are fitted for [default: that of the model]
    #[arg(long, value_name = "NAME")]
    series: Option<String>,
    /// Held-out loss of the model before pruning in nats per token, for the record and the card
    /// [default: of a run's model its last]
    #[arg(long, value_name = "NATS", allow_negative_numbers = true)]
    loss0: Option<f64>,
    /// Most bytes of weights in one file
    #[arg(long, value_name = "BYTES", default_value_t = Count(SHARD_LIMIT))]
    shard_size: Count,
    /// Print what would be left and the memory, time and disk that it takes; measure and write
    /// nothing
    #[arg(long)]
    dry_run: bool,
    /// Replace `--out` if it exists
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints: `cut.json`, and where it was written.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    record: &'a ledger::CutRecord,
    kept: &'a [usize],
    dropped: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<&'a Path>,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    if arguments.dry_run {
        return plan::run(arguments, output);
    }
    if arguments.shard_size.0 == 0 {
        bail!("`--shard-size` is 0, expected at least 1");
    }
    let folder = loaded::open(&arguments.model, &mut output.listener())?;
    if let Some(cut) = &arguments.cut {
        return again::run(arguments, &folder, cut, output);
    }
    let lineage = lineage::own(&folder)?;
    let (method, target) = decision(arguments)?;
    let source = if method.reads_text() {
        Source::open(&arguments.source, PartName::Train, &folder, &mut output.listener())?
    } else {
        None
    };
    let sequences = arguments.samples.unwrap_or(prune::calibration::SEQUENCES);
    let calibration = Calibration { sequences, length: arguments.length, seed: arguments.seed };
    if let Some(source) = &source {
        let fits = calibration.fits(prune::Source::Part(source.part()), folder.config());
        match fits {
            // The text that there is does where no number was asked for.
            Err(error)
                if error.refusal() == Some(Refusal::TooFewTokens)
                    && arguments.samples.is_none() =>
            {
                output.warn(&format!("{error}: fewer are read"));
            }
            fits => fits?,
        }
    }
    let request = Request {
        calibration: source
            .as_ref()
            .map(|source| (prune::Source::Part(source.part()), calibration)),
        base: Some(lineage.base),
        series: Some(arguments.series.clone().unwrap_or(lineage.series)),
        loss0: loss0(arguments)?.or(lineage.loss),
        loss0_phase: lineage.phase,
        options: arguments.options.options(),
        spill: arguments.options.spill.clone(),
        ..Request::new(method, target, regrow::VERSION)
    };
    let pruned = execute(arguments, &folder, &request, output)?;
    if !arguments.json {
        plan::show_choices(&request, &pruned, output)?;
    }
    report(arguments, pruned.record(), output)
}

/// Says what was decided and where it stands.
fn report(
    arguments: &Arguments,
    record: &ledger::CutRecord,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    show::warn(record, output);
    if arguments.json {
        let (kept, dropped, out) =
            (record.cut.kept(), record.cut.dropped(), arguments.out.as_deref());
        output.json(&Report { record, kept: &kept, dropped, out })?;
        return Ok(Exit::Done);
    }
    show::show(record, output)?;
    if let Some(out) = &arguments.out {
        output.say(&format!("written to `{}`", out.display()));
    }
    Ok(Exit::Done)
}

fn loss0(arguments: &Arguments) -> anyhow::Result<Option<Nats>> {
    match arguments.loss0 {
        Some(loss) if !(loss.is_finite() && loss >= 0.0) => {
            bail!("`--loss0` is {loss}, expected nats per token, 0 or more")
        }
        loss => Ok(loss.map(Nats)),
    }
}

/// The method and what it is told; a method that does not fit the target is refused by the pruner.
fn decision(arguments: &Arguments) -> anyhow::Result<(Method, Target)> {
    let named = arguments.method;
    let target = match arguments.rate {
        Some(rate) => Target::Rate { rate, tolerance: arguments.tolerance },
        None if !arguments.shape.is_empty() => Target::Sizes(options::sizes(&arguments.shape)),
        None if !arguments.drop.is_empty() => Target::Blocks(arguments.drop.clone()),
        None => match named.and_then(|method| method.takes().first().copied()) {
            Some(Takes::Pattern) => Target::Pattern,
            Some(Takes::Blocks) => bail!("`--drop` is missing: the blocks to remove"),
            _ => {
                bail!("`--rate` is missing: the share of all parameters to remove or make zero")
            }
        },
    };
    let default = match target.kind() {
        Takes::Rate | Takes::Pattern => "depth-block-influence",
        Takes::Blocks => "depth-list",
        Takes::Sizes => "width-activation",
    };
    let method = match named {
        Some(method) => method,
        None => prune::method(default)?,
    };
    Ok((method, target))
}

fn method_help() -> String {
    let names: Vec<String> = METHODS.iter().map(|method| method.name()).collect();
    format!(
        "How it is chosen what goes: {}; another `N:M-SCORE` or `unstructured-SCORE` [default: depth-block-influence, \
         depth-list with `--drop`, width-activation with `--shape`]",
        names.join(", ")
    )
}

fn execute(
    arguments: &Arguments,
    folder: &ModelFolder,
    request: &Request<'_>,
    output: &Output,
) -> anyhow::Result<Pruned> {
    let mut shown: Option<(&str, crate::terminal::Progress)> = None;
    let mut progress = |progress: Progress| {
        let (label, done, of, unit) = match progress {
            Progress::Scoring { done, of } => ("scoring", done, of, "blocks"),
            Progress::Writing { done, of } => ("writing", done, of, "tensors"),
            Progress::Hashing => return,
        };
        if shown.as_ref().is_none_or(|(before, _)| *before != label) {
            shown = Some((label, output.progress(label, of as u64, unit)));
        }
        if let Some((_, bar)) = &mut shown {
            bar.at(done as u64, "");
        }
    };
    let machine = Cpu::<f32>::new();
    Ok(prune::prune(&machine, folder, request, &destination(arguments)?, &mut progress)?)
}

/// Where the smaller model goes.
fn destination(arguments: &Arguments) -> anyhow::Result<Destination<'_>> {
    let out = arguments.out.as_deref().context("`--out` is missing")?;
    let existing = if arguments.force { Existing::Replace } else { Existing::Refuse };
    Ok(Destination::new(out, existing).with_shard_limit(arguments.shard_size.0))
}
