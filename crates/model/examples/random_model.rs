//! Writes a model of a public size with random weights in bf16, tensor by tensor: what time and
//! memory are measured on.
//!
//!     cargo run --release -p regrow-model --example random_model -- llama-3.1-8b --out DIR
//! --tokenizer FILE
//!
//! Weights are scaled as before training, so that activations stay finite; the same seed gives the
//! same bytes.

use std::path::PathBuf;

use clap::Parser;
use disk::Existing;
use half::bf16;
use model::folder::{FolderWriter, SHARD_LIMIT};
use model::safetensors::Dtype;
use model::weights;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use shape::catalog;
use shape::config::ModelConfig;
use shape::tensors::{Role, TensorSpec, tensors};

/// Weights that one stream of random numbers makes.
const PIECE: usize = 1 << 20;

/// Half of the normal numbers that weights are drawn from; the other half are these with the other
/// sign.
const NORMALS: usize = 1 << 15;

#[derive(Parser)]
struct Args {
    /// A public size, for example `llama-3.2-1b`
    size: String,
    /// The folder to make
    #[arg(long)]
    out: PathBuf,
    /// Fewer blocks than the public size has
    #[arg(long)]
    layers: Option<usize>,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Goes along as the model's `tokenizer.json`; its vocabulary may be smaller than the model's
    #[arg(long)]
    tokenizer: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let args = Args::parse();
    let entry =
        catalog::find(&args.size).ok_or_else(|| format!("no public size `{}`", args.size))?;
    let whole = entry.config();
    let config = args.layers.map_or_else(|| whole.clone(), |layers| whole.with_blocks(layers));
    let mut raw = config.to_raw();
    raw.set_dtype("bfloat16");
    let plan = weights::plan(&config, Dtype::BF16);
    let mut writer = FolderWriter::create(&args.out, Existing::Refuse, &raw, plan, SHARD_LIMIT)?;
    let mut random = ChaCha8Rng::seed_from_u64(args.seed);
    let normals = normals(&mut random);
    let mut stream = 0;
    for tensor in tensors(&config) {
        let table = table(&normals, &tensor, &config);
        // As many pieces at once as keep the processor busy.
        for first in (0..tensor.len()).step_by(16 * PIECE) {
            let mut bytes = vec![0; 2 * (tensor.len() - first).min(16 * PIECE)];
            bytes.par_chunks_mut(2 * PIECE).enumerate().for_each(|(place, bytes)| {
                let mut random = random.clone();
                random.set_stream(stream + place as u64 + 1);
                random.fill_bytes(bytes);
                for two in bytes.as_chunks_mut::<2>().0 {
                    *two = table[usize::from(u16::from_le_bytes(*two))].to_le_bytes();
                }
            });
            stream += 16;
            writer.write(&bytes)?;
        }
    }
    if let Some(tokenizer) = &args.tokenizer {
        writer.add_file("tokenizer.json", &std::fs::read(tokenizer)?)?;
    }
    writer.commit()?;
    Ok(())
}

/// Normal numbers by the method of Box and Muller.
fn normals(random: &mut ChaCha8Rng) -> Vec<f64> {
    // In (0, 1], so that the logarithm is finite.
    let mut uniform = || ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    (0..NORMALS).map(|_| normal()).collect()
}

/// What 16 random bits become in this tensor.
fn table(normals: &[f64], tensor: &TensorSpec, config: &ModelConfig) -> Vec<bf16> {
    let scale = match tensor.role {
        Role::AttentionNorm | Role::FeedForwardNorm | Role::FinalNorm => {
            return vec![bf16::ONE; 2 * NORMALS];
        }
        Role::QueryBias | Role::KeyBias | Role::ValueBias => 0.0,
        Role::AttentionOutput | Role::Down => {
            0.02 / (2.0 * config.num_hidden_layers() as f64).sqrt()
        }
        Role::Embedding
        | Role::Query
        | Role::Key
        | Role::Value
        | Role::Gate
        | Role::Up
        | Role::Head => 0.02,
    };
    let signs = [1.0, -1.0];
    signs
        .iter()
        .flat_map(|sign| normals.iter().map(move |&x| bf16::from_f64(sign * scale * x)))
        .collect()
}
