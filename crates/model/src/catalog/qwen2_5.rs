//! Qwen2.5, base models.
//!
//! Shapes from the published `config.json` files. Totals: those of 0.5B to 32B are the ones in
//! `our_val_loss_data.json` of the Gemstones study (McLeish et al. 2025); 72B is the 72.7 billion
//! of its model card, to the last digit by its shape.

use super::{Entry, Shape};
use crate::family::QWEN2;

const SEVEN: Shape = Shape {
    family: &QWEN2,
    hidden_size: 3584,
    intermediate_size: 18944,
    layers: 28,
    heads: 28,
    key_value_heads: 4,
    head_dim: 128,
    vocab_size: 152_064,
    tied: false,
    eps: 1e-6,
    theta: 1_000_000.0,
    scaling: None,
    context: 131_072,
    begin: 151_643,
};
/// Up to 3B the embedding is tied and has no rows to spare.
const SMALL: Shape = Shape { key_value_heads: 2, vocab_size: 151_936, tied: true, ..SEVEN };
/// From 14B on the norms add more.
const LARGE: Shape = Shape { hidden_size: 5120, heads: 40, key_value_heads: 8, eps: 1e-5, ..SEVEN };

const fn entry(
    name: &'static str,
    repository: &'static str,
    parameters: u64,
    shape: Shape,
) -> Entry {
    Entry { name, repository, series: "qwen-2.5", parameters, shape }
}

pub(super) const ENTRIES: &[Entry] = &[
    entry(
        "qwen2.5-0.5b",
        "Qwen/Qwen2.5-0.5B",
        494_032_768,
        Shape {
            hidden_size: 896,
            intermediate_size: 4864,
            layers: 24,
            heads: 14,
            head_dim: 64,
            context: 32_768,
            ..SMALL
        },
    ),
    entry(
        "qwen2.5-1.5b",
        "Qwen/Qwen2.5-1.5B",
        1_543_714_304,
        Shape { hidden_size: 1536, intermediate_size: 8960, layers: 28, heads: 12, ..SMALL },
    ),
    entry(
        "qwen2.5-3b",
        "Qwen/Qwen2.5-3B",
        3_085_938_688,
        Shape {
            hidden_size: 2048,
            intermediate_size: 11008,
            layers: 36,
            heads: 16,
            context: 32_768,
            ..SMALL
        },
    ),
    entry("qwen2.5-7b", "Qwen/Qwen2.5-7B", 7_615_616_512, SEVEN),
    entry(
        "qwen2.5-14b",
        "Qwen/Qwen2.5-14B",
        14_770_033_664,
        Shape { intermediate_size: 13824, layers: 48, ..LARGE },
    ),
    entry(
        "qwen2.5-32b",
        "Qwen/Qwen2.5-32B",
        32_763_876_352,
        Shape { intermediate_size: 27648, layers: 64, ..LARGE },
    ),
    entry(
        "qwen2.5-72b",
        "Qwen/Qwen2.5-72B",
        72_706_203_648,
        Shape { hidden_size: 8192, intermediate_size: 29568, layers: 80, heads: 64, ..LARGE },
    ),
];
