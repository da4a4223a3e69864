//! `regrow train --dry-run`: the resolved spec, the steps and the memory needed.

use ledger::{RunSpec, Trainer};
use regrow::count::grouped;
use regrow::heal::HealPreview;
use serde::Serialize;

use crate::show::table::TextTable;
use crate::terminal::Output;

/// What `--json` prints.
#[derive(Serialize)]
struct TrainPreviewReport<'a> {
    format: u32,
    id: String,
    spec: &'a RunSpec,
    steps: u64,
    evaluation_steps: Vec<u64>,
    /// Estimates for regrow's own trainer, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<TrainMemory>,
}

#[derive(Serialize)]
struct TrainMemory {
    weights_and_optimizer: u64,
    activations: u64,
    evaluation: u64,
    rest: u64,
    text: u64,
    #[serde(skip_serializing_if = "is_zero")]
    teacher: u64,
    total: u64,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

pub(super) fn show(preview: &HealPreview, json: bool, output: &mut Output) -> anyhow::Result<()> {
    let (spec, estimate) = (preview.spec(), preview.memory());
    let parameters = preview.parameters().0;
    let memory = TrainMemory {
        weights_and_optimizer: estimate.model(),
        activations: estimate.activations(),
        evaluation: estimate.evaluation(),
        rest: estimate.rest(),
        text: estimate.text(),
        teacher: estimate.teacher(),
        total: estimate.total(),
    };
    let steps = train::milestones::steps(spec);
    let evaluation_steps = train::milestones::evaluation_steps(spec);
    if json {
        return output.json(&TrainPreviewReport {
            format: 1,
            id: spec.id(),
            spec,
            steps,
            evaluation_steps,
            memory: (spec.trainer == Trainer::Regrow).then_some(memory),
        });
    }
    output.data(&toml::to_string(spec)?)?;
    output.data("\n")?;
    let megabytes = |bytes: u64| format!("{} MB", grouped(bytes.div_ceil(1_000_000)));
    let listed: Vec<String> = evaluation_steps.iter().map(|&step| grouped(step)).collect();
    let mut table = TextTable::facts();
    table
        .fact("run", spec.id())
        .fact(
            "steps",
            format!(
                "{} of {} tokens",
                grouped(steps),
                grouped(train::milestones::tokens_per_step(spec))
            ),
        )
        .fact("held-out loss", format!("before the first step and after {}", listed.join(" ")));
    if spec.trainer != Trainer::Regrow {
        table.fact("memory", "not estimated for PyTorch".to_owned());
        output.table(&table)?;
        return Ok(());
    }
    table
        .fact(
            "memory",
            format!(
                "about {}: {} for {} parameters with gradients and moments",
                megabytes(memory.total),
                megabytes(memory.weights_and_optimizer),
                grouped(parameters)
            ),
        )
        .fact("", format!("{} for activations of a micro-batch", megabytes(memory.activations)))
        .fact("", format!("{} for text and its order", megabytes(memory.text)))
        .fact(
            "",
            format!(
                "{} for evaluation, files and operands",
                megabytes(memory.evaluation + memory.rest)
            ),
        );
    if memory.teacher > 0 {
        table.fact("", format!("{} for the teacher", megabytes(memory.teacher)));
    }
    output.table(&table)?;
    Ok(())
}
