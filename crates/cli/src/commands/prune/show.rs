//! What `regrow prune` prints about a finished cut.

use ledger::{Cut, CutRecord, Part};
use regrow::count::grouped;

use crate::show::table::{Align, TextTable};
use crate::terminal::Output;

/// The least share of zeros in the weights for the warning that a model was sparse before.
const SPARSE: f64 = 1e-3;

/// Prints the cut: scores, what stays, and the realised rate.
pub(super) fn show(record: &CutRecord, output: &mut Output) -> anyhow::Result<()> {
    let (kept, dropped) = (record.cut.kept(), record.cut.dropped());
    if let Some(scores) = &record.scores {
        // A method that scores runs of blocks has fewer scores than blocks: a run cannot begin at
        // the last ones.
        let runs = scores.len() < record.cut.layers();
        let mut table = TextTable::new(&[
            (if runs { "first block" } else { "block" }, Align::Right),
            ("score", Align::Right),
            ("", Align::Left),
        ]);
        for (layer, score) in scores.iter().enumerate() {
            let goes =
                if runs { dropped.first() == Some(&layer) } else { dropped.contains(&layer) };
            table.row([
                layer.to_string(),
                format!("{score:.6}"),
                if goes { "dropped" } else { "" }.to_owned(),
            ]);
        }
        output.table(&table)?;
        output.data("\n")?;
    }
    let change =
        |before: u64, after: u64| format!("{} of {} left", grouped(after), grouped(before));
    let asked = record.asked_rate.map_or_else(String::new, |rate| format!(", asked {rate:.4}"));
    let mut table = TextTable::facts();
    table
        .fact("method", &record.method)
        .fact("rate", format!("{} of all parameters{asked}", record.held.rate()))
        .fact("  without embedding", record.held.rate_without_embedding().to_string())
        .fact("parameters", change(record.held.n0().0, record.held.parameters().0))
        .fact(
            "  without embedding",
            change(
                record.held.n0_without_embedding().0,
                record.held.parameters_without_embedding().0,
            ),
        )
        .fact("blocks kept", listed(&kept));
    if !dropped.is_empty() {
        table.fact("blocks dropped", listed(dropped));
    }
    if let Cut::Width(width) = &record.cut {
        for part in Part::ALL {
            if let Some((of, kept)) = width.change(part) {
                table.fact(
                    &part.to_string(),
                    format!("{} of {} left", grouped(kept as u64), grouped(of as u64)),
                );
            }
        }
    }
    if let Cut::Sparse { pattern, linear, .. } = &record.cut {
        table.fact("zeros", format!("{pattern}, in {} of every block", linear.join(", ")));
        if let Some(zeros) = record.already_zero {
            table.fact("  there before", grouped(zeros.0));
        }
    }
    for (name, value) in &record.options {
        table.fact(name, value);
    }
    if let Some(loss0) = record.loss0 {
        table.fact("loss before (L0)", format!("{loss0} per token"));
    }
    if let Some(calibration) = &record.calibration {
        table.fact(
            "calibration",
            format!(
                "{} sequences of {} tokens, seed {}, text {}",
                calibration.sequences(),
                calibration.length(),
                calibration.seed(),
                calibration.hash()
            ),
        );
    }
    output.table(&table)?;
    Ok(())
}

/// Warns of fallbacks, and of zeros that the model already had.
pub(super) fn warn(record: &CutRecord, output: &Output) {
    for fallback in &record.fallbacks {
        let tensors = fallback.tensors().join("`, `");
        match (fallback.score(), fallback.damping()) {
            (Some(score), _) => output
                .warn(&format!("`{tensors}`: the Hessian cannot be factored, pruned by `{score}` instead")),
            (None, Some(damping)) => output.warn(&format!(
                "`{tensors}`: the Hessian was factored with a damping of {damping} of its mean diagonal"
            )),
            (None, None) => {}
        }
    }
    let zeros = record.already_zero.map_or(0, |zeros| zeros.0);
    // Any model has a few zeros from rounding. These are counted, but cause no warning.
    if zeros as f64 >= SPARSE * record.held.n0().0 as f64 {
        output.warn(&format!(
            "the model was sparse before: {} of its {} weights were zero where zeros were to come",
            grouped(zeros),
            grouped(record.held.n0().0)
        ));
    }
}

fn listed(layers: &[usize]) -> String {
    layers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
