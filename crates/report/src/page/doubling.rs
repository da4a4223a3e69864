//! The gain of one more doubling of the tokens.

use law::{GroupLaw, Plan};
use maud::{Markup, html};

use super::decisions::{answers, by_rate, by_size, doublings};
use crate::number::{count, plain, rate, short_count, short_rate, significant};
use crate::plot::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};
use crate::table::{Alignment, HtmlTable, TableColumn};

/// A plot for the largest size with an answer, and a table for all sizes.
pub(super) fn section(group: &GroupLaw, number: usize) -> Markup {
    let sizes = by_size(group);
    let known =
        sizes.iter().rev().find(|size| size.iter().any(|plan| !plan.doublings().is_empty()));
    let Some(size) = known else {
        return html! { p { "The data cannot tell what more tokens buy." } };
    };
    let plot = plot(size);
    html! {
        p {
            "Each doubling costs as much as all tokens before it, and buys less than the doubling before. "
            @if let Some(plan) = size.first() {
                "Where a line crosses " (plain(plan.doubling_gain())) " nats, its tokens are enough."
            }
        }
        @if let Some(plot) = plot {
            figure.wide {
                h3 { (count(size[0].place().n0)) " parameters" }
                (plot.inline(&format!("doubling-{number}")))
            }
        }
        details { summary { "The numbers, for every size" } (table(&sizes)) }
    }
}

fn plot(size: &[&Plan]) -> Option<Plot> {
    let all: Vec<[f64; 2]> = size.iter().flat_map(|plan| doublings(plan)).collect();
    let gain = size.first()?.doubling_gain();
    // The ends of intervals widen the axis, but only if they are near.
    let ends = size.iter().filter_map(|plan| plan.enough().interval()).flatten();
    let [left, right] = ends_of(all.iter().map(|point| point[0]))?;
    let tokens = all
        .iter()
        .map(|point| point[0])
        .chain(ends.filter(|x| (left / 4.0..right * 4.0).contains(x)));
    let x = PlotAxis::around("post-training tokens so far", AxisScale::Log, Unit::Count, tokens)?;
    let gains = all.iter().map(|point| point[1]).chain([gain]);
    let y = PlotAxis::around("nats that doubling them buys", AxisScale::Log, Unit::Plain, gains)?;
    let mut layers =
        vec![Layer::Level { y: gain, label: format!("{} nats", significant(gain, 3)) }];
    let mut places = Vec::new();
    let by_rate = by_rate(size);
    let lines = by_rate.iter().enumerate().flat_map(|(tone, alike)| {
        answers(alike).into_iter().enumerate().map(move |(j, plan)| (tone, j, plan))
    });
    for (i, j, plan) in lines {
        let (tone, label) = (Tone::Series(i), format!("rate {}", short_rate(plan.place().rate)));
        let points = doublings(plan);
        let said = |&[from, gain]: &[f64; 2]| {
            (
                [from, gain],
                format!(
                    "{label}: from {} tokens on, doubling buys {}",
                    short_count(from),
                    significant(gain, 3)
                ),
            )
        };
        let marks = points.iter().map(said).collect();
        // Lines of one rate share a colour and a label.
        layers.push(Layer::Line { tone, points, label: (j == 0).then(|| label.clone()) });
        layers.push(Layer::Points { tone, points: marks, aside: false });
        if let Some(tokens) = plan.enough().value() {
            let hint = format!("{label}: {} tokens are enough", short_count(tokens));
            places.push(Layer::Place { tone, at: [tokens, gain], interval: None, hint });
        }
    }
    // Diamonds lie on top of all lines.
    layers.extend(places);
    let title = format!("What doubling buys, {} parameters", short_count(size[0].place().n0));
    let description =
        format!("{title}: nats gained against tokens, falling straight on logarithmic axes.");
    Some(Plot::new(title, description, [x, y], layers))
}

fn ends_of(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    values.fold(None, |ends, x| {
        Some(ends.map_or([x, x], |[low, high]: [f64; 2]| [low.min(x), high.max(x)]))
    })
}

fn table(sizes: &[Vec<&Plan>]) -> Markup {
    let columns = [
        TableColumn::new("size", Alignment::Right).unit("parameters before pruning"),
        TableColumn::new("rate", Alignment::Right).unit("fraction removed"),
        TableColumn::new("from", Alignment::Right).unit("tokens"),
        TableColumn::new("doubling buys", Alignment::Right).unit("nats per token"),
    ];
    let mut table = HtmlTable::new("What doubling the tokens buys", columns);
    let every = sizes.iter().flat_map(|size| by_rate(size));
    for plan in every.flat_map(|alike| answers(&alike)) {
        for [from, gain] in doublings(plan) {
            table.push(vec![
                count(plan.place().n0),
                rate(plan.place().rate),
                count(from),
                plain(gain),
            ]);
        }
    }
    table.markup()
}
