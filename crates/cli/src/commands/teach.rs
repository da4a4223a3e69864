//! `regrow teach`: writes a teacher's distributions into a cache.

use std::path::PathBuf;

use clap::Args;
use ledger::{Convention, Precision};
use regrow::count::grouped;
use regrow::{Count, TeachOptions, teach};
use serde::Serialize;

use crate::flags::recipe::{convention, precision};
use crate::terminal::{Exit, Output, TerminalObserver, interrupt};

const EXAMPLES: &str = "\
Examples:
  Keep the 64 most probable tokens at each position, then train from them without the teacher in memory:
    regrow teach llama-1b --corpus corpus --top 64 --out cache
    regrow train llama-1b-75 --corpus corpus --tokens 20M --objective distil --teacher cache --out runs/healed

  For runs at temperature 2 as well, with windows of 512 tokens:
    regrow teach llama-1b --corpus corpus --top 64 --temperature 2 --context 512 --out cache

  Go on with a cache that was interrupted: the same command and `--resume`
    regrow teach llama-1b --corpus corpus --top 64 --out cache --resume

Runs that read the cache must have its `--context`. The layout of the files is in `docs/guide/distil.md`.";

/// Arguments of `regrow teach`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The teacher: a model folder, or a model of the hub
    model: PathBuf,
    /// The corpus that runs will train on
    #[arg(long, value_name = "CORPUS")]
    corpus: PathBuf,
    /// The cache to make
    #[arg(long, value_name = "CACHE")]
    out: PathBuf,
    /// The most probable tokens to keep at each position
    #[arg(long, value_name = "K", default_value_t = 64)]
    top: usize,
    /// Temperatures that runs may ask for, besides 1
    #[arg(long, value_name = "T", value_delimiter = ',', allow_negative_numbers = true)]
    temperature: Vec<f64>,
    /// What the teacher's products compute in: f32, or bf16 with sums in f32
    #[arg(long, value_name = "TYPE", value_parser = precision, default_value = "f32")]
    precision: Precision,
    /// Tokens a sequence, as in the runs [default: the teacher's own, 2048 at most]
    #[arg(long, value_name = "N")]
    context: Option<Count>,
    /// Held-out tokens, as in the runs [default: 65536, or all]
    #[arg(long, value_name = "N")]
    eval_tokens: Option<Count>,
    /// How held-out documents meet the context, as in the runs: documents or packed
    #[arg(long, value_name = "HOW", value_parser = convention, default_value = "documents")]
    eval_convention: Convention,
    /// Most tokens that a held-out prediction looks back on [default: the context]
    #[arg(long, value_name = "N")]
    eval_context: Option<Count>,
    /// Tokens between the beginnings of two windows of held-out text [default: `--eval-context`]
    #[arg(long, value_name = "N")]
    eval_stride: Option<Count>,
    /// Go on with the cache in `--out`, or begin it
    #[arg(long)]
    resume: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct TeachReport<'a> {
    format: u32,
    cache: &'a PathBuf,
    state: &'static str,
    training_tokens: u64,
    heldout_tokens: u64,
    bytes_per_token: usize,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let options = TeachOptions::new(&arguments.model, &arguments.corpus, arguments.top)
        .temperatures(&arguments.temperature)
        .precision(arguments.precision)
        .context(arguments.context)
        .evaluation(
            arguments.eval_convention,
            arguments.eval_tokens,
            arguments.eval_context,
            arguments.eval_stride,
        );
    let stop = interrupt::listen();
    let (out, resume) = (&arguments.out, arguments.resume);
    let found = teach(&options, out, resume, &stop, &mut TerminalObserver::new(output))?;
    let (training, heldout) = found.rows();
    let bytes = found.row_bytes();
    if arguments.json {
        output.json(&TeachReport {
            format: 1,
            cache: out,
            state: if found.is_done() { "done" } else { "resumable" },
            training_tokens: training,
            heldout_tokens: heldout,
            bytes_per_token: bytes,
        })?;
    }
    if !found.is_done() {
        output.say("stopped: resume with `--resume`");
        return Ok(Exit::Interrupted);
    }
    let megabytes = ((training + heldout) * bytes as u64).div_ceil(1_000_000);
    output.say(&format!(
        "`{}`: {} training and {} held-out tokens, {bytes} bytes a token, {} MB",
        out.display(),
        grouped(training),
        grouped(heldout),
        grouped(megabytes)
    ));
    Ok(Exit::Done)
}
