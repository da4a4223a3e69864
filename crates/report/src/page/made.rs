//! Which runs were left out, and how the rest was made.

use ledger::Done;
use maud::{Markup, html};

use super::input::{PageInput, RunFacts};
use crate::number::{count, nats, rate, whole};
use crate::table::{Alignment, HtmlTable, TableColumn};
use crate::text::{said, sentence, shown};

/// The runs that the page does not use.
pub(super) fn left_out(input: &PageInput<'_>) -> Markup {
    html! {
        @if !input.left_out.is_empty() {
            section {
                h2 { "Runs left out" }
                ul {
                    @for run in input.left_out { li { code { (shown(&run.run)) } ": " (said(&run.why)) } }
                }
            }
        }
    }
}

/// The facts, and a table of the runs.
pub(super) fn how(input: &PageInput<'_>) -> Markup {
    html! {
        section {
            h2 { "How it was made" }
            @if !input.facts.is_empty() {
                dl {
                    @for fact in input.facts {
                        dt { (shown(&fact.name)) }
                        dd { (sentence(&fact.value)) }
                    }
                }
            }
            @if !input.runs.is_empty() {
                (shared(input.runs))
                details { summary { "Every run" } (runs(input.runs)) }
            }
        }
    }
}

/// Facts about all runs. A value that they share is shown once.
fn shared(runs: &[RunFacts]) -> Markup {
    let all = |pick: fn(&RunFacts) -> String| -> Vec<String> {
        let mut values: Vec<String> = runs.iter().map(pick).collect();
        values.sort();
        values.dedup();
        values
    };
    let lists = [
        ("regrow", all(|run| run.record.provenance().regrow.clone())),
        ("processor", all(|run| run.record.provenance().machine.clone())),
        ("kernel", all(|run| run.record.provenance().kernel.clone())),
        ("training text, SHA-256", all(|run| run.record.corpus().to_owned())),
        ("held-out text, SHA-256", all(|run| run.record.heldout().to_owned())),
        ("tokenizer, SHA-256", all(|run| run.record.tokenizer().to_owned())),
    ];
    html! {
        dl {
            @for (name, values) in &lists {
                dt { (name) }
                dd { @for (i, value) in values.iter().enumerate() { @if i > 0 { ", " } code { (shown(value)) } } }
            }
        }
    }
}

fn runs(runs: &[RunFacts]) -> Markup {
    let columns = [
        TableColumn::new("run", Alignment::Left),
        TableColumn::new("base", Alignment::Left),
        TableColumn::new("method", Alignment::Left),
        TableColumn::new("size", Alignment::Right).unit("parameters before pruning"),
        TableColumn::new("rate", Alignment::Right).unit("fraction removed"),
        TableColumn::new("before pruning", Alignment::Right).unit("nats per token"),
        TableColumn::new("pruned", Alignment::Right).unit("nats per token"),
        TableColumn::new("at the end", Alignment::Right).unit("nats per token"),
        TableColumn::new("trained", Alignment::Right).unit("tokens"),
        TableColumn::new("seed", Alignment::Right),
        TableColumn::new("state", Alignment::Left),
    ];
    let mut table = HtmlTable::new("Runs, from their own records", columns);
    for RunFacts { name, record, done } in runs {
        let loss =
            |loss: Option<ledger::Nats>| html! { @if let Some(loss) = loss { (nats(loss.0)) } };
        table.push(vec![
            html! { code { (shown(name)) } },
            html! { bdi { (shown(record.base())) } },
            html! { code { (shown(record.method())) } },
            count(record.n0().0 as f64),
            rate(record.rate().get()),
            loss(record.loss0()),
            loss(done.as_ref().and_then(Done::loss_pruned)),
            loss(done.as_ref().map(Done::eval_loss)),
            html! { @if let Some(done) = done { (count(done.tokens().0 as f64)) } },
            whole(record.seed()),
            html! { (if done.is_some() { "done" } else { "not ended" }) },
        ]);
    }
    table.markup()
}
