//! `regrow prune --dry-run`: what would be left and what it takes, from a configuration alone.

use ledger::Params;
use model::backend::cpu::Cpu;
use model::folder::ModelFolder;
use prune::plan::{DISK_SPEED, speed};
use prune::{PruningPlan, Smaller, TextSize};
use serde::Serialize;
use shape::config::RawConfig;

use super::{Arguments, decision};
use crate::commands::inspect;
use crate::show::table::{Align, Table};
use crate::terminal::{Exit, Output};
use regrow::count::grouped;
use regrow::loaded::default_context;

/// Bytes of a weight where nothing says how weights are stored, as most public models store theirs.
const USUAL: usize = 2;

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    model: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_rate: Option<f64>,
    choices: Vec<Choice>,
    memory: Memory,
    output_bytes: u64,
    spilled_bytes: u64,
    read_bytes: u64,
    flops: f64,
    seconds: f64,
}

#[derive(Serialize)]
struct Choice {
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

/// In bytes.
#[derive(Serialize)]
struct Memory {
    peak: u64,
    bound: u64,
    block: u64,
    statistics: u64,
    activations: u64,
    batch: u64,
    program: u64,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let found = inspect::find(&arguments.model)?;
    let bytes = match &found.folder {
        Some(folder) => folder.dtype().size(),
        None if arguments.model.exists() => stored(&ModelFolder::raw_config_of(&arguments.model)?),
        None => USUAL,
    };
    let (method, target) = decision(arguments)?;
    let text = TextSize {
        sequences: arguments.samples.unwrap_or(prune::calibration::SEQUENCES),
        length: arguments.length.unwrap_or_else(|| default_context(&found.config)),
        spilled: arguments.options.spill.is_some(),
    };
    let options = arguments.options.options();
    let plan = PruningPlan::new(&found.config, method, &target, &options, text, bytes)?;
    let method = method.name();
    let speed = speed(&Cpu::<f32>::new())?;
    let bound = plan.memory().bound(&found.config);
    if arguments.json {
        output.json(&Report {
            format: 1,
            model: &found.name,
            method: &method,
            asked_rate: arguments.rate,
            choices: plan.outcomes().iter().map(choice).collect(),
            memory: memory(&plan, bound),
            output_bytes: plan.output(),
            spilled_bytes: plan.spilled(),
            read_bytes: plan.read(),
            flops: plan.flops(),
            seconds: plan.seconds(speed),
        })?;
        return Ok(Exit::Done);
    }
    show(arguments, &method, &plan, bound, speed, output)?;
    output.say("nothing measured, nothing written");
    Ok(Exit::Done)
}

fn stored(raw: &RawConfig) -> usize {
    let name = raw.get("dtype").or_else(|| raw.get("torch_dtype")).and_then(|value| value.as_str());
    if name == Some("float32") { 4 } else { USUAL }
}

fn choice(choice: &Smaller) -> Choice {
    let shape = &choice.shape;
    Choice {
        layers: choice.layers,
        hidden_size: shape.hidden,
        intermediate_size: shape.ffn,
        num_attention_heads: shape.heads,
        num_key_value_heads: shape.groups,
        head_dim: shape.head_dim,
        rate: choice.rate.get(),
        rate_without_embedding: choice.rate_without_embedding.get(),
        parameters: choice.parameters.0,
    }
}

fn memory(plan: &PruningPlan, bound: u64) -> Memory {
    let of = plan.memory();
    Memory {
        peak: of.peak(),
        bound,
        block: of.block,
        statistics: of.statistics,
        activations: of.activations,
        batch: of.batch,
        program: of.program,
    }
}

fn show(
    arguments: &Arguments,
    method: &str,
    plan: &PruningPlan,
    bound: u64,
    speed: f64,
    output: &mut Output,
) -> anyhow::Result<()> {
    output.table(&choices(&plan.outcomes()))?;
    output.data("\n")?;
    let gib = |bytes: u64| format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30));
    let gb = |bytes: u64| format!("{:.2} GB", bytes as f64 / 1e9);
    let of = plan.memory();
    let asked = arguments.rate.map_or_else(String::new, |rate| format!(", asked {rate:.4}"));
    let mut table = Table::facts();
    table
        .fact("method", method)
        .fact("rate", format!("{} of all parameters{asked}", plan.outcome().rate))
        .fact("parameters", format!("{} left", Params(plan.outcome().parameters.0)))
        .fact("memory", format!("about {}, at most {}", gib(of.peak()), gib(bound)))
        .fact("  a block", gib(of.block))
        .fact("  activations", gib(of.activations))
        .fact("  a batch in it", gib(of.batch))
        .fact("  statistics", gib(of.statistics))
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

/// What the target comes to, the one that is taken first.
fn choices(outcomes: &[Smaller]) -> Table {
    let mut table = Table::new(&[
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
    for (place, choice) in outcomes.iter().enumerate() {
        let shape = &choice.shape;
        table.row([
            if place == 0 { "taken".to_owned() } else { String::new() },
            choice.layers.to_string(),
            shape.hidden.to_string(),
            shape.ffn.to_string(),
            shape.heads.to_string(),
            shape.groups.to_string(),
            choice.rate.to_string(),
            choice.rate_without_embedding.to_string(),
            grouped(choice.parameters.0),
        ]);
    }
    table
}

/// Prints what a rate comes to, the one that was taken first; nothing for what leaves no choice.
pub(super) fn show_choices(
    request: &prune::Request<'_>,
    pruned: &prune::Pruned,
    output: &mut Output,
) -> anyhow::Result<()> {
    if matches!(request.target, prune::Target::Rate { .. })
        && matches!(request.method, prune::Method::Select(_))
    {
        output.table(&choices(pruned.outcomes()))?;
        output.data("\n")?;
    }
    Ok(())
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}
