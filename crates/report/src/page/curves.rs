//! Measured held-out curves with the law through them, in one panel for each size.

use std::collections::BTreeMap;

use law::{GroupLaw, Place, Plan, TableRow};
use ledger::Phase;
use maud::{Markup, html};

use super::decisions::{self, answers, by_rate, by_size, is_at, is_size};
use super::input::PageInput;
use crate::number::{count, nats, percent, rate, short_count, short_rate};
use crate::plot::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};
use crate::table::{Alignment, HtmlTable, TableColumn};
use crate::text::shown;

/// A curve ends at this factor beyond the data.
const FARTHEST: f64 = 4.0;

/// One size: its plot and its numbers.
pub(super) struct Panel<'a> {
    pub(super) plot: Plot,
    heading: Markup,
    /// Rows without a rate are controls.
    rows: Vec<(Option<f64>, &'a TableRow)>,
}

/// The figures of all sizes, with their data tables.
pub(super) fn figures(input: &PageInput<'_>, group: &GroupLaw, number: usize) -> Markup {
    let panels = panels(input, group);
    html! {
        @if number == 0 { p {
            "Markers are measured, lines are the law, and shades around them its " (percent(group.level())) " interval of "
            (if group.levels().is_some() { "a new run from the same base" } else { "the mean curve" })
            ". A hollow diamond marks the tokens that are enough, with whiskers for their interval. Hollow circles are the "
            "unpruned model trained on the same text: what the tokens do without any pruning. All panels share the tokens' axis; each has "
            "its own losses."
            @if input.entropy.is_some() { " The entropy of the text is known; no model gets below it." }
        } }
        div.panels {
            @for (i, panel) in panels.iter().enumerate() {
                figure {
                    h3 { (panel.heading) }
                    (panel.plot.inline(&format!("curve-{number}-{i}")))
                    figcaption {
                        (control(panel))
                        details { summary { "The measured numbers" } (numbers(panel)) }
                    }
                }
            }
        }
    }
}

/// The plots of all sizes of a law, on one axis of tokens.
pub(super) fn panels<'a>(input: &PageInput<'a>, group: &GroupLaw) -> Vec<Panel<'a>> {
    let sizes = by_size(group);
    let Some(x) = token_axis(group) else { return Vec::new() };
    sizes.iter().filter_map(|size| panel(input, group, size, &x)).collect()
}

/// An axis from the first measured point to the last. It includes enough tokens if they are near.
fn token_axis(group: &GroupLaw) -> Option<PlotAxis> {
    let [low, high] = group.ranges().get("tokens").copied()?;
    let enough = group.decisions().iter().filter_map(|plan| plan.enough().value());
    let near = enough.filter(|tokens| *tokens < FARTHEST * high).map(|tokens| tokens * 1.15);
    PlotAxis::around(
        "post-training tokens",
        AxisScale::Log,
        Unit::Count,
        near.filter(|x| *x > low).chain([low, high]),
    )
}

