//! `regrow generate`: greedy continuation, a debugging aid that recomputes the whole text for every
//! token.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use model::backend::IGNORED;
use model::batch::Batch;
use model::folder::ModelFolder;
use serde::Serialize;

use crate::terminal::{Exit, Output};
use regrow::count::Count;
use regrow::loaded::{self, Loaded};
use regrow::source::tokenizer_of;

const EXAMPLES: &str = "\
Examples:
  Continue a text by 60 tokens, each time the likeliest:
    regrow generate stories260K --prompt 'Once upon a time' --tokens 60

  The logits of given tokens, to compare with another program:
    regrow generate stories260K --token-ids 1,403,407 --logits logits.json";

/// Arguments of `regrow generate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
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
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let folder = loaded::open(&arguments.model, &mut output.listener())?;
    if let Some(file) = &arguments.logits {
        return write_logits(folder, &arguments.token_ids, file);
    }
    let mut tokenizer = tokenizer_of(&folder)?;
    if let Some(text) = &arguments.begin_token {
        tokenizer.set_begin_token(text)?;
    }
    let begin = tokenizer.require_begin_token()?.id;
    let prompt = arguments.prompt.as_deref().unwrap_or_default();
    let mut tokens = vec![begin];
    tokens.extend(tokenizer.encode(prompt)?);

    let longest = folder.config().max_position_embeddings();
    if tokens.len() > longest {
        bail!(
            "the prompt has {} tokens, expected at most the model's context of {longest}",
            tokens.len()
        );
    }
    let wanted = usize::try_from(arguments.tokens.0)?.saturating_add(tokens.len());
    let most = wanted.min(longest);
    let ends = end_tokens(&folder, begin);
    let mut model = Loaded::new(folder, most)?;
    let mut progress = output.progress("generating", (most - tokens.len()) as u64, "tokens");
    let first = tokens.len();
    while tokens.len() < most {
        let next = likeliest(&logits(&mut model, &tokens, tokens.len() - 1)?);
        if ends.contains(&next) {
            break;
        }
        tokens.push(next);
        progress.at((tokens.len() - first) as u64, "");
    }
    drop(progress);
    output.data(&format!("{}\n", tokenizer.decode(&tokens[1..])?))?;
    Ok(Exit::Done)
}

/// Logits of the rows from `first` on, `[rows, vocabulary]`.
fn logits(model: &mut Loaded, tokens: &[u32], first: usize) -> model::Result<Vec<f32>> {
    let mut batch = Batch::new();
    batch.push(tokens, &vec![IGNORED; tokens.len()]);
    model.decoder.logits(&model.weights, &batch, first..tokens.len(), &mut model.space)
}

/// The first of the largest.
fn likeliest(logits: &[f32]) -> u32 {
    let best = logits
        .iter()
        .enumerate()
        .fold(0, |best, (id, logit)| if *logit > logits[best] { id } else { best });
    best as u32
}

/// Tokens that end a text: the begin token of the next, and what the configuration names.
fn end_tokens(folder: &ModelFolder, begin: u32) -> Vec<u32> {
    let named = folder.raw_config().get("eos_token_id");
    let listed = named.and_then(|value| value.as_array()).into_iter().flatten();
    let ids = named.into_iter().chain(listed).filter_map(|value| value.as_u64());
    ids.filter_map(|id| u32::try_from(id).ok()).chain([begin]).collect()
}

/// What `--logits` writes.
#[derive(Serialize)]
struct Logits<'a> {
    tokens: &'a [u32],
    logits: Vec<&'a [f32]>,
}

fn write_logits(folder: ModelFolder, tokens: &[u32], file: &Path) -> anyhow::Result<Exit> {
    let vocabulary = folder.config().vocab_size();
    let mut model = Loaded::new(folder, tokens.len())?;
    let all = logits(&mut model, tokens, 0)?;
    let report = Logits { tokens, logits: all.chunks_exact(vocabulary).collect() };
    let text = serde_json::to_vec(&report).context("the logits cannot be written")?;
    disk::write(file, &text)?;
    Ok(Exit::Done)
}
