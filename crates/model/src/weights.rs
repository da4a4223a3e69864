//! Random initial weights, and copies of weights between a model folder and a backend.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use shape::config::ModelConfig;
use shape::tensors::{Role, TensorSpec, block_tensors, tensors};

use crate::Result;
use crate::backend::Backend;
use crate::folder::{FolderWriter, ModelFolder};
use crate::layout::Layout;
use crate::safetensors::{Dtype, Planned};

/// Standard deviation of random matrices, as in GPT-2 and Llama code.
const DEVIATION: f64 = 0.02;

/// Numbers that are copied to the backend at once, or one row of a tensor.
const PIECE: usize = 1 << 20;

/// Random weights in the order of [`Layout`]. Matrices are normal with deviation 0.02; those that
/// write to the residual stream are smaller by sqrt(2 x blocks) (Radford et al. 2019). Norms are 1,
/// biases 0.
pub fn initial(config: &ModelConfig, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Every block adds to the stream twice, so its variance would grow with 2 x blocks.
    let narrow = DEVIATION / (2.0 * config.num_hidden_layers() as f64).sqrt();
    let mut weights = Vec::new();
    for tensor in tensors(config) {
        let len = tensor.len();
        match tensor.role {
            Role::AttentionNorm | Role::FeedForwardNorm | Role::FinalNorm => {
                weights.extend(std::iter::repeat_n(1.0, len));
            }
            Role::QueryBias | Role::KeyBias | Role::ValueBias => {
                weights.extend(std::iter::repeat_n(0.0, len));
            }
            Role::AttentionOutput | Role::Down => normal(&mut random, narrow, len, &mut weights),
            Role::Embedding
            | Role::Query
            | Role::Key
            | Role::Value
            | Role::Gate
            | Role::Up
            | Role::Head => {
                normal(&mut random, DEVIATION, len, &mut weights);
            }
        }
    }
    weights
}

/// Reads all weights of a folder into one buffer, in the order of [`Layout`], tensor by tensor. At
/// most the largest tensor of the files stays mapped in memory.
///
/// # Errors
/// If a tensor cannot be read or the memory cannot be allocated.
pub fn load<B: Backend>(folder: &ModelFolder, backend: &B) -> Result<B::Weights> {
    let mut weights = backend.allocate_weights(Layout::new(folder.config()).len)?;
    read(folder, &tensors(folder.config()), backend, &mut weights)?;
    Ok(weights)
}

/// Reads the weights of block `layer` alone. The block begins at 0 of the buffer.
///
/// # Errors
/// If a tensor cannot be read or the memory cannot be allocated.
pub fn load_block<B: Backend>(
    folder: &ModelFolder,
    layer: usize,
    backend: &B,
) -> Result<B::Weights> {
    let mut weights = backend.allocate_weights(Layout::new(folder.config()).block.len)?;
    read(folder, &block_tensors(folder.config(), layer), backend, &mut weights)?;
    Ok(weights)
}

fn read<B: Backend>(
    folder: &ModelFolder,
    tensors: &[TensorSpec],
    backend: &B,
    weights: &mut B::Weights,
) -> Result<()> {
    // The tensors come in memory order, so offsets only add up.
    let mut offset = 0;
    for tensor in tensors {
        // In pieces, so that a large tensor is not held twice.
        folder.read_rows(tensor, PIECE, &mut |values| {
            backend.upload_weights(values, weights, offset)?;
            offset += values.len();
            Ok::<(), crate::Error>(())
        })?;
    }
    Ok(())
}

/// The plan to write the tensors of a model, all stored as `dtype`.
pub fn plan(config: &ModelConfig, dtype: Dtype) -> Vec<Planned> {
    tensors(config).iter().map(|tensor| Planned::new(tensor, dtype)).collect()
}

/// Writes all weights to a folder made with [`plan`].
///
/// # Errors
/// If a weight does not fit the planned type, or the disk fails.
pub fn save<B: Backend>(
    layout: &Layout,
    backend: &B,
    weights: &B::Weights,
    writer: &mut FolderWriter,
) -> Result<()> {
    let mut values = Vec::new();
    for (tensor, offset) in &layout.tensors {
        values.resize(tensor.len(), 0.0);
        backend.download_weights(weights, *offset, &mut values)?;
        writer.write_f32(&values)?;
    }
    Ok(())
}

/// Adds `len` normal numbers, in pairs by the Box-Muller method.
fn normal(random: &mut ChaCha8Rng, deviation: f64, len: usize, out: &mut Vec<f32>) {
    // In (0, 1], so that the logarithm is finite.
    let mut uniform = || ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let end = out.len() + len;
    while out.len() < end {
        let radius = deviation * (-2.0 * uniform().ln()).sqrt();
        // A radius and an angle give two independent normal numbers.
        let (sine, cosine) = (std::f64::consts::TAU * uniform()).sin_cos();
        out.push((radius * cosine) as f32);
        if out.len() < end {
            out.push((radius * sine) as f32);
        }
    }
}
