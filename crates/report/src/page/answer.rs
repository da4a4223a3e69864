//! The answer, in a sentence and in a table.

use law::uncertainty::LeftOut;
use law::{Code, GroupLaw, Plan};
use maud::{Markup, html};

use super::decisions::{answers, by_rate, by_size, first_asked};
use super::influence::most_influential;
use crate::number::{
    count, interval, nats, percent, plain, rate, short_count, short_rate, significant,
};
use crate::plot::{AxisScale, PlotAxis, Tone, Unit, WhiskerRow, Whiskers};
use crate::table::{Alignment, HtmlTable, TableColumn};
use crate::text::{said, shown};

/// An interval is called wide if its ends differ by more than this factor.
const WIDE: f64 = 4.0;
/// The picture of answers ends at this factor beyond the measured tokens.
const FARTHEST: f64 = 100.0;

/// The sentence at the top, with its caveats.
pub(super) fn header(group: &GroupLaw) -> Markup {
    let Some(plan) = first_asked(group) else {
        return html! {
            h1 { "The data cannot tell how many tokens are enough." }
            p.lead { (said(group.identifiability().sentence())) }
        };
    };
    html! {
        h1 { (headline(group, plan)) }
        (lead(plan))
        (source(group))
        (why_not(group, plan))
    }
}

/// The answer in a few words, for a picture.
pub(super) fn short(group: &GroupLaw) -> String {
    let Some(plan) = first_asked(group) else {
        return "The data cannot tell how many tokens are enough".to_owned();
    };
    let place = format!(
        "{} parameters pruned at rate {}",
        short_count(plan.place().n0),
        short_rate(plan.place().rate)
    );
    let level = significant(100.0 * group.level(), 3);
    match (plan.enough().value(), plan.enough().interval()) {
        (Some(tokens), Some([low, high])) => format!(
            "{} tokens are enough for {place} ({level} % interval {} to {})",
            short_count(tokens),
            short_count(low),
            short_count(high)
        ),
        (Some(tokens), None) => {
            format!("{} tokens are enough for {place}, without an interval", short_count(tokens))
        }
        (None, Some([low, high])) => {
            format!(
                "Between {} and {} tokens are enough for {place}",
                short_count(low),
                short_count(high)
            )
        }
        (None, None) => format!("The data cannot tell how many tokens are enough for {place}"),
    }
}

/// The answer as a sentence.
pub(crate) fn headline(group: &GroupLaw, plan: &Plan) -> Markup {
    let subject =
        html! { (count(plan.place().n0)) " parameters pruned at rate " (rate(plan.place().rate)) };
    let rule = html! { "the next doubling buys less than " (plain(plan.doubling_gain())) " nats" };
    let level = percent(group.level());
    match (plan.enough().value(), plan.enough().interval(), plan.enough().hull()) {
        (Some(tokens), Some(ends), _) => html! {
            strong { (count(tokens)) " tokens" } " are enough for " (subject) ": " (rule)
            " (" (level) " interval " (interval(ends, count)) ")."
        },
        (Some(tokens), None, _) => html! {
            strong { (count(tokens)) " tokens" } " look enough for " (subject) ": " (rule)
            ". The data cannot tell how sure that is."
        },
        (None, Some(ends), _) => html! {
            "Somewhere from " strong { (interval(ends, count)) " tokens" } " are enough for " (subject)
            ": the data give a range (" (level) "), no single number."
        },
        (None, None, Some(ends)) => html! {
            "Anything from " strong { (interval(ends, count)) " tokens" } " could be enough for " (subject)
            ": the data leave several laws open."
        },
        (None, None, None) => {
            html! { "The data cannot tell how many tokens are enough for " (subject) "." }
        }
    }
}

/// The numbers as losses.
pub(crate) fn lead(plan: &Plan) -> Markup {
    html! {
        p.lead {
            @if let (Some(_), Some(loss)) = (plan.enough().value(), plan.loss_then()) {
                "After them the law expects a loss of " (nats(loss)) " nats per token. "
            }
            "Before pruning the loss was " (nats(plan.place().loss0)) "."
            @if let Some(floor) = plan.floor().value() {
                " With ever more tokens the curve tends to " (nats(floor))
                @if let Some(ends) = plan.floor().interval() { " (" (interval(ends, nats)) ")" } ", an extrapolation."
            }
            " More tokens still help, each less than the one before."
        }
    }
}

/// The runs that the answer comes from.
fn source(group: &GroupLaw) -> Markup {
    html! {
        p.note {
            "From " (plain(group.runs() as f64)) " runs and " (plain(group.points() as f64)) " held-out points of "
            bdi { (shown(group.series())) } ", pruned by " code { (shown(&group.method_and_objective())) } "."
            @if by_size(group).concat().len() > 1 { " All their sizes and rates stand in the first picture; above is the one nearest the middle that has an answer." }
        }
    }
}

