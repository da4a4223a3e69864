//! The answer, in a sentence and in a table.

use law::{GroupLaw, Plan};
use maud::{Markup, html};

use super::place::{by_size, first_asked};
use crate::number::{count, interval, nats, percent, plain, rate, short_count, short_rate, significant};
use crate::table::{Align, Column, Table};
use crate::text::{full, sentence, shown};

/// An interval whose ends differ by more than this factor is called wide.
const WIDE: f64 = 4.0;

/// The sentence at the top, and what must be read with it.
pub(super) fn header(group: &GroupLaw) -> Markup {
    let Some(plan) = first_asked(group) else {
        return html! {
            h1 { "The data cannot tell how many tokens are enough." }
            p.lead { (full(&group.identifiability.sentence)) }
        };
    };
    html! {
        (headline(group, plan))
        (lead(group, plan))
        (why_not(group, plan))
    }
}

/// The answer in a few words, for a picture.
pub(super) fn short(group: &GroupLaw) -> String {
    let Some(plan) = first_asked(group) else { return "The data cannot tell how many tokens are enough".to_owned() };
    let place = format!("{} at rate {}", short_count(plan.place.n0), short_rate(plan.place.rate));
    let level = significant(100.0 * group.level, 3);
    match (plan.enough.value, plan.enough.interval) {
        (Some(tokens), Some([low, high])) => format!(
            "{} tokens are enough for {place} ({level} % interval {} to {})",
            short_count(tokens),
            short_count(low),
            short_count(high)
        ),
        (Some(tokens), None) => format!("{} tokens are enough for {place}, without an interval", short_count(tokens)),
        (None, Some([low, high])) => {
            format!("Between {} and {} tokens are enough for {place}", short_count(low), short_count(high))
        }
        (None, None) => format!("The data cannot tell how many tokens are enough for {place}"),
    }
}

fn headline(group: &GroupLaw, plan: &Plan) -> Markup {
    let subject = html! {
        (count(plan.place.n0)) " parameters pruned at rate " (rate(plan.place.rate))
    };
    let rule = html! { "the next doubling buys less than " (plain(plan.doubling_gain)) " nats" };
    let level = percent(group.level);
    match (plan.enough.value, plan.enough.interval, plan.enough.hull) {
        (Some(tokens), Some(ends), _) => html! {
            h1 {
                strong { (count(tokens)) " tokens" } " are enough for " (subject) ": " (rule)
                " (" (level) " interval " (interval(ends, count)) ")."
            }
        },
        (Some(tokens), None, _) => html! {
            h1 {
                strong { (count(tokens)) " tokens" } " look enough for " (subject) ": " (rule)
                ". The data cannot tell how sure that is."
            }
        },
        (None, Some(ends), _) => html! {
            h1 {
                "Somewhere from " strong { (interval(ends, count)) " tokens" } " are enough for " (subject)
                ": the data give a range (" (level) "), no single number."
            }
        },
        (None, None, Some(ends)) => html! {
            h1 {
                "Anything from " strong { (interval(ends, count)) " tokens" } " could be enough for " (subject)
                ": the data leave several laws open."
            }
        },
        (None, None, None) => html! { h1 { "The data cannot tell how many tokens are enough for " (subject) "." } },
    }
}

/// What the numbers mean in losses.
fn lead(group: &GroupLaw, plan: &Plan) -> Markup {
    html! {
        p.lead {
            @if let (Some(_), Some(loss)) = (plan.enough.value, plan.loss_then) {
                "After them the law expects a loss of " (nats(loss)) " nats per token. "
            }
            "Before pruning the loss was " (nats(plan.place.loss0)) "."
            @if let Some(floor) = plan.floor.value {
                " With this text and recipe, no number of tokens gets below " (nats(floor))
                @if let Some(ends) = plan.floor.interval { " (" (interval(ends, nats)) ")" } "."
            }
            " More tokens still help, each less than the one before."
        }
        p.note {
            "From " (plain(group.runs as f64)) " runs and " (plain(group.points as f64)) " held-out points of "
            bdi { (shown(&group.series)) } ", pruned by " code { (shown(&group.method)) } "."
        }
    }
}

