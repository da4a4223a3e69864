//! The formats, one file each.

mod composer;
mod csv;
mod jsonl;
mod megatron;
mod mlflow;
mod nemo;
mod tensorboard;
mod torchtitan;
mod trackio;
mod trainer_state;
mod wandb;

use super::reader::Import;

/// Every format that is read. The first that recognises a file has it, so those that would take
/// anything come last.
pub(super) const IMPORTS: [&dyn Import; 11] = [
    &trackio::Trackio,
    &trainer_state::TrainerState,
    &nemo::Nemo,
    &mlflow::Mlflow,
    &tensorboard::TensorBoard,
    &megatron::Megatron,
    &composer::Composer,
    &torchtitan::TorchTitan,
    &jsonl::JsonLines,
    &wandb::Wandb,
    &csv::Csv,
];
