//! Greedy continuation of a text. It is a debugging aid: it has no cache and recomputes the whole
//! text for every token.

use std::path::Path;

use model::backend::IGNORED;
use model::batch::Batch;
use model::folder::ModelFolder;
use model::workspace::Workspace;

use crate::error::{Result, bail};
use crate::loaded::{self, Loaded};
use crate::machine::HostMachine;
use crate::observer::{Event, Observer, ShownStage};
use crate::source::tokenizer_of;

/// The prompt, and how far it is continued.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    prompt: String,
    tokens: usize,
    begin_token: Option<String>,
}

impl GenerateOptions {
    /// Adds at most `tokens` tokens to `prompt`, which may be empty.
    pub fn new(prompt: impl Into<String>, tokens: usize) -> Self {
        Self { prompt: prompt.into(), tokens, begin_token: None }
    }

    /// Sets the token before the text, instead of the tokenizer's own begin token.
    #[must_use]
    pub fn begin_token(mut self, token: impl Into<String>) -> Self {
        self.begin_token = Some(token.into());
        self
    }
}

/// Continues a text by the likeliest token each time, until an end token, the requested length or
/// the end of the model's context.
///
/// # Errors
/// Where the model cannot be read or the prompt is longer than its context.
pub fn generate(
    model: impl AsRef<Path>,
    options: &GenerateOptions,
    observer: &mut dyn Observer,
) -> Result<String> {
    let folder = loaded::open(model.as_ref(), observer)?;
    let mut tokenizer = tokenizer_of(&folder)?;
    if let Some(text) = &options.begin_token {
        tokenizer.set_begin_token(text)?;
    }
    let begin = tokenizer.require_begin_token()?.id;
    let mut tokens = vec![begin];
    tokens.extend(tokenizer.encode(&options.prompt)?);

    let longest = folder.config().max_position_embeddings();
    if tokens.len() > longest {
        bail!(
            "the prompt has {} tokens, expected at most the model's context of {longest}",
            tokens.len()
        );
    }
    // The context bounds the prompt and the continuation together.
    let most = options.tokens.saturating_add(tokens.len()).min(longest);
    let ends = end_tokens(&folder, begin);
    let model = Loaded::new(folder, most)?;
    let mut space = model.workspace()?;
    let first = tokens.len();
    let mut stage = ShownStage::begin(observer, "generating", (most - first) as u64, "tokens");
    while tokens.len() < most {
        let row = logits(&model, &mut space, &tokens, tokens.len() - 1)?;
        if let Some(odd) = row.iter().find(|logit| !logit.is_finite()) {
            bail!(
                "the model gives {odd} as a logit after token {}, expected finite numbers",
                tokens.len()
            );
        }
        let next = likeliest(&row);
        if ends.contains(&next) {
            break;
        }
        tokens.push(next);
        stage.at((tokens.len() - first) as u64);
    }
    drop(stage);
    // The begin token is not a part of the text.
    let (text, unknown) = tokenizer.decode_known(&tokens[1..])?;
    if unknown > 0 {
        observer.hear(&Event::Warning(&format!(
            "{unknown} of the tokens are rows of the model that its tokenizer has no token for: they are left out"
        )));
    }
    Ok(text)
}

/// The logits after each of `tokens`: one row per token, as long as the vocabulary.
///
/// # Errors
/// Where the model cannot be read, or there are more tokens than it has positions for.
pub fn logits_of(
    model: impl AsRef<Path>,
    tokens: &[u32],
    observer: &mut dyn Observer,
) -> Result<Vec<Vec<f32>>> {
    let folder = loaded::open(model.as_ref(), observer)?;
    let vocabulary = folder.config().vocab_size();
    let model = Loaded::new(folder, tokens.len())?;
    let all = logits(&model, &mut model.workspace()?, tokens, 0)?;
    Ok(all.chunks_exact(vocabulary).map(<[f32]>::to_vec).collect())
}

/// Logits of the rows from `first` on, `[rows, vocabulary]`.
fn logits(
    model: &Loaded,
    space: &mut Workspace<HostMachine>,
    tokens: &[u32],
    first: usize,
) -> model::Result<Vec<f32>> {
    let mut batch = Batch::new();
    batch.push(tokens, &vec![IGNORED; tokens.len()]);
    model.decoder().logits(model.weights(), &batch, first..tokens.len(), space)
}

/// The token with the largest logit; the first of several equal ones, so that the result is
/// deterministic.
fn likeliest(logits: &[f32]) -> u32 {
    let best = logits
        .iter()
        .enumerate()
        .fold(0, |best, (id, logit)| if *logit > logits[best] { id } else { best });
    best as u32
}

/// Tokens that end a text: the begin token, which starts the next text, and those that the
/// configuration names.
fn end_tokens(folder: &ModelFolder, begin: u32) -> Vec<u32> {
    let named = folder.raw_config().get("eos_token_id");
    // `eos_token_id` is a number or a list of numbers.
    let listed = named.and_then(|value| value.as_array()).into_iter().flatten();
    let ids = named.into_iter().chain(listed).filter_map(|value| value.as_u64());
    ids.filter_map(|id| u32::try_from(id).ok()).chain([begin]).collect()
}
