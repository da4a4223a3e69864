//! `regrow train`: trains from scratch, or heals a pruned model, with the same loop.

mod preview;
mod profile;
mod show;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use ledger::Nats;
use regrow::heal::{self, HealOptions, Interruption, RunMode, StartingPoint};
use regrow::trainer::{TorchOptions, TorchPrint};
use regrow::{Count, Event, Observer, Recipe};

use crate::flags::recipe::RecipeFlags;
use crate::terminal::{Exit, Output, TerminalObserver, interrupt, usage};

const EXAMPLES: &str = "\
Examples:
  Heal a pruned model, with the loss of the model before pruning measured on the same text:
    regrow train llama-1b-75 --corpus corpus --tokens 20M --base llama-1b --out runs/healed

  Train from scratch, with a recipe of which one key is overridden:
    regrow train --init config.json --corpus corpus --recipe recipe.toml --seed 2 --out runs/scratch

  Go on with a run that was interrupted: the same command and `--resume`
    regrow train llama-1b-75 --corpus corpus --tokens 20M --base llama-1b --out runs/healed --resume

  Have PyTorch train it on four GPUs, checked against `regrow eval` before the first step:
    regrow train llama-1b-75 --corpus corpus --tokens 2B --trainer torch --processes 4 --out runs/healed

  End once twice the tokens would buy less than 0.005 nats, and keep what a longer run needs:
    regrow train llama-1b-75 --corpus corpus --tokens 200M --stop-when 'doubling-gain<0.005' --keep-checkpoint --out runs/healed

  Extend a run that is done to more tokens, from the checkpoint that it kept:
    regrow train llama-1b-75 --corpus corpus --tokens 400M --out runs/healed --resume

  In a job that is ended after four hours, with half an hour to spare:
    regrow train llama-1b-75 --corpus corpus --tokens 20M --out runs/healed --resume --time-limit 3h30m

A stopped run (SIGINT, SIGTERM, SIGUSR1, --time-limit) saves a checkpoint and ends with status 75. A run that was killed
goes on from the newest checkpoint that is whole. Both end with the weights of the run left alone. The model is in `model/` of the
run folder once `done.json` stands there.";

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
    /// Or a file in which `regrow eval --out` kept it, for this held-out text and evaluation
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["base", "loss0", "init"])]
    base_loss: Option<PathBuf>,
    /// A file of recipe keys; flags win
    #[arg(long, value_name = "FILE.toml")]
    recipe: Option<PathBuf>,
    /// Go on with the run in `--out` from its last checkpoint, or begin it; extend one that is done
    /// to more tokens, if it kept its checkpoint
    #[arg(long)]
    resume: bool,
    /// Replace the run in `--out`
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Stop and save before this much time is over, for example 30m or 2h, and end with status 75
    #[arg(long, value_name = "TIME", value_parser = regrow::span::parse)]
    time_limit: Option<Duration>,
    /// End once a rule holds after a held-out evaluation, before the tokens are used up:
    /// `doubling-gain<NATS`, if twice the tokens would buy less, or `loss<NATS`
    #[arg(long, value_name = "RULE")]
    stop_when: Option<String>,
    /// Keep the checkpoint of the end, so that the run can be extended; it takes 12 bytes a
    /// parameter
    #[arg(long)]
    keep_checkpoint: bool,
    /// Keep less of every block and compute it again in the backward pass: less memory, more time,
    /// the same numbers
    #[arg(long)]
    recompute: bool,
    /// Most memory to take, in bytes, for example 8B; a run that would take more is refused
    /// [default: what is free]
    #[arg(long, value_name = "BYTES")]
    memory: Option<Count>,
    /// PyTorch: processes to start, one a GPU where there are any [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    processes: Option<u16>,
    /// PyTorch: the Python interpreter that has `regrow_torch` [default: that of `REGROW_PYTHON`,
    /// else `python3`]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// PyTorch: compile the blocks with `torch.compile`
    #[arg(long)]
    compile: bool,
    /// PyTorch: make the run folder and print how to train in it with a launcher of your own: the
    /// command, or the template of a task for `skypilot` or `nemo-automodel`; train nothing
    #[arg(long, value_name = "FORM", conflicts_with = "dry_run", num_args = 0..=1,
        require_equals = true, default_missing_value = "command", value_parser = form)]
    print: Option<TorchPrint>,
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
    keys: RecipeFlags,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let options = options(arguments)?;
    if arguments.dry_run {
        let preview = heal::preview(&options, &mut TerminalObserver::new(output))?;
        preview::show(&preview, arguments.json, output)?;
        return Ok(Exit::Done);
    }
    let out = arguments.out.as_deref().context("`--out` is missing")?;
    // Before any long work, so that a signal during it is not lost.
    let stop = interrupt::listen();
    let mut printed = None;
    let ended = {
        let mut terminal = TerminalObserver::new(output);
        let mut observer = |event: &Event<'_>| match event {
            Event::Command(command) => printed = Some((*command).to_owned()),
            event => terminal.hear(event),
        };
        heal::heal(&options, out, &stop, &mut observer)?
    };
    if let Some(command) = printed {
        output.data(&command)?;
    }
    let Some(interruption) = ended.interruption() else {
        show::done(&ended, arguments.json, output)?;
        return Ok(Exit::Done);
    };
    let why = match interruption {
        // The command was printed; the caller starts it.
        Interruption::OwnLauncher => return Ok(Exit::Done),
        Interruption::TimeLimit => ", before the time limit",
        _ => "",
    };
    output.say(&format!("stopped after step {}{why}: resume with `--resume`", ended.steps()));
    if arguments.json {
        show::json(&ended, output)?;
    }
    Ok(Exit::Interrupted)
}