fn panel<'a>(
    input: &PageInput<'a>,
    group: &GroupLaw,
    size: &[&Plan],
    x: &PlotAxis,
) -> Option<Panel<'a>> {
    let n0 = size.first()?.place().n0;
    let mut layers =
        vec![Layer::Beyond { from: group.ranges()["tokens"][1], label: "beyond the data".into() }];
    let (mut rows, mut heights, mut bases) = (Vec::new(), Vec::new(), Vec::new());

    let mut loss0s: Vec<f64> = size.iter().map(|plan| plan.place().loss0).collect();
    // Bases of one size may differ in their loss before pruning.
    loss0s.sort_by(f64::total_cmp);
    loss0s.dedup();
    for (i, &loss0) in loss0s.iter().enumerate() {
        // Several levels share one label, at the highest one.
        let label = if i + 1 == loss0s.len() { "unpruned" } else { "" };
        layers.push(Layer::Level { y: loss0, label: label.into() });
    }
    heights.extend(loss0s);
    let mut marks = Vec::new();
    for (i, alike) in by_rate(size).iter().enumerate() {
        let tone = Tone::Series(i);
        let label = format!("rate {}", short_rate(alike[0].place().rate));
        for (j, plan) in alike.iter().enumerate() {
            let curve = decisions::curve(group, plan, x.range());
            let measured: Vec<&TableRow> =
                input.rows.iter().filter(|row| is_at(row, group, &plan.place())).collect();
            heights.extend(measured.iter().filter(|row| !is_aside(row)).map(|row| row.loss));
            heights.extend(curve.line.last().map(|point| point[1]));
            // Bands lie under all lines, but above the shade that marks what is beyond the data.
            layers.insert(1, Layer::Band { tone, ends: curve.band });
            layers.push(Layer::Line {
                tone,
                points: curve.line,
                label: (j == 0).then(|| label.clone()),
            });
            marks.extend(points(tone, &label, &measured));
            bases.extend(measured.iter().filter_map(|row| row.base.as_deref()));
            rows.extend(measured.iter().map(|row| (Some(row.rate), *row)));
        }
        marks.extend(answers(alike).into_iter().filter_map(|plan| enough(tone, &label, plan)));
    }
    let controls: Vec<&TableRow> =
        input.rows.iter().filter(|row| is_control(row, group.series(), n0)).collect();
    if !controls.is_empty() {
        heights.extend(controls.iter().filter(|row| !is_aside(row)).map(|row| row.loss));
        layers.extend(control_lines(&controls));
        layers.extend(points(Tone::Control, "control", &controls));
        rows.extend(controls.iter().map(|row| (None, *row)));
    }
    layers.extend(marks);
    let span = heights.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        - heights.iter().copied().fold(f64::INFINITY, f64::min);
    if let Some(entropy) = input.entropy {
        layers.push(Layer::Level { y: entropy.nats, label: "entropy".into() });
        // An entropy far below all losses would flatten the curves, so only a near one sets the
        // axis.
        let near = heights.iter().any(|height| height - entropy.nats < 0.5 * span);
        heights.extend(near.then_some(entropy.nats));
    }
    bases.sort_unstable();
    bases.dedup();
    let title = format!("{} parameters", short_count(n0));
    let description = description(&title, size);
    let y =
        PlotAxis::around("held-out loss, nats per token", AxisScale::Linear, Unit::Plain, heights)?;
    Some(Panel {
        plot: Plot::new(title, description, [x.clone(), y], layers),
        heading: html! {
            (count(n0)) " parameters"
            @if !bases.is_empty() { small { " · " bdi { (shown(&bases.join(", "))) } } }
        },
        rows,
    })
}

fn points(tone: Tone, label: &str, rows: &[&TableRow]) -> Vec<Layer> {
    let said = |row: &&TableRow| {
        (
            [row.tokens, row.loss],
            format!("{label}: {:.4} nats after {} tokens", row.loss, short_count(row.tokens)),
        )
    };
    let layer = |aside: bool| Layer::Points {
        tone,
        points: rows.iter().filter(|row| is_aside(row) == aside).map(said).collect(),
        aside,
    };
    // Pale points come first, so that they lie below the others.
    [true, false]
        .map(layer)
        .into_iter()
        .filter(|layer| !matches!(layer, Layer::Points { points, .. } if points.is_empty()))
        .collect()
}

fn enough(tone: Tone, label: &str, plan: &Plan) -> Option<Layer> {
    let (tokens, loss) = (plan.enough().value()?, plan.loss_then()?);
    let between = plan.enough().interval().map_or_else(String::new, |[low, high]| {
        format!(", between {} and {}", short_count(low), short_count(high))
    });
    let hint = format!("{label}: {} tokens are enough{between}", short_count(tokens));
    Some(Layer::Place { tone, at: [tokens, loss], interval: plan.enough().interval(), hint })
}

