//! `regrow prune`: prunes a model folder into a new one, and records the cut.

mod options;
mod preview;
mod show;

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use ledger::{Cut, CutRecord, Nats, written_rate};
use model::folder::SHARD_LIMIT;
use prune::{METHODS, Method, PruningTarget, TOLERANCE, Takes};
use regrow::Count;
use regrow::prune::Destination;
use regrow::pruning::{self, PruneOptions};
use regrow::source::PartName;
use serde::Serialize;
use shape::catalog;

use self::options::MethodFlags;
use crate::flags::force::existing;
use crate::flags::source::SourceFlags;
use crate::terminal::{Exit, Output, TerminalObserver, usage};

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
    #[arg(long, value_name = "RATE", value_parser = written_rate, allow_negative_numbers = true, conflicts_with_all = ["drop", "shape"])]
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
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    options: MethodFlags,
    #[command(flatten)]
    source: SourceFlags,
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

/// What `--json` prints: the contents of `cut.json`, and the output folder.
#[derive(Serialize)]
struct PruneReport<'a> {
    #[serde(flatten)]
    record: &'a ledger::CutRecord,
    kept: &'a [usize],
    dropped: &'a [usize],
    out: &'a Path,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    if arguments.dry_run {
        let preview = pruning::preview(&arguments.model, &options(arguments)?)?;
        preview::show(&preview, arguments.rate, arguments.json, output)?;
        return Ok(Exit::Done);
    }
    let out = arguments.out.as_deref().ok_or_else(|| without_out(&arguments.model))?;
    let existing = existing(arguments.force);
    let destination = Destination::new(out, existing).with_shard_limit(arguments.shard_size.0);
    let record = match &arguments.cut {
        Some(cut) => {
            let text = arguments.source.source(PartName::Train);
            pruning::prune_again(
                &arguments.model,
                cut,
                text.as_ref(),
                &destination,
                &mut TerminalObserver::new(output),
            )?
        }
        None => {
            let options = options(arguments)?;
            let pruned = pruning::prune(
                &arguments.model,
                &options,
                &destination,
                &mut TerminalObserver::new(output),
            )?;
            // A rate allows several shapes near it, so the alternatives are shown. A sparse cut
            // keeps the shape.
            let of_many = !matches!(pruned.record().cut, Cut::Sparse { .. });
            if of_many && arguments.rate.is_some() && !arguments.json {
                output.table(&preview::choices(pruned.outcomes()))?;
                output.data("\n")?;
            }
            pruned.into_record()
        }
    };
    report(arguments.json, &record, out, output)?;
    Ok(Exit::Done)
}

/// What to do without an output folder. A name without weights can only be looked at.
fn without_out(model: &Path) -> anyhow::Error {
    let name = model.to_str().unwrap_or_default();
    match catalog::find(name).filter(|_| !model.exists()) {
        Some(known) if known.name().eq_ignore_ascii_case(name) => usage(format!(
            "`{name}` alone names a shape without weights: with `--dry-run` it is shown what would be left of it; to prune \
             its weights, name a model folder, or `{}` to fetch them, and `--out DIR`",
            known.repository()
        )),
        _ => {
            usage("`--out DIR` is missing, the folder of the smaller model; `--dry-run` needs none")
        }
    }
}

/// Prints the cut and the output folder.
fn report(json: bool, record: &CutRecord, out: &Path, output: &mut Output) -> anyhow::Result<()> {
    show::warn(record, output);
    if json {
        let (kept, dropped) = (record.cut.kept(), record.cut.dropped());
        return output.json(&PruneReport { record, kept: &kept, dropped, out });
    }
    show::show(record, output)?;
    output.say(&format!("written to `{}`", out.display()));
    Ok(())
}

fn options(arguments: &Arguments) -> anyhow::Result<PruneOptions> {
    let mut options =
        PruneOptions::new(target(arguments)?).seed(arguments.seed).how(arguments.options.options());
    if let Some(method) = arguments.method {
        options = options.method(method);
    }
    if let Some(text) = arguments.source.source(PartName::Train) {
        options = options.text(text);
    }
    if let Some(samples) = arguments.samples {
        options = options.samples(samples);
    }
    if let Some(length) = arguments.length {
        options = options.length(length);
    }
    if let Some(folder) = arguments.options.spill() {
        options = options.spill(folder);
    }
    if let Some(series) = &arguments.series {
        options = options.series(series);
    }
    if let Some(loss) = arguments.loss0 {
        options = options.loss0(Nats(loss));
    }
    Ok(options)
}

/// The pruning target from the flags. The pruner refuses a method that does not fit it.
fn target(arguments: &Arguments) -> anyhow::Result<PruningTarget> {
    if let Some(rate) = arguments.rate {
        return Ok(PruningTarget::Rate { rate, tolerance: arguments.tolerance });
    }
    if !arguments.shape.is_empty() {
        return Ok(PruningTarget::Sizes(options::sizes(&arguments.shape)));
    }
    if !arguments.drop.is_empty() {
        return Ok(PruningTarget::Blocks(arguments.drop.clone()));
    }
    // Only `--method` is given. An N:M method needs no more; for the others the missing flag is
    // named.
    match arguments.method.and_then(|method| method.takes().first().copied()) {
        Some(Takes::Pattern) => Ok(PruningTarget::Pattern),
        Some(Takes::Blocks) => bail!("`--drop` is missing: the blocks to remove"),
        _ => bail!("`--rate` is missing: the share of all parameters to remove or make zero"),
    }
}

fn method_help() -> String {
    // From the list of methods, so that the help cannot miss a new one.
    let names: Vec<String> = METHODS.iter().map(|method| method.name()).collect();
    format!(
        "How it is chosen what goes: {}; another `N:M-SCORE` or `unstructured-SCORE` [default: depth-block-influence, \
         depth-list with `--drop`, width-activation with `--shape`]",
        names.join(", ")
    )
}