/// Why there is no number, or no narrow interval, or one outside the data.
fn why_not(group: &GroupLaw, plan: &Plan) -> Markup {
    let enough = &plan.enough;
    let wide = enough.interval.is_some_and(|[low, high]| high > WIDE * low);
    let opening = match (enough.value, wide) {
        (None, _) => "Why there is no single number",
        (Some(_), true) => "Why the interval is wide",
        (Some(_), false) if !enough.code.is_empty() => "Before you rely on it",
        (Some(_), false) => return html! {},
    };
    let [least, most] = group.ranges.get("tokens").copied().unwrap_or_default();
    let about_data = enough.value.is_none() || wide;
    html! {
        div.doubt {
            p { strong { (opening) } }
            ul {
                @if enough.code.iter().any(|code| code == "extrapolation") {
                    li { "It lies outside what was measured: the points reach from " (interval([least, most], count)) " tokens." }
                }
                @if enough.code.iter().any(|code| code == "tokens-untold") {
                    li { "The points do not show how the loss falls with tokens." }
                }
                @if enough.code.iter().any(|code| code == "no-interval") {
                    li { "Some refits with a run left out have no such number at all, so no interval can be given." }
                }
                @if about_data && !group.identifiability.code.is_empty() {
                    li { (full(&group.identifiability.sentence)) }
                }
                @if about_data {
                    @for warning in &group.warnings { li { (full(&warning.sentence)) } }
                }
                @if about_data && group.identifiability.code.is_empty() && group.warnings.is_empty() {
                    li { "The law is steep in few places and noisy in many: runs that differ more in tokens, or more runs, narrow it." }
                }
            }
        }
    }
}

/// All pruned models of the data.
pub(super) fn table(group: &GroupLaw, number: usize, with_sentence: bool) -> Markup {
    let columns = [
        Column::new("size", Align::Right).unit("parameters before pruning"),
        Column::new("rate", Align::Right).unit("fraction removed"),
        Column::new("enough", Align::Right).unit("tokens"),
        Column::new("interval", Align::Right).unit("tokens"),
        Column::new("loss then", Align::Right).unit("nats per token"),
        Column::new("before pruning", Align::Right).unit("nats per token"),
        Column::new("floor", Align::Right).unit("nats per token"),
        Column::new("floor's interval", Align::Right).unit("nats per token"),
        Column::new("what to mind", Align::Left),
    ];
    let mut table = Table::new("Enough tokens for every pruned model that was measured", columns);
    let unknown = || html! { span.note { "cannot tell" } };
    for plan in by_size(group).concat() {
        let (enough, floor) = (&plan.enough, &plan.floor);
        let mut codes: Vec<&str> = enough.code.iter().chain(&floor.code).map(String::as_str).collect();
        codes.sort_unstable();
        codes.dedup();
        table.push(vec![
            count(plan.place.n0),
            rate(plan.place.rate),
            enough.value.map_or_else(unknown, count),
            enough.interval.or(enough.hull).map_or_else(unknown, |ends| interval(ends, count)),
            plan.loss_then.map_or_else(unknown, nats),
            nats(plan.place.loss0),
            floor.value.map_or_else(unknown, nats),
            floor.interval.or(floor.hull).map_or_else(unknown, |ends| interval(ends, nats)),
            html! { @for (i, code) in codes.iter().enumerate() { @if i > 0 { ", " } code { (shown(code)) } } },
        ]);
    }
    let gain = group.decisions.first().map(|plan| plan.doubling_gain);
    html! {
        @if with_sentence { p.lead { (full(&short(group))) } }
        @if let Some(gain) = gain {
            p {
                "Enough is where doubling the tokens buys less than " (plain(gain)) " nats. Intervals hold the law's own value with "
                "a probability of " (percent(group.level)) "; they are made by fitting again without each run"
                @if group.warnings.iter().any(|warning| warning.code == "simulated-intervals") { ", or on simulated data where runs are too few" }
                ". The floor is the loss that no number of tokens gets below."
            }
        }
        @if table.is_empty() { p { (sentence("The data cannot tell.")) } }
        @else { div id=(format!("enough-{number}")) { (table.markup()) } }
    }
}