fn control_lines(controls: &[&TableRow]) -> Vec<Layer> {
    let mut runs: BTreeMap<&str, Vec<[f64; 2]>> = BTreeMap::new();
    for row in controls {
        runs.entry(&row.run).or_default().push([row.tokens, row.loss]);
    }
    // Only the first control line has the label.
    let mut label = Some("control".to_owned());
    let mut line = |mut points: Vec<[f64; 2]>| {
        points.sort_by(|a, b| a[0].total_cmp(&b[0]));
        Layer::Line { tone: Tone::Control, points, label: label.take() }
    };
    runs.into_values().map(&mut line).collect()
}

/// Whether a row is from an unpruned model of this size.
fn is_control(row: &TableRow, series: &str, n0: f64) -> bool {
    row.rate == 0.0 && row.series == series && is_size(row.n0, n0)
}

/// Whether a point is not fitted, because a law describes a constant learning rate.
fn is_aside(row: &TableRow) -> bool {
    matches!(row.phase, Some(Phase::Warmup | Phase::Decay))
}

fn description(title: &str, size: &[&Plan]) -> String {
    let one = |plan: &&Plan| {
        let Place { rate, .. } = plan.place();
        let then = plan.loss_then().map_or_else(String::new, |loss| format!(", loss {loss:.4}"));
        match plan.enough().value() {
            Some(tokens) => {
                format!(
                    "rate {}: {} tokens are enough{then}",
                    short_rate(rate),
                    short_count(tokens)
                )
            }
            None => format!("rate {}: no single number", short_rate(rate)),
        }
    };
    let all: Vec<String> =
        by_rate(size).iter().flat_map(|alike| answers(alike)).map(|plan| one(&plan)).collect();
    format!(
        "Held-out loss against post-training tokens for {title} before pruning. {}.",
        all.join("; ")
    )
}

/// What the tokens did to the unpruned model. That part of a fall is not healing.
fn control(panel: &Panel<'_>) -> Markup {
    let controls = panel
        .rows
        .iter()
        .filter(|(rate, row)| rate.is_none() && !is_aside(row))
        .map(|(_, row)| *row);
    let Some(last) = controls.max_by(|a, b| a.tokens.total_cmp(&b.tokens)) else { return html! {} };
    html! {
        "Unpruned, the model itself went from " (nats(last.loss0)) " to " (nats(last.loss)) " in " (count(last.tokens)) " tokens."
    }
}

/// The losses by tokens and rate.
fn numbers(panel: &Panel<'_>) -> Markup {
    // A map needs keys that sort, and the bits of positive numbers sort like the numbers.
    let key = |rate: Option<f64>| rate.map(f64::to_bits);
    let mut rates: Vec<Option<f64>> = Vec::new();
    let mut by_tokens: BTreeMap<u64, Vec<(Option<u64>, &TableRow)>> = BTreeMap::new();
    for (rate, row) in &panel.rows {
        if !rates.iter().any(|known| key(*known) == key(*rate)) {
            rates.push(*rate);
        }
        by_tokens.entry(row.tokens.to_bits()).or_default().push((key(*rate), *row));
    }
    let column = |of: &Option<f64>| {
        let heading = match of {
            Some(of) => html! { "rate " (rate(*of)) },
            None => html! { "control" },
        };
        TableColumn::headed(heading, Alignment::Right).unit("nats per token")
    };
    let columns =
        [TableColumn::new("tokens", Alignment::Right)].into_iter().chain(rates.iter().map(column));
    let mut table = HtmlTable::new("Held-out loss by tokens and rate", columns);
    for (tokens, losses) in &by_tokens {
        let cell = |of: &Option<f64>| {
            let rows = losses.iter().filter(|(rate, _)| *rate == key(*of));
            html! {
                @for (i, (_, row)) in rows.enumerate() { @if i > 0 { ", " } (nats(row.loss)) @if is_aside(row) { "*" } }
            }
        };
        table.push(
            [count(f64::from_bits(*tokens))].into_iter().chain(rates.iter().map(cell)).collect(),
        );
    }
    let aside = panel.rows.iter().any(|(_, row)| is_aside(row));
    html! {
        (table.markup())
        @if aside { p.note { "* measured while the learning rate rose or fell: shown, not fitted where others are." } }
    }
}
