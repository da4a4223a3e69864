//! `regrow generate`: greedy continuation of a text. It is a debugging aid and recomputes the whole
//! text for every token.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use disk::FileKind;
use regrow::Count;
use regrow::generate::{GenerateOptions, generate, logits_of};
use serde::Serialize;

use crate::flags::force::existing;
use crate::terminal::{Exit, Output, TerminalObserver};

const EXAMPLES: &str = "\
Examples:
  Continue a text by 60 tokens, each time the likeliest:
    regrow generate stories260K --prompt 'Once upon a time' --tokens 60

  The logits of given tokens, to compare with another program:
    regrow generate stories260K --token-ids 1,403,407 --logits logits.json";

/// Arguments of `regrow generate`.
#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    override_usage = "regrow generate MODEL --prompt TEXT [--tokens N] [--begin-token TOKEN] [OPTIONS]\n       \
                      regrow generate MODEL --token-ids ID,ID,.. --logits FILE.json [--force] [OPTIONS]"
)]
#[group(id = "start", required = true, args = ["prompt", "token_ids"])]
pub struct Arguments {
    /// The model folder
    model: PathBuf,
    /// The text to continue, after a begin token; may be empty
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Most tokens to add; the end of the text or of the model's context comes first
    #[arg(long, value_name = "N", default_value = "100")]
    tokens: Count,
    /// The begin token [default: as the tokenizer says]
    #[arg(long, value_name = "TOKEN", requires = "prompt")]
    begin_token: Option<String>,
    /// Instead of a text: these tokens, for `--logits`
    #[arg(long, value_name = "ID,ID,..", value_delimiter = ',', requires = "logits")]
    token_ids: Vec<u32>,
    /// Write the logits of every one of `--token-ids` to this file: `{"tokens": [..], "logits":
    /// [[..], ..]}`
    #[arg(long, value_name = "FILE.json", requires = "token_ids", conflicts_with = "prompt")]
    logits: Option<PathBuf>,
    /// Replace the file of `--logits` if it exists
    #[arg(long, requires = "logits")]
    force: bool,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    if let Some(file) = &arguments.logits {
        LOGITS.check(file, existing(arguments.force), &[&arguments.model])?;
        write_logits(&arguments.model, &arguments.token_ids, file, output)?;
        return Ok(Exit::Done);
    }
    // The parser demands a prompt or token ids; an empty prompt continues the begin token.
    let prompt = arguments.prompt.as_deref().unwrap_or_default();
    let mut options = GenerateOptions::new(prompt, usize::try_from(arguments.tokens.0)?);
    if let Some(token) = &arguments.begin_token {
        options = options.begin_token(token);
    }
    let text = generate(&arguments.model, &options, &mut TerminalObserver::new(output))?;
    output.data(&format!("{text}\n"))?;
    Ok(Exit::Done)
}

/// The files that `--logits` writes.
const LOGITS: FileKind = FileKind::new("a file of logits", "{\"tokens\":[", "");

/// What `--logits` writes.
#[derive(Serialize)]
struct Logits<'a> {
    tokens: &'a [u32],
    logits: &'a [Vec<f32>],
}

fn write_logits(model: &Path, tokens: &[u32], file: &Path, output: &Output) -> anyhow::Result<()> {
    let logits = logits_of(model, tokens, &mut TerminalObserver::new(output))?;
    let text = serde_json::to_vec(&Logits { tokens, logits: &logits })
        .context("the logits cannot be written")?;
    Ok(disk::write(file, &text)?)
}
