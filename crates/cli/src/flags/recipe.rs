//! A recipe's keys as flags.

use clap::Args;
use ledger::{Convention, Precision, Trainer};
use regrow::{Count, ObjectiveName, Recipe};
use serde::Serialize;

/// A flag for every key of a recipe, of the same name. What is not said has a default.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize)]
#[command(next_help_heading = "Recipe (each flag is also a key of `--recipe`, with `_` for `-`)")]
pub(crate) struct RecipeFlags {
    /// Tokens to train on, for example 20M; the run ends with the step that reaches them
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Count>,
    /// The model series that laws are fitted for [default: that of the pruned model, else the
    /// family]
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    /// Tokens a sequence [default: the model's own, 2048 at most]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Count>,
    /// Sequences a step [default: 8]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<Count>,
    /// Sequences that go through the network together [default: up to 4096 tokens of them]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    micro_batch: Option<Count>,
    /// What products compute in: f32, or bf16 with sums in f32; weights and held-out losses stay
    /// f32 [default: f32]
    #[arg(long, value_name = "TYPE", value_parser = precision)]
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<Precision>,
    /// The peak learning rate [default: 3e-4]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    /// Tokens over which the learning rate rises [default: a fiftieth of `--tokens`]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    warmup: Option<Count>,
    /// The last tokens, over which the learning rate falls [default: 0, it stays constant]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    decay: Option<Count>,
    /// Decoupled weight decay of matrices [default: 0.1]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_decay: Option<f64>,
    /// The largest global norm of a gradient that is used as it is [default: 1]
    #[arg(long, value_name = "NORM", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    clip_norm: Option<f64>,
    /// Decay of the mean of gradients [default: 0.9]
    #[arg(long, value_name = "B", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    beta1: Option<f64>,
    /// Decay of the mean of squared gradients [default: 0.95]
    #[arg(long, value_name = "B", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    beta2: Option<f64>,
    /// Added to the root of the second mean [default: 1e-8]
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
    /// Order of the text, and weights that start at random [default: 0]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// What training minimises: lm, the next-token loss; distil, the divergence from a teacher; or
    /// mix, both [default: lm]
    #[arg(long, value_name = "WHAT", value_parser = objective)]
    #[serde(skip_serializing_if = "Option::is_none")]
    objective: Option<ObjectiveName>,
    /// The teacher: a model folder, a model of the hub, or a cache made by `regrow teach`
    #[arg(long, value_name = "MODEL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    teacher: Option<String>,
    /// The share of the divergence in `mix`, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    distil_weight: Option<f64>,
    /// Divides the logits of teacher and model before the divergence is taken [default: 1]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    /// Points of held-out loss, evenly spaced in the logarithm of tokens [default: 24]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_points: Option<Count>,
    /// Tokens at the first of them [default: a two-hundredth of `--tokens`]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_first: Option<Count>,
    /// Held-out tokens read at each of them [default: 65536, or all]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_tokens: Option<Count>,
    /// How held-out documents meet the context: documents, each by itself, or packed, end to end
    /// [default: documents]
    #[arg(long, value_name = "HOW", value_parser = convention)]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_convention: Option<Convention>,
    /// Most tokens that a held-out prediction looks back on [default: the context]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_context: Option<Count>,
    /// Tokens between the beginnings of two windows of held-out text [default: `--eval-context`]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_stride: Option<Count>,
    /// Tokens between two checkpoints, beside those of the least held-out loss [default: a tenth
    /// of `--tokens`]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    save_every: Option<Count>,
    /// The program that trains: regrow, or torch, which is PyTorch driven and checked by regrow
    /// [default: regrow]
    #[arg(long, value_name = "PROGRAM", value_parser = trainer)]
    #[serde(skip_serializing_if = "Option::is_none")]
    trainer: Option<Trainer>,
}

impl RecipeFlags {
    /// The recipe with the keys that were given as flags.
    pub(crate) fn recipe(&self) -> anyhow::Result<Recipe> {
        // Through TOML: flags and keys have the same names, so no field can be forgotten here.
        Ok(Recipe::of_keys(toml::Table::try_from(self)?)?)
    }
}

pub(crate) fn precision(name: &str) -> Result<Precision, String> {
    let known = [Precision::F32, Precision::Bf16];
    let found = known.into_iter().find(|precision| precision.name() == name);
    found.ok_or_else(|| "expected `f32` or `bf16`".to_owned())
}

fn objective(name: &str) -> Result<ObjectiveName, String> {
    match name {
        "lm" => Ok(ObjectiveName::Lm),
        "distil" => Ok(ObjectiveName::Distil),
        "mix" => Ok(ObjectiveName::Mix),
        _ => Err("expected `lm`, `distil` or `mix`".to_owned()),
    }
}

fn trainer(name: &str) -> Result<Trainer, String> {
    let known = [Trainer::Regrow, Trainer::Torch];
    let found = known.into_iter().find(|trainer| trainer.name() == name);
    found.ok_or_else(|| "expected `regrow` or `torch`".to_owned())
}

pub(crate) fn convention(name: &str) -> Result<Convention, String> {
    let known = [Convention::Documents, Convention::Packed];
    let found = known.into_iter().find(|convention| convention.name() == name);
    found.ok_or_else(|| "expected `documents` or `packed`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_a_flag_of_the_same_name() {
        use clap::Args as _;
        let command = RecipeFlags::augment_args(clap::Command::new("x"));
        let flags: Vec<&str> = command.get_arguments().filter_map(|flag| flag.get_long()).collect();
        // The error for an unknown key lists all known keys.
        let error = format!("{:#}", "format = 1\nnothing = 1\n".parse::<Recipe>().unwrap_err());
        let known = error.split_once("expected one of ").unwrap().1;
        let keys: Vec<String> =
            known.split('`').skip(1).step_by(2).map(|key| key.replace('_', "-")).collect();
        assert_eq!(keys, [vec!["format"], flags].concat());
    }
}
