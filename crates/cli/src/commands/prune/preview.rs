//! `regrow prune --dry-run`: the resulting shape and the resources needed, from a configuration
//! alone.

use ledger::Params;
use prune::plan::DISK_SPEED;
use prune::{PruningPlan, Smaller};
use regrow::count::grouped;
use regrow::pruning::PrunePreview;
use serde::Serialize;

use crate::show::number::duration;
use crate::show::table::{Align, TextTable};
use crate::terminal::Output;

/// What `--json` prints.
#[derive(Serialize)]
struct PrunePreviewReport<'a> {
    format: u32,
    model: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_rate: Option<f64>,
    choices: Vec<ChoiceRow>,
    memory: PruneMemory,
    output_bytes: u64,
    spilled_bytes: u64,
    read_bytes: u64,
    flops: f64,
    seconds: f64,
}

#[derive(Serialize)]
struct ChoiceRow {
    layers: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    rate: f64,
    rate_without_embedding: f64,
    parameters: u64,
}

/// The memory needed, in bytes.
#[derive(Serialize)]
struct PruneMemory {
    peak: u64,
    bound: u64,
    block: u64,
    statistics: u64,
    activations: u64,
    batch: u64,
    program: u64,
}

/// Prints what pruning would leave and need. `asked` is the requested rate, if any.
pub(super) fn show(
    preview: &PrunePreview,
    asked: Option<f64>,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<()> {
    let (plan, bound) = (preview.plan(), preview.memory_bound());
    if json {
        return output.json(&PrunePreviewReport {
            format: 1,
            model: preview.model().name(),
            method: &preview.method(),
            asked_rate: asked,
            choices: plan.outcomes().iter().map(choice).collect(),
            memory: memory(plan, bound),
            output_bytes: plan.output(),
            spilled_bytes: plan.spilled(),
            read_bytes: plan.read(),
            flops: plan.flops(),
            seconds: plan.seconds(preview.speed()),
        });
    }
    in_tables(preview, asked, output)?;
    output.say("nothing measured, nothing written");
    Ok(())
}

fn choice(choice: &Smaller) -> ChoiceRow {
    let shape = &choice.shape;
    ChoiceRow {
        layers: choice.layers,
        hidden_size: shape.hidden,
        intermediate_size: shape.ffn,
        num_attention_heads: shape.heads,
        num_key_value_heads: shape.groups,
        head_dim: shape.head_dim,
        rate: choice.held.rate().get(),
        rate_without_embedding: choice.held.rate_without_embedding().get(),
        parameters: choice.held.parameters().0,
    }
}

fn memory(plan: &PruningPlan, bound: u64) -> PruneMemory {
    let of = plan.memory();
    PruneMemory {
        peak: of.peak(),
        bound,
        block: of.block(),
        statistics: of.statistics(),
        activations: of.activations(),
        batch: of.batch(),
        program: of.program(),
    }
}

fn in_tables(
    preview: &PrunePreview,
    asked: Option<f64>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let (plan, speed) = (preview.plan(), preview.speed());
    output.table(&choices(&plan.outcomes()))?;
    output.data("\n")?;
    let gib = |bytes: u64| format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30));
    let gb = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
    let of = plan.memory();
    let asked = asked.map_or_else(String::new, |rate| format!(", asked {rate:.4}"));
    let mut table = TextTable::facts();
    table
        .fact("method", preview.method())
        .fact("rate", format!("{} of all parameters{asked}", plan.outcome().held.rate()))
        .fact("parameters", format!("{} left", Params(plan.outcome().held.parameters().0)))
        .fact(
            "memory",
            format!("about {}, at most {}", gib(of.peak()), gib(preview.memory_bound())),
        )
        .fact("  a block", gib(of.block()))
        .fact("  activations", gib(of.activations()))
        .fact("  a batch in it", gib(of.batch()))
        .fact("  statistics", gib(of.statistics()))
        .fact(
            "disk",
            format!("{} for the model, {} meanwhile", gb(plan.output()), gb(plan.spilled())),
        )
        .fact(
            "time",
            format!(
                "about {} here: {:.0} GFLOP/s measured, the disk taken at {:.0} MB/s",
                duration(plan.seconds(speed)),
                speed / 1e9,
                DISK_SPEED / 1e6
            ),
        );
    output.table(&table)?;
    Ok(())
}

/// The shapes near the target; the first one is used.
pub(super) fn choices(choices: &[Smaller]) -> TextTable {
    let mut table = TextTable::new(&[
        ("", Align::Left),
        ("blocks", Align::Right),
        ("hidden", Align::Right),
        ("ffn", Align::Right),
        ("heads", Align::Right),
        ("groups", Align::Right),
        ("rate", Align::Right),
        ("without embedding", Align::Right),
        ("parameters left", Align::Right),
    ]);
    for (place, choice) in choices.iter().enumerate() {
        let shape = &choice.shape;
        table.row([
            if place == 0 { "taken".to_owned() } else { String::new() },
            choice.layers.to_string(),
            shape.hidden.to_string(),
            shape.ffn.to_string(),
            shape.heads.to_string(),
            shape.groups.to_string(),
            choice.held.rate().to_string(),
            choice.held.rate_without_embedding().to_string(),
            grouped(choice.held.parameters().0),
        ]);
    }
    table
}