fn options(arguments: &Arguments) -> anyhow::Result<HealOptions> {
    let (file, written) =
        arguments.recipe.as_deref().map(Recipe::read).transpose()?.unwrap_or_default();
    // The recipe's own text, with its comments, is stored only if no flag overrides a key of it.
    let as_written = arguments.recipe.is_some() && arguments.keys == RecipeFlags::default();
    // Flags win over the file.
    let recipe = arguments.keys.recipe()?.over(file);
    if !recipe.has_tokens() {
        return Err(usage(
            "how many tokens to train on is not said: `--tokens N`, or `tokens` in the recipe",
        ));
    }
    let start = match (&arguments.model, &arguments.init) {
        (Some(model), _) => StartingPoint::Model(model.clone()),
        (None, init) => {
            let init = init.clone().expect("the parser demands a model or a configuration");
            StartingPoint::Random(init)
        }
    };
    let mut options = HealOptions::new(start, &arguments.corpus, recipe)
        .mode(match (arguments.resume, arguments.force) {
            (true, _) => RunMode::Resume,
            (false, true) => RunMode::Replace,
            (false, false) => RunMode::New,
        })
        .recompute(arguments.recompute)
        .keep_checkpoint(arguments.keep_checkpoint);
    let torch = torch(arguments, &options)?;
    options = options.torch(torch);
    if let Some(recipe) = &arguments.recipe {
        options = options.made_from(recipe);
    }
    if as_written {
        options = options.written(written);
    }
    if let Some(base) = &arguments.base {
        options = options.base(base);
    }
    if let Some(file) = &arguments.base_loss {
        options = options.base_loss(file);
    }
    if let Some(loss) = arguments.loss0 {
        options = options.loss0(Nats(loss));
    }
    if let Some(time) = arguments.time_limit {
        options = options.time_limit(time);
    }
    if let Some(rule) = &arguments.stop_when {
        options = options.stop_when(rule.parse()?);
    }
    if let Some(bytes) = arguments.memory {
        options = options.memory(bytes.0);
    }
    if arguments.profile {
        options = options.account(profile::table);
    }
    Ok(options)
}

/// How PyTorch is started, if it trains.
fn torch(arguments: &Arguments, options: &HealOptions) -> anyhow::Result<TorchOptions> {
    let said = arguments.processes.is_some() || arguments.python.is_some();
    if !options.is_by_torch() && (said || arguments.compile || arguments.print.is_some()) {
        return Err(usage(
            "`--processes`, `--python`, `--compile` and `--print` are for `--trainer torch`",
        ));
    }
    let mut torch = TorchOptions::new()
        .processes(usize::from(arguments.processes.unwrap_or(1)))
        .compile(arguments.compile);
    if let Some(form) = arguments.print {
        torch = torch.print(form);
    }
    if let Some(python) = &arguments.python {
        torch = torch.python(python);
    }
    Ok(torch)
}

fn form(name: &str) -> Result<TorchPrint, String> {
    let found = TorchPrint::ALL.into_iter().find(|form| form.name() == name);
    found.ok_or_else(|| "expected `command`, `skypilot` or `nemo-automodel`".to_owned())
}
