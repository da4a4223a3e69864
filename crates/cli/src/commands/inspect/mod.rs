//! `regrow inspect`: what a model is, what can be pruned from it, and whether it is what it says.

mod consistency;
mod show;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use ledger::Pattern;
use model::folder::ModelFolder;
use model::sparsity::Sparsity;
use model::verify::verify;
use serde::Serialize;
use serde_json::{Map, Value};
use shape::catalog;
use shape::config::ModelConfig;
use shape::count::Count;
use shape::tensors::{Role, TensorSpec, block_tensors, leading_tensors, tensors, trailing_tensors};

use crate::terminal::{Exit, Output};
use regrow::hinted::hinted;
use regrow::hub;

const EXAMPLES: &str = "\
Examples:
  A model folder, or one that holds only a `config.json`:
    regrow inspect llama-1b

  The same with every weight read: numbers that are none, zeros where none are listed, a cut of another model:
    regrow inspect llama-1b-2-4 --verify --base llama-1b

  A public size by its name, without having it:
    regrow inspect qwen2.5-7b --json";

/// Bytes a parameter takes in training: weight, gradient and two moments in f32.
const TRAINING_BYTES: u64 = 16;

/// Arguments of `regrow inspect`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A model folder, a `config.json`, the name of a public model, or an id of the hub
    model: PathBuf,
    /// Read every weight; status 3 where anything disagrees
    #[arg(long)]
    verify: bool,
    /// With `--verify`: the model that this one was pruned from, whose hash `cut.json` holds
    #[arg(long, value_name = "DIR", requires = "verify")]
    base: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints; what is unknown is left out.
#[derive(Serialize)]
struct Report {
    format: u32,
    model: String,
    family: &'static str,
    architecture: &'static str,
    layers: usize,
    shapes: Shapes,
    parameters: Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    dtype: Option<&'static str>,
    context: usize,
    rope: Rope,
    tokenizer: bool,
    weights: bool,
    /// Memory for training in f32, activations aside.
    training_bytes: u64,
    legal_rates: Vec<Legal>,
    /// Tensors with zeros: those that `sparsity.json` lists, and with `--verify` those that were
    /// found.
    sparsity: BTreeMap<String, Zeros>,
    /// SHA-256 of the weights, where they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    problems: Vec<String>,
}

/// Zeros of a tensor.
#[derive(Debug, Serialize)]
struct Zeros {
    pattern: Pattern,
    /// How many there are, where they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    zeros: Option<u64>,
}

#[derive(Serialize)]
struct Shapes {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    tie_word_embeddings: bool,
    qkv_bias: bool,
    /// The tensors of a block, the same in every one.
    block: Map<String, Value>,
    /// The tensors outside the blocks.
    outside: Map<String, Value>,
}

#[derive(Serialize)]
struct Parameters {
    total: u64,
    embedding: u64,
    without_embedding: u64,
    per_block: u64,
    attention: u64,
    feed_forward: u64,
    norms: u64,
}

#[derive(Serialize)]
struct Rope {
    theta: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    llama3: Option<Llama3>,
}

#[derive(Serialize)]
struct Llama3 {
    factor: f64,
    low_freq_factor: f64,
    high_freq_factor: f64,
    original_max_position_embeddings: usize,
}

#[derive(Serialize)]
struct Legal {
    dropped: usize,
    rate: f64,
    rate_without_embedding: f64,
    parameters: u64,
}

/// What was found under the name that was given.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) config: ModelConfig,
    /// Missing where there is nothing but a configuration.
    pub(super) folder: Option<ModelFolder>,
    problems: Vec<String>,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    // A public size is known without its weights; they are fetched where they are to be read.
    let known = arguments.model.to_str().and_then(catalog::find).is_some();
    let path = if known && !arguments.verify {
        arguments.model.clone()
    } else {
        hub::folder(&arguments.model, &mut output.listener())?
    };
    let found = find(&path)?;
    let verified = match (&found.folder, arguments.verify) {
        (_, false) => None,
        (None, true) => bail!("`{}` has no weights to verify", arguments.model.display()),
        (Some(folder), true) => {
            let mut shown = None;
            let verified = verify(folder, &mut |done, of| {
                shown
                    .get_or_insert_with(|| output.progress("reading", of as u64, "tensors"))
                    .at(done as u64, "");
            })?;
            Some(verified)
        }
    };
    let mut report = report(found)?;
    if let Some(verified) = verified {
        report.problems.extend(verified.problems.iter().cloned());
        report.problems.extend(consistency::of_weights(
            &path,
            &verified,
            arguments.base.as_deref(),
        )?);
        let sparse = verified.tensors.iter().filter_map(|tensor| {
            Some((
                tensor.spec.name.clone(),
                Zeros { pattern: tensor.pattern?, zeros: Some(tensor.zeros) },
            ))
        });
        report.sparsity = sparse.collect();
        report.hash = Some(verified.hash);
    }
    if arguments.json {
        output.json(&report)?;
    } else {
        show::show(&report, output)?;
    }
    for problem in &report.problems {
        output.warn(problem);
    }
    if arguments.verify && report.problems.is_empty() {
        output.say("every weight was read, nothing disagrees");
    }
    let passed = !arguments.verify || report.problems.is_empty();
    Ok(if passed { Exit::Done } else { Exit::CannotTell })
}

