//! The measured loss at the start of a recovery. A law gives no loss for the freshly pruned model,
//! so it must come from runs.

use std::path::Path;

use law::{GroupLaw, Place};
use ledger::Objective;

use super::wish::RecoveryStart;
use crate::terminal::hinted;
use regrow::count::grouped;

/// Relative tolerance: within it, sizes and rates count as the same pruned model, and token counts
/// as the same point.
const SAME: f64 = 0.02;

/// The mean loss, at the start of the recovery, of the runs in a table or folder.
pub(super) fn reference(
    path: &Path,
    from: RecoveryStart,
    law: &GroupLaw,
    place: &Place,
) -> anyhow::Result<f64> {
    let is_here = |n0: f64, rate: f64| near(n0, place.n0) && near(rate, place.rate);
    let found: Vec<f64> = match from {
        RecoveryStart::Pruned if path.is_dir() => {
            let mut found = Vec::new();
            for summary in store::runs(path)? {
                // Broken runs know nothing, and are skipped.
                let facts = summary.facts();
                // An imported run says nothing of its objective; most logs are of the text's.
                let objective = summary.folder().map_or("lm", |run| run.spec().objective.name());
                let is_group = facts.series() == Some(law.series())
                    && facts.method() == Some(law.method())
                    && objective == law.objective();
                let (Some(n0), Some(rate)) = (facts.n0(), facts.rate()) else { continue };
                if is_group && is_here(n0.0 as f64, rate.get()) {
                    found.extend(summary.loss_pruned().map(|loss| loss.0));
                }
            }
            found
        }
        // A points table has no point before the first token.
        RecoveryStart::Pruned => Vec::new(),
        RecoveryStart::Tokens(tokens) => {
            let rows = match path.is_dir() {
                true => store::run_points(path)?.rows,
                false => store::read_points(path, law.form_name())?.into_rows(),
            };
            let of_group = rows.into_iter().filter(|row| {
                let objective = row.objective.as_deref().unwrap_or(Objective::LM);
                (row.series.as_str(), row.method.as_str(), objective)
                    == (law.series(), law.method(), law.objective())
            });
            let here = of_group.filter(|row| is_here(row.n0, row.rate));
            here.filter(|row| near(row.tokens, tokens.0 as f64)).map(|row| row.loss).collect()
        }
    };
    if found.is_empty() {
        let when = match from {
            RecoveryStart::Pruned => "right after pruning".to_owned(),
            RecoveryStart::Tokens(tokens) => format!("after {} tokens", grouped(tokens.0)),
        };
        let error = anyhow::anyhow!(
            "`{}` holds no loss {when} of {} at n0 {:.4e} and rate {:.4}",
            path.display(),
            law.label(),
            place.n0,
            place.rate
        );
        return Err(hinted(
            error,
            "give the measured loss with `--from-loss`; a points table knows none before the first token",
        ));
    }
    Ok(found.iter().sum::<f64>() / found.len() as f64)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME * a.max(b)
}
