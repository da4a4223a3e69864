//! `regrow train`: one loop for training from scratch and for post-training.

mod begin;
mod check;
mod execute;
mod finish;
mod plan;
mod profile;
mod scribe;
mod start;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use ledger::{RunSpec, Tokens};
use model::backend::cpu::Cpu;
use model::backend::profiled::{Account, Profiled};
use model::decoder::Decoder;

use self::start::Beginning;
use crate::terminal::{Exit, Output};
use regrow::count::Count;
use regrow::hinted::hinted;
use regrow::loaded::default_context;
use regrow::recipe::{Recipe, Setting};

const EXAMPLES: &str = "\
Examples:
  Heal a pruned model, with the loss of the model before pruning measured on the same text:
    regrow train llama-1b-75 --corpus corpus --tokens 20M --base llama-1b --out runs/healed

  Train from scratch, with a recipe of which one key is overridden:
    regrow train --init config.json --corpus corpus --recipe recipe.toml --seed 2 --out runs/scratch

  Go on with a run that was interrupted: the same command and `--resume`
    regrow train llama-1b-75 --corpus corpus --tokens 20M --base llama-1b --out runs/healed --resume

  In a job that is ended after four hours, with half an hour to spare:
    regrow train llama-1b-75 --corpus corpus --tokens 20M --out runs/healed --resume --time-limit 3h30m

A stopped run (SIGINT, SIGTERM, SIGUSR1, --time-limit) saves a checkpoint and ends with status 75. A run that was killed
goes on from the newest checkpoint that is whole. Both end with the weights of the run left alone. The model is in `model/` of the
run folder once `done.json` stands there.";

/// What a run computes on.
type Machine = Profiled<Cpu<f32>>;

/// Arguments of `regrow train`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "from", required = true, multiple = false, args = ["model", "init"])]
pub struct Arguments {
    /// The model folder to train on
    model: Option<PathBuf>,
    /// Start from random weights of the shape in this `config.json`
    #[arg(long, value_name = "CONFIG")]
    init: Option<PathBuf>,
    /// The text to train on, and the held-out text
    #[arg(long, value_name = "CORPUS")]
    corpus: PathBuf,
    /// The run folder to make
    #[arg(long, value_name = "RUN", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// The model before pruning: its loss on the held-out text is measured first
    #[arg(long, value_name = "DIR", conflicts_with = "init")]
    base: Option<PathBuf>,
    /// Or that loss, where it is known, in nats per token
    #[arg(long, value_name = "NATS", conflicts_with_all = ["base", "init"])]
    loss0: Option<f64>,
    /// A file of recipe keys; flags win
    #[arg(long, value_name = "FILE.toml")]
    recipe: Option<PathBuf>,
    /// Go on with the run in `--out` from its last checkpoint, or begin it
    #[arg(long)]
    resume: bool,
    /// Replace the run in `--out`
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Stop and save before this much time is over, for example 30m or 2h, and end with status 75
    #[arg(long, value_name = "TIME", value_parser = crate::flags::span::parse)]
    time_limit: Option<Duration>,
    /// Keep less of every block and compute it again in the backward pass: less memory, more time,
    /// the same numbers
    #[arg(long)]
    recompute: bool,
    /// Most memory to take, in bytes, for example 8B; a run that would take more is refused
    /// [default: what is free]
    #[arg(long, value_name = "BYTES")]
    memory: Option<Count>,
    /// Show at the end where the time of a step went
    #[arg(long)]
    profile: bool,
    /// Print the resolved spec, the steps and the memory it takes; train nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: Recipe,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let limit = arguments.time_limit.map(|time| Instant::now() + time);
    if let Some(out) = arguments
        .out
        .as_ref()
        .filter(|_| !arguments.dry_run && !arguments.resume && !arguments.force)
        && out.symlink_metadata().is_ok()
    {
        // Before anything long is computed.
        let error = disk::Error::exists(out);
        return Err(hinted(
            error,
            "go on with it with `--resume`, replace it with `--force`, or choose another `--out`",
        ));
    }
    let (file, written) =
        arguments.recipe.as_deref().map(Recipe::read).transpose()?.unwrap_or_default();
    let as_written = arguments.recipe.is_some() && arguments.keys == Recipe::default();
    let recipe = arguments.keys.clone().over(file);
    let beginning = match (&arguments.model, &arguments.init) {
        (Some(model), _) => Beginning::model(model, &arguments.corpus, output)?,
        (None, init) => {
            let init = init.as_deref().expect("the parser demands a model or a configuration");
            Beginning::random(init, &arguments.corpus)?
        }
    };
    let spec = resolve(&recipe, &beginning)?;
    check::held_out(&beginning)?;
    train::milestones::check(&spec)?;
    check::training(&spec, &beginning)?;
    warn(&spec, &beginning, output)?;
    if arguments.dry_run {
        plan::show(&spec, &beginning, arguments.recompute, arguments.json, output)?;
        return Ok(Exit::Done);
    }
    check::memory(&spec, &beginning, arguments)?;
    // Every id and hash, before the first step rather than somewhere on the way.
    beginning.corpus.verify()?;
    let recipe_text = if as_written { written } else { recipe.to_toml()? };
    let longest = spec.context.max(spec.evaluation.context);
    let account = arguments.profile.then(Account::default);
    let machine = Machine::new(Cpu::with(spec.precision), account.clone());
    let decoder = Decoder::new(machine, &beginning.config, longest)?;
    let save_every = recipe.save_every(&spec);
    execute::run(
        arguments,
        &execute::Run { beginning, spec, recipe: recipe_text, decoder, account, save_every, limit },
        output,
    )
}

fn resolve(recipe: &Recipe, beginning: &Beginning) -> anyhow::Result<RunSpec> {
    recipe.resolve(Setting {
        series: beginning.lineage.series.clone(),
        method: beginning.method().to_owned(),
        base: beginning.lineage.base.clone(),
        corpus: beginning.corpus.info(),
        context: default_context(&beginning.config),
        start: beginning.start.clone(),
    })
}

/// What is allowed, but makes a curve say less than it seems to.
fn warn(spec: &RunSpec, beginning: &Beginning, output: &Output) -> anyhow::Result<()> {
    let overlapping = beginning.corpus.overlapping_documents()?;
    if overlapping > 0 {
        output.warn(&format!(
            "held-out text that is also training text: {overlapping} of {} held-out documents; the held-out loss will \
             look better than it is",
            beginning.corpus.heldout().documents()
        ));
    }
    let train = Tokens(beginning.corpus.train().tokens());
    if spec.tokens > train {
        output.warn(&format!(
            "{} are asked for, the corpus has {train}: text will be repeated",
            spec.tokens
        ));
    }
    Ok(())
}
