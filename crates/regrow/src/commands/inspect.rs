//! `regrow inspect`: what a model is, and what can be pruned from it.

use std::path::{Path, PathBuf};

use clap::Args;
use ledger::Params;
use model::catalog;
use model::config::ModelConfig;
use model::count::Count;
use model::folder::ModelFolder;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::count::grouped;
use crate::hint::hinted;
use crate::output::{Exit, Output};
use crate::table::{Align, Table};

const EXAMPLES: &str = "\
Examples:
  A model folder, or one that holds only a `config.json`:
    regrow inspect llama-1b

  A public size by its name, without having it:
    regrow inspect qwen2.5-7b --json";

/// Bytes a parameter takes in training: weight, gradient and two moments in f32.
const TRAINING_BYTES: u64 = 16;

/// Arguments of `regrow inspect`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A model folder, a `config.json`, or the name of a public model
    model: PathBuf,
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
    /// Tensors with a pattern of zeros.
    sparsity: Map<String, Value>,
    problems: Vec<String>,
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
}

#[derive(Serialize)]
struct Parameters {
    total: u64,
    embedding: u64,
    without_embedding: u64,
    per_block: u64,
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
    let report = report(find(&arguments.model)?)?;
    if arguments.json {
        output.json(&report)?;
    } else {
        show(&report, output)?;
    }
    Ok(Exit::Done)
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
                if folder.tokenizer_json().is_none() {
                    problems.push("there is no `tokenizer.json`".to_owned());
                }
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
            let error =
                anyhow::anyhow!("`{}` is neither a folder nor the name of a public model", path.display());
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
    let count = Count::of(&config)?;
    let legal = |legal: prune::LegalRate| Legal {
        dropped: legal.dropped,
        rate: legal.rate.get(),
        rate_without_embedding: legal.rate_without_embedding.get(),
        parameters: legal.parameters.0,
    };
    Ok(Report {
        format: 1,
        model: name,
        family: config.family.name,
        architecture: config.family.architecture,
        layers: config.num_hidden_layers,
        shapes: Shapes {
            vocab_size: config.vocab_size,
            hidden_size: config.hidden_size,
            intermediate_size: config.intermediate_size,
            num_attention_heads: config.num_attention_heads,
            num_key_value_heads: config.num_key_value_heads,
            head_dim: config.head_dim,
            tie_word_embeddings: config.tie_word_embeddings,
            qkv_bias: config.qkv_bias,
        },
        parameters: Parameters {
            total: count.total,
            embedding: count.embedding,
            without_embedding: count.without_embedding,
            per_block: count.per_block,
        },
        dtype: folder.as_ref().map(|folder| folder.dtype().name()),
        context: config.max_position_embeddings,
        rope: Rope {
            theta: config.rope_theta,
            llama3: config.rope_scaling.map(|scaling| Llama3 {
                factor: scaling.factor,
                low_freq_factor: scaling.low_freq_factor,
                high_freq_factor: scaling.high_freq_factor,
                original_max_position_embeddings: scaling.original_max_position_embeddings,
            }),
        },
        tokenizer: folder.as_ref().is_some_and(|folder| folder.tokenizer_json().is_some()),
        weights: folder.is_some(),
        training_bytes: count.total.saturating_mul(TRAINING_BYTES),
        legal_rates: prune::legal_rates(&config).into_iter().map(legal).collect(),
        sparsity: Map::new(),
        problems,
    })
}

fn show(report: &Report, output: &mut Output) -> anyhow::Result<()> {
    let Report { shapes, parameters, rope, .. } = report;
    let count = |number: u64| format!("{} ({})", grouped(number), Params(number));
    let size = |number: usize| grouped(number as u64);
    let weights = match (report.weights, report.dtype) {
        (true, Some(dtype)) => dtype.to_owned(),
        _ => "none here, only a configuration".to_owned(),
    };
    let scaling = rope.llama3.as_ref().map_or_else(String::new, |llama3| {
        let original = size(llama3.original_max_position_embeddings);
        format!(", llama3 scaling by {} from {original} tokens", llama3.factor)
    });
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let mut table = Table::facts();
    table
        .fact("model", &report.model)
        .fact("architecture", format!("{} ({})", report.architecture, report.family))
        .fact("parameters", count(parameters.total))
        .fact("  embedding", count(parameters.embedding))
        .fact("  without embedding", count(parameters.without_embedding))
        .fact("  one block", count(parameters.per_block))
        .fact("blocks", report.layers.to_string())
        .fact(
            "hidden, intermediate",
            format!("{}, {}", size(shapes.hidden_size), size(shapes.intermediate_size)),
        )
        .fact(
            "heads",
            format!(
                "{} for queries, {} for keys and values, {} channels each",
                shapes.num_attention_heads, shapes.num_key_value_heads, shapes.head_dim
            ),
        )
        .fact("vocabulary", size(shapes.vocab_size))
        .fact("embedding tied", yes(shapes.tie_word_embeddings))
        .fact("context", format!("{} tokens", size(report.context)))
        .fact("rope", format!("theta {}{scaling}", rope.theta))
        .fact("weights", weights)
        .fact("tokenizer", yes(report.tokenizer))
        .fact(
            "memory to train",
            format!("{:.2} GB in f32, activations aside", report.training_bytes as f64 / 1e9),
        );
    output.table(&table)?;
    if !report.legal_rates.is_empty() {
        let mut table = Table::new(&[
            ("blocks dropped", Align::Right),
            ("rate", Align::Right),
            ("rate without embedding", Align::Right),
            ("parameters left", Align::Right),
        ]);
        for legal in &report.legal_rates {
            table.row([
                legal.dropped.to_string(),
                format!("{:.4}", legal.rate),
                format!("{:.4}", legal.rate_without_embedding),
                grouped(legal.parameters),
            ]);
        }
        output.data("\n")?;
        output.table(&table)?;
    }
    for problem in &report.problems {
        output.warn(problem);
    }
    Ok(())
}