/// Why there is no number, no narrow interval, or none inside the data.
fn why_not(group: &GroupLaw, plan: &Plan) -> Markup {
    let enough = plan.enough();
    // Token counts are compared by their ratio, because their intervals are made in the logarithm.
    let wide = enough.interval().is_some_and(|[low, high]| high > WIDE * low);
    let sizes = by_size(group);
    let same = sizes.iter().find(|size| size.iter().any(|other| std::ptr::eq(*other, plan)));
    let rates = same.map(|size| by_rate(size)).unwrap_or_default();
    // Other rates of the same size that have no single number.
    let open: Vec<&Plan> = rates
        .iter()
        .map(|alike| alike[0])
        .filter(|other| other.enough().value().is_none())
        .collect();
    let opening = match (enough.value(), wide) {
        (None, _) => "Why there is no single number",
        (Some(_), true) => "Why the interval is wide",
        (Some(_), false) if !enough.code().is_empty() || !open.is_empty() => {
            "Before you rely on it"
        }
        (Some(_), false) => return html! {},
    };
    let [least, most] = group.ranges().get("tokens").copied().unwrap_or_default();
    let about_data = enough.value().is_none() || wide;
    // Refits take time, so they are only made if the page explains a wide interval.
    let influence = wide.then(|| most_influential(group, plan)).flatten();
    html! {
        div.doubt {
            p { strong { (opening) } }
            ul {
                @if enough.code().contains(&Code::Extrapolation) {
                    li { "It lies outside what was measured: the points reach from " (interval([least, most], count)) " tokens." }
                }
                @if enough.code().contains(&Code::TokensUntold) {
                    li { "The points do not show how the loss falls with tokens." }
                }
                @if enough.code().contains(&Code::NoInterval) {
                    li { "Some refits with a run left out have no such number at all, so no interval can be given." }
                }
                @if enough.value().is_some() && !open.is_empty() {
                    li {
                        "For the same size at rate "
                        @for (i, plan) in open.iter().enumerate() { @if i > 0 { ", " } (rate(plan.place().rate)) }
                        " the data give no single number: see the picture below."
                    }
                }
                @if about_data && !group.identifiability().code().is_empty() {
                    li { (said(group.identifiability().sentence())) }
                }
                @if about_data {
                    @for warning in group.warnings() { li { (said(warning.sentence())) } }
                }
                @match influence {
                    Some((LeftOut::Base(base), count)) => li {
                        "Each of the " (plain(count as f64)) " bases was left out in turn: the answer moves most without "
                        code { (shown(base)) } ". More bases narrow it."
                    },
                    Some((LeftOut::Run(run), _)) => li {
                        "The answer moves most without the run " code { (shown(run)) } ". More runs narrow it."
                    },
                    _ if about_data && group.identifiability().code().is_empty() && group.warnings().is_empty() => li {
                        "The runs scatter too much for a narrower one: more runs, or longer ones, narrow it."
                    },
                    _ => {},
                }
            }
        }
    }
}

/// Every pruned model of the data, as a picture with a table below it.
pub(super) fn section(group: &GroupLaw, number: usize, with_sentence: bool) -> Markup {
    let Some(first) = group.decisions().first() else {
        return html! { p { "The data cannot tell." } };
    };
    let simulated = group
        .warnings()
        .iter()
        .any(|warning| matches!(warning.code(), Code::SimulatedIntervals | Code::OneRun));
    html! {
        @if with_sentence && let Some(plan) = first_asked(group) {
            p.lead { (headline(group, plan)) }
            (why_not(group, plan))
        }
        p {
            "Enough is where doubling the tokens buys less than " (plain(first.doubling_gain())) " nats. Each row is one pruned model: its size "
            "before pruning and the rate at which it was pruned. "
            @if group.levels().is_some() {
                "Each base that was measured has a row, in the order of the table below. Whiskers hold what a new run from it "
                "needs with a probability of " (percent(group.level())) ", by the posterior of a law with levels."
            } @else {
                "Whiskers hold the law's own value with a probability of " (percent(group.level()))
                "; they are made by fitting again "
                @if simulated { "to simulated data, since runs are too few to leave one out." }
                @else { "without each run and, where there are four or more, without each base." }
            }
        }
        @if let Some(picture) = picture(group) {
            figure.wide { (picture.inline(&format!("enough-{number}"))) }
        }
        details { summary { "The numbers, with losses and floors" } (table(group)) }
    }
}

