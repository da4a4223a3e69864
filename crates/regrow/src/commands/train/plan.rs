//! `regrow train --dry-run`: what would be run, and what it would take.

use ledger::RunSpec;
use model::config::ModelConfig;
use serde::Serialize;

use super::start::Beginning;
use crate::count::grouped;
use crate::output::Output;
use crate::table::Table;

/// Bytes of an f32.
const FLOAT: u64 = 4;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    id: String,
    spec: &'a RunSpec,
    steps: u64,
    evaluation_steps: Vec<u64>,
    /// Estimates, in bytes.
    memory: Memory,
}

#[derive(Serialize)]
struct Memory {
    weights_and_optimizer: u64,
    activations: u64,
}

pub(super) fn show(
    spec: &RunSpec,
    beginning: &Beginning,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<()> {
    let parameters = beginning.parameters()?.0;
    let memory = Memory {
        // Weights, gradients, two moments.
        weights_and_optimizer: parameters.saturating_mul(4 * FLOAT),
        activations: activations(&beginning.config, spec),
    };
    let steps = train::milestones::steps(spec);
    let evaluation_steps = train::milestones::evaluation_steps(spec);
    if json {
        return output.json(&Report { format: 1, id: spec.id(), spec, steps, evaluation_steps, memory });
    }
    output.data(&toml::to_string(spec)?)?;
    output.data("\n")?;
    let megabytes = |bytes: u64| format!("{} MB", grouped(bytes.div_ceil(1_000_000)));
    let listed: Vec<String> = evaluation_steps.iter().map(|&step| grouped(step)).collect();
    let mut table = Table::facts();
    table
        .fact("run", spec.id())
        .fact(
            "steps",
            format!("{} of {} tokens", grouped(steps), grouped(train::milestones::tokens_per_step(spec))),
        )
        .fact("held-out loss", format!("before the first step and after {}", listed.join(" ")))
        .fact(
            "memory",
            format!(
                "about {} for {} parameters with gradients and moments",
                megabytes(memory.weights_and_optimizer),
                grouped(parameters)
            ),
        )
        .fact("", format!("and {} for activations", megabytes(memory.activations)));
    output.table(&table)?;
    Ok(())
}

/// Bytes of activations of a micro-batch: what every block keeps for its backward pass, and what all share.
fn activations(config: &ModelConfig, spec: &RunSpec) -> u64 {
    let wide = |number: usize| number as u64;
    let rows = wide(spec.micro_batch).saturating_mul(wide(spec.context));
    let (hidden, inner) = (wide(config.hidden_size), wide(config.intermediate_size));
    let query = wide(config.query_width());
    let joint = query + 2 * wide(config.key_value_width());
    let block = 2 * hidden + joint + query + wide(config.num_attention_heads) + 2 * inner;
    let shared = 4 * hidden + inner + joint + query;
    let each = block.saturating_mul(wide(config.num_hidden_layers)).saturating_add(shared);
    // The vocabulary loss goes through in chunks of at most 512 rows.
    let logits = rows.min(512).saturating_mul(wide(config.vocab_size));
    rows.saturating_mul(each).saturating_add(logits).saturating_mul(FLOAT)
}