/// A folder, a configuration alone, or a public size by its name.
pub(super) fn find(path: &Path) -> anyhow::Result<Found> {
    if !path.exists() {
        return public(path);
    }
    if path.is_dir() {
        match ModelFolder::open(path) {
            Ok(folder) => {
                let mut problems = folder.problems().to_vec();
                problems.extend(consistency::of_files(&folder));
                let (name, config) = (folder.name(), folder.config().clone());
                return Ok(Found { name, config, folder: Some(folder), problems });
            }
            // A configuration alone is enough to count.
            Err(model::Error::NoWeights { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let config = ModelFolder::config_of(path)?;
    Ok(Found { name: name_of(path), config, folder: None, problems: Vec::new() })
}

fn public(path: &Path) -> anyhow::Result<Found> {
    match path.to_str().and_then(catalog::find) {
        Some(entry) => {
            let (name, config) = (entry.name.to_owned(), entry.config());
            Ok(Found { name, config, folder: None, problems: Vec::new() })
        }
        None => {
            let names: Vec<&str> = catalog::entries().map(|entry| entry.name).collect();
            let error = anyhow::anyhow!(
                "`{}` is neither a folder nor the name of a public model",
                path.display()
            );
            Err(hinted(error, format!("the names are {}", names.join(", "))))
        }
    }
}

/// The name of a folder, or of the folder that a `config.json` lies in.
fn name_of(path: &Path) -> String {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = if path.is_dir() { Some(path.as_path()) } else { path.parent() };
    let name = folder.and_then(Path::file_name);
    name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn report(found: Found) -> anyhow::Result<Report> {
    let Found { name, config, folder, problems } = found;
    let count = Count::of(&config);
    // A list that cannot be read is among the problems already.
    let sparsity = folder.as_ref().and_then(|folder| Sparsity::of(folder.path()).ok());
    let sparsity = sparsity.unwrap_or_default().tensors;
    let all = tensors(&config);
    let part = |roles: &[Role]| {
        all.iter()
            .filter(|tensor| roles.contains(&tensor.role))
            .map(|tensor| tensor.len() as u64)
            .sum()
    };
    let legal = |legal: shape::legal::LegalRate| Legal {
        dropped: legal.dropped,
        rate: legal.rate.get(),
        rate_without_embedding: legal.rate_without_embedding.get(),
        parameters: legal.parameters.0,
    };
    Ok(Report {
        format: 1,
        model: name,
        family: config.family().name,
        architecture: config.family().architecture,
        layers: config.num_hidden_layers(),
        shapes: Shapes {
            vocab_size: config.vocab_size(),
            hidden_size: config.hidden_size(),
            intermediate_size: config.intermediate_size(),
            num_attention_heads: config.num_attention_heads(),
            num_key_value_heads: config.num_key_value_heads(),
            head_dim: config.head_dim(),
            tie_word_embeddings: config.tie_word_embeddings(),
            qkv_bias: config.qkv_bias(),
            block: shapes(&block_tensors(&config, 0)),
            outside: shapes(&[leading_tensors(&config), trailing_tensors(&config)].concat()),
        },
        parameters: Parameters {
            total: count.total,
            embedding: count.embedding,
            without_embedding: count.without_embedding,
            per_block: count.per_block,
            attention: part(&[
                Role::Query,
                Role::Key,
                Role::Value,
                Role::QueryBias,
                Role::KeyBias,
                Role::ValueBias,
                Role::AttentionOutput,
            ]),
            feed_forward: part(&[Role::Gate, Role::Up, Role::Down]),
            norms: part(&[Role::AttentionNorm, Role::FeedForwardNorm, Role::FinalNorm]),
        },
        dtype: folder.as_ref().map(|folder| folder.dtype().name()),
        context: config.max_position_embeddings(),
        rope: Rope {
            theta: config.rope_theta(),
            llama3: config.rope_scaling().map(|scaling| Llama3 {
                factor: scaling.factor,
                low_freq_factor: scaling.low_freq_factor,
                high_freq_factor: scaling.high_freq_factor,
                original_max_position_embeddings: scaling.original_max_position_embeddings,
            }),
        },
        tokenizer: folder.as_ref().is_some_and(|folder| folder.tokenizer_json().is_some()),
        weights: folder.is_some(),
        training_bytes: count.total.saturating_mul(TRAINING_BYTES),
        legal_rates: shape::legal::legal_rates(&config).into_iter().map(legal).collect(),
        sparsity: sparsity
            .into_iter()
            .map(|(name, pattern)| (name, Zeros { pattern, zeros: None }))
            .collect(),
        hash: None,
        problems,
    })
}

/// Shapes by name; those of a block without its number.
fn shapes(tensors: &[TensorSpec]) -> Map<String, Value> {
    let name = |tensor: &TensorSpec| match tensor.layer {
        Some(layer) => tensor.name.trim_start_matches(&format!("model.layers.{layer}.")).to_owned(),
        None => tensor.name.clone(),
    };
    tensors.iter().map(|tensor| (name(tensor), Value::from(tensor.shape.clone()))).collect()
}