fn picture(group: &GroupLaw) -> Option<Whiskers> {
    let measured = group.ranges().get("tokens").copied()?;
    let mut rows = Vec::new();
    for size in by_size(group) {
        let by_rate = by_rate(&size);
        let rows_of = by_rate
            .iter()
            .enumerate()
            .flat_map(|(tone, alike)| answers(alike).into_iter().map(move |plan| (tone, plan)));
        for (i, (tone, plan)) in rows_of.enumerate() {
            let enough = plan.enough();
            let between =
                |[low, high]: [f64; 2]| format!("{} to {}", short_count(low), short_count(high));
            // Without an interval the range of possible laws is drawn.
            let ends = enough.interval().or(enough.hull());
            let (said, more) = match (enough.value(), ends) {
                (Some(tokens), Some(ends)) => (short_count(tokens), format!("({})", between(ends))),
                (Some(tokens), None) => (short_count(tokens), "(no interval)".to_owned()),
                (None, Some(ends)) => (between(ends), String::new()),
                (None, None) => ("cannot tell".to_owned(), String::new()),
            };
            rows.push(WhiskerRow {
                heading: (i == 0).then(|| short_count(plan.place().n0)),
                name: format!("rate {}", short_rate(plan.place().rate)),
                tone: Tone::Series(tone),
                value: enough.value(),
                interval: ends,
                said,
                more,
            });
        }
    }
    // An interval may reach far away, so the picture ends a little beyond the data.
    let near = |x: &f64| (measured[0] / FARTHEST..=measured[1] * FARTHEST).contains(x);
    let told = rows.iter().flat_map(|row| row.interval.into_iter().flatten().chain(row.value));
    let x = PlotAxis::around(
        "tokens that are enough",
        AxisScale::Log,
        Unit::Count,
        told.filter(near).chain(measured),
    )?;
    let said = |row: &WhiskerRow| {
        let size =
            row.heading.as_ref().map_or_else(String::new, |size| format!("{size} parameters, "));
        format!("{size}{}: {} {}", row.name, row.said, row.more)
    };
    let description: Vec<String> = rows.iter().map(said).collect();
    Some(Whiskers {
        title: "Tokens that are enough, with their intervals".to_owned(),
        description: format!(
            "Tokens by size before pruning and by rate. {}.",
            description.join("; ")
        ),
        x,
        shaded: Some((measured, "measured".to_owned())),
        rows,
    })
}

fn table(group: &GroupLaw) -> Markup {
    let of_bases = group.levels().is_some();
    let base = of_bases.then(|| TableColumn::new("base", Alignment::Left));
    let columns = [
        TableColumn::new("size", Alignment::Right).unit("parameters"),
        TableColumn::new("rate", Alignment::Right).unit("fraction removed"),
        TableColumn::new("enough", Alignment::Right).unit("tokens"),
        TableColumn::new("interval", Alignment::Right).unit("tokens"),
        TableColumn::new("loss then", Alignment::Right).unit("nats per token"),
        TableColumn::new("unpruned", Alignment::Right).unit("nats per token"),
        TableColumn::new("floor", Alignment::Right).unit("nats per token"),
        TableColumn::new("interval", Alignment::Right).unit("nats per token"),
        TableColumn::new("mind", Alignment::Left),
    ];
    let mut table = HtmlTable::new(
        "Enough tokens, the loss after them, the loss before pruning, and the floor that the curve tends to",
        base.into_iter().chain(columns),
    );
    let unknown = || html! { span.note { "cannot tell" } };
    for plan in by_size(group).concat() {
        let (enough, floor) = (plan.enough(), plan.floor());
        let mut codes: Vec<&str> = enough.code().iter().chain(floor.code()).map(Code::id).collect();
        // Both answers may carry the same code.
        codes.sort_unstable();
        codes.dedup();
        let base = of_bases.then(|| html! { bdi { (shown(plan.base().unwrap_or_default())) } });
        let cells = [
            count(plan.place().n0),
            rate(plan.place().rate),
            enough.value().map_or_else(unknown, count),
            enough.interval().or(enough.hull()).map_or_else(unknown, |ends| interval(ends, count)),
            plan.loss_then().map_or_else(unknown, nats),
            nats(plan.place().loss0),
            floor.value().map_or_else(unknown, nats),
            floor.interval().or(floor.hull()).map_or_else(unknown, |ends| interval(ends, nats)),
            html! { @for (i, code) in codes.iter().enumerate() { @if i > 0 { ", " } code { (shown(code)) } } },
        ];
        table.push(base.into_iter().chain(cells).collect());
    }
    table.markup()
}
