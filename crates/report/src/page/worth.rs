//! What the law is worth: one line for each question, on points that it has not seen.

use law::GroupLaw;
use law::validate::{GroupValidation, Verdict};
use maud::{Markup, html};

use super::PageInput;
use crate::number::{nats, percent, plain, whole};
use crate::table::{Alignment, HtmlTable, TableColumn};
use crate::text::{said, shown};

/// The validation of a law's group.
pub(super) fn of<'a>(input: &PageInput<'a>, group: &GroupLaw) -> Option<&'a GroupValidation> {
    let is_its = |judged: &&GroupValidation| {
        (judged.series(), judged.method_and_objective())
            == (group.series(), group.method_and_objective())
    };
    let found = input.validation?.groups().iter().find(is_its)?;
    (!found.verdicts().is_empty()).then_some(found)
}

/// The verdict, in sentences and in numbers.
pub(super) fn section(judged: &GroupValidation) -> Markup {
    let cannot = judged.splits().iter().filter_map(|split| Some((split, split.cannot()?)));
    html! {
        p {
            "A part of the points was held out, the law was fitted to the rest, and asked. Its error is compared with that of the best "
            "prediction that needs no law."
        }
        dl {
            @for verdict in judged.verdicts() {
                dt { (verdict.question().name()) }
                dd { (said(verdict.sentence())) }
            }
            @for (split, cannot) in cannot {
                dt { (shown(split.name())) }
                dd { "Cannot be told. " (said(cannot.sentence())) }
            }
        }
        details {
            summary { "The same in numbers" }
            (numbers(judged.verdicts()))
        }
    }
}

fn numbers(verdicts: &[Verdict]) -> Markup {
    let columns = [
        TableColumn::new("held out", Alignment::Left),
        TableColumn::new("points", Alignment::Right),
        TableColumn::new("error of the law, nats", Alignment::Right),
        TableColumn::new("best without a law", Alignment::Left),
        TableColumn::new("its error, nats", Alignment::Right),
        TableColumn::new("skill", Alignment::Right),
        TableColumn::new("intervals hold", Alignment::Right),
        TableColumn::new("interval score, nats", Alignment::Right),
        TableColumn::new("no number", Alignment::Right),
    ];
    let mut table = HtmlTable::new("The law on what it has not seen", columns);
    let unknown = || html! { span.note { "–" } };
    let number = |x: Option<f64>| x.map_or_else(unknown, nats);
    for verdict in verdicts {
        table.push(vec![
            html! { (verdict.question().held_out()) },
            whole(verdict.points() as u64),
            number(verdict.error()),
            verdict.rival().map_or_else(unknown, |rival| html! { code { (shown(rival)) } }),
            number(verdict.rival_error()),
            verdict.skill().map_or_else(unknown, plain),
            verdict.held().map_or_else(unknown, |held| html! { (percent(held)) }),
            number(verdict.interval_score()),
            whole(verdict.withheld() as u64),
        ]);
    }
    html! {
        (table.markup())
        p.note {
            "Skill is the share of the other's error that the law saves; below zero the law errs more. The interval score is the "
            "width of the interval, and a penalty for each point outside: smaller is better."
        }
    }
}
