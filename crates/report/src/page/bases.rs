//! The models before pruning: whether they had finished learning, and what the same tokens do
//! without pruning.

use law::GroupLaw;
use ledger::Done;
use maud::{Markup, html};

use super::input::{PageInput, RunFacts};
use crate::number::{count, nats, plain};
use crate::table::{Alignment, HtmlTable, TableColumn};
use crate::text::shown;

/// Every base with its control; empty if no base is known.
pub(super) fn section(input: &PageInput<'_>, groups: &[&GroupLaw]) -> Markup {
    if input.bases.is_empty() {
        return html! {};
    }
    let gain =
        groups.iter().find_map(|group| group.decisions().first()).map(|plan| plan.doubling_gain());
    let learning = |base: &&RunFacts| {
        let control = control(input, base).and_then(|run| run.done.as_ref()?.last_doubling());
        // The control still learns if its last doubling gains as much as the rule asks for.
        control.zip(gain).is_some_and(|(control, gain)| control.0 >= gain)
    };
    let learning: Vec<&RunFacts> = input.bases.iter().filter(learning).collect();
    html! {
        section {
            h2 { "The models before pruning" }
            p {
                "A base that was still learning when it was pruned goes on learning while it heals. What it gained over the last quarter of "
                "its own training says how near to rest it was; what the unpruned control gains over its last doubling is the part of a "
                "healing that pruning has nothing to do with."
            }
            @if let (Some(gain), false) = (gain, learning.is_empty()) {
                div.doubt {
                    p { strong { "Part of “enough” is plain training" } }
                    p {
                        "Unpruned, "
                        @for (i, base) in learning.iter().enumerate() {
                            @if i > 0 { ", " } code { (shown(&base.name)) }
                        }
                        " still gained more per doubling than the " (plain(gain)) " nats that the rule asks for. There the answer tells "
                        "after how many tokens training on pays less than that, pruned or not; healing alone takes fewer. A loss below "
                        "that of the unpruned model is the same training, not a gift of pruning."
                    }
                }
            }
            (table(input))
        }
    }
}

/// The unpruned run of a base.
fn control<'a>(input: &PageInput<'a>, base: &RunFacts) -> Option<&'a RunFacts> {
    input.runs.iter().find(|run| run.record.method() == "none" && run.record.base() == base.name)
}

fn table(input: &PageInput<'_>) -> Markup {
    let columns = [
        TableColumn::new("base", Alignment::Left),
        TableColumn::new("size", Alignment::Right).unit("parameters"),
        TableColumn::new("trained last", Alignment::Right).unit("tokens"),
        TableColumn::new("loss then", Alignment::Right).unit("nats per token"),
        TableColumn::new("last quarter gained", Alignment::Right).unit("nats per token"),
        TableColumn::new("control, trained on", Alignment::Right).unit("tokens"),
        TableColumn::new("loss then", Alignment::Right).unit("nats per token"),
        TableColumn::new("last doubling gained", Alignment::Right).unit("nats per token"),
    ];
    let mut table = HtmlTable::new("Bases, each with its unpruned control", columns);
    for base in input.bases {
        let done = base.done.as_ref();
        let control = control(input, base).and_then(|run| run.done.as_ref());
        let loss =
            |loss: Option<ledger::Nats>| html! { @if let Some(loss) = loss { (nats(loss.0)) } };
        let tokens = |done: Option<&Done>| html! { @if let Some(done) = done { (count(done.tokens().0 as f64)) } };
        table.push(vec![
            html! { bdi { (shown(&base.name)) } },
            count(base.record.n0().0 as f64),
            tokens(done),
            loss(done.map(Done::eval_loss)),
            loss(done.and_then(Done::last_quarter)),
            tokens(control),
            loss(control.map(Done::eval_loss)),
            loss(control.and_then(Done::last_doubling)),
        ]);
    }
    table.markup()
}
