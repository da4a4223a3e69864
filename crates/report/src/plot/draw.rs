//! Draws a plot as SVG elements.

use maud::{Markup, html};

use super::axis::{AxisScale, PlotAxis};
use super::layer::{Layer, Plot, Tone};
use super::marks::{Label, marker, px, spread};
use super::style::{PLOT_STYLE, palette};
use crate::text::{sentence, shown, wrapped};

/// Width and height of one plot in CSS pixels: readable on a phone.
pub(super) const SIZE: [f64; 2] = [460.0, 320.0];
const LEFT: f64 = 46.0;
const RIGHT: f64 = 92.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 42.0;
/// The height of a line of text in the column of labels.
const LINE: f64 = 15.0;

impl Plot {
    /// The picture as a file.
    pub fn svg(&self) -> String {
        standing([self].as_slice(), 1, &self.title).into_string()
    }

    /// Several pictures in columns under one heading, as a file.
    pub fn grid(plots: &[&Self], columns: usize, title: &str) -> String {
        standing(plots, columns.max(1), title).into_string()
    }

    /// The picture as part of a page that contains [`PLOT_STYLE`]. The `id` must be unique on the
    /// page.
    pub(crate) fn inline(&self, id: &str) -> Markup {
        inline(self, id)
    }
}

/// A plot as part of a page.
fn inline(plot: &Plot, id: &str) -> Markup {
    let [width, height] = SIZE;
    html! {
        svg.plot viewBox=(format!("0 0 {width} {height}")) role="img"
            aria-labelledby=(format!("{id}-title {id}-description")) {
            title id=(format!("{id}-title")) { (shown(&plot.title)) }
            desc id=(format!("{id}-description")) { (sentence(&plot.description)) }
            (body(plot))
        }
    }
}

/// Plots in columns, as a document.
fn standing(plots: &[&Plot], columns: usize, title: &str) -> Markup {
    let columns = columns.min(plots.len()).max(1);
    let [cell_width, cell_height] = [SIZE[0], SIZE[1] + if plots.len() > 1 { 24.0 } else { 0.0 }];
    let width = columns as f64 * cell_width;
    // Letters of the heading are at most 9.2 pixels wide in the widest usual font.
    let lines = wrapped(&shown(title), ((width - 24.0) / 9.2) as usize);
    // The heading takes 20 pixels per line.
    let head = 14.0 + 20.0 * lines.len() as f64;
    let height = head + plots.len().div_ceil(columns) as f64 * cell_height;
    let description: Vec<String> = plots.iter().map(|plot| sentence(&plot.description)).collect();
    html! {
        svg.plot xmlns="http://www.w3.org/2000/svg" width=(px(width)) height=(px(height))
            viewBox=(format!("0 0 {} {}", px(width), px(height))) role="img" aria-labelledby="title description" {
            title id="title" { (shown(title)) }
            desc id="description" { (description.join(" ")) }
            style { (maud::PreEscaped(palette())) (maud::PreEscaped(PLOT_STYLE)) }
            rect.paper width="100%" height="100%" {}
            @for (i, line) in lines.iter().enumerate() {
                text.head x="12" y=(px(23.0 + 20.0 * i as f64)) { (line) }
            }
            @for (i, plot) in plots.iter().enumerate() {
                @let (column, row) = ((i % columns) as f64, (i / columns) as f64);
                @let (x, y) = (column * cell_width, head + row * cell_height);
                @if plots.len() > 1 { text.name x=(px(x + 12.0)) y=(px(y + 16.0)) { (shown(&plot.title)) } }
                g transform=(format!("translate({} {})", px(x), px(y + cell_height - SIZE[1]))) { (body(plot)) }
            }
        }
    }
}

/// The area inside the axes.
struct Frame<'a> {
    x: &'a PlotAxis,
    y: &'a PlotAxis,
    right: f64,
    bottom: f64,
}

impl Frame<'_> {
    fn x(&self, x: f64) -> Option<f64> {
        self.x.place(x).map(|share| LEFT + share * (self.right - LEFT))
    }

    fn y(&self, y: f64) -> Option<f64> {
        self.y.place(y).map(|share| self.bottom - share * (self.bottom - TOP))
    }

    fn at(&self, [x, y]: [f64; 2]) -> Option<[f64; 2]> {
        Some([self.x(x)?, self.y(y)?])
    }

    fn path(&self, points: impl Iterator<Item = [f64; 2]>) -> String {
        let places = points.filter_map(|point| self.at(point));
        let steps: Vec<String> = places.map(|[x, y]| format!("{} {}", px(x), px(y))).collect();
        if steps.is_empty() { String::new() } else { format!("M{}", steps.join("L")) }
    }
}

fn body(plot: &Plot) -> Markup {
    let labels = labels(plot);
    // Labels at the ends of curves need a column of their own.
    let right = SIZE[0] - if labels.is_empty() { 14.0 } else { RIGHT };
    let frame = Frame { x: &plot.x, y: &plot.y, right, bottom: SIZE[1] - BOTTOM };
    let (width, height) = (frame.right - LEFT, frame.bottom - TOP);
    html! {
        @for layer in &plot.layers {
            @if let Layer::Beyond { from, label } = layer { (beyond(&frame, *from, label)) }
        }
        (axes(&frame))
        // A nested `svg` clips what leaves the frame. A clip path would need an id that another
        // plot might have.
        svg x=(px(LEFT)) y=(px(TOP)) width=(px(width)) height=(px(height))
            viewBox=(format!("{} {} {} {}", px(LEFT), px(TOP), px(width), px(height))) {
            @for layer in &plot.layers { (drawn(&frame, layer)) }
        }
        (ends(&frame, &labels))
    }
}

fn axes(frame: &Frame<'_>) -> Markup {
    html! {
        @for tick in frame.y.ticks(6) {
            @if let Some(y) = frame.y(tick.at) {
                line.grid x1=(px(LEFT)) y1=(px(y)) x2=(px(frame.right)) y2=(px(y)) {}
                text.soft x=(px(LEFT - 6.0)) y=(px(y + 4.0)) text-anchor="end" { (tick.label) }
            }
        }
        (axis_below(frame.x, [LEFT, frame.right], [frame.bottom, frame.bottom]))
        text.soft x="4" y=(px(TOP - 12.0)) { (shown(frame.y.label())) }
    }
}

/// The axis along the bottom, from left to right. Its marks reach up to `top`.
pub(super) fn axis_below(
    axis: &PlotAxis,
    [left, right]: [f64; 2],
    [top, bottom]: [f64; 2],
) -> Markup {
    let across = right - left;
    // Labels on a linear axis have more digits, so each gets more room, in pixels.
    let most = if axis.scale == AxisScale::Log { across / 36.0 } else { across / 52.0 };
    html! {
        @for tick in axis.ticks(most as usize) {
            @if let Some(x) = axis.place(tick.at).map(|share| left + share * across) {
                line.grid x1=(px(x)) y1=(px(top)) x2=(px(x)) y2=(px(bottom + 5.0)) {}
                text.soft x=(px(x)) y=(px(bottom + 18.0)) text-anchor="middle" { (tick.label) }
            }
        }
        line.grid x1=(px(left)) y1=(px(bottom)) x2=(px(right)) y2=(px(bottom)) {}
        text.soft x=(px(right)) y=(px(bottom + 35.0)) text-anchor="end" { (shown(axis.label())) }
    }
}

/// The outline of a diamond around a point.
fn diamond([x, y]: [f64; 2], size: f64) -> String {
    let [left, right, up, down] = [x - size, x + size, y - size, y + size].map(px);
    format!("M{} {up}L{right} {}L{} {down}L{left} {}Z", px(x), px(y), px(x), px(y))
}

fn beyond(frame: &Frame<'_>, from: f64, label: &str) -> Markup {
    let Some(x) = frame.x(from).filter(|x| *x < frame.right) else { return html! {} };
    let x = x.max(LEFT);
    html! {
        rect.shade x=(px(x)) y=(px(TOP)) width=(px(frame.right - x)) height=(px(frame.bottom - TOP)) {}
        // The label is left out if the shaded area is narrower than its text.
        @if frame.right - x > 6.5 * label.chars().count() as f64 {
            text.soft x=(px(frame.right - 4.0)) y=(px(TOP + 12.0)) text-anchor="end" { (shown(label)) }
        }
    }
}

fn drawn(frame: &Frame<'_>, layer: &Layer) -> Markup {
    match layer {
        Layer::Beyond { .. } => html! {},
        Layer::Band { tone, ends } => {
            // Along the upper edge and back along the lower one.
            let there = ends.iter().map(|[x, _, high]| [*x, *high]);
            let back = ends.iter().rev().map(|[x, low, _]| [*x, *low]);
            html! { path class=(format!("band fill-{}", tone.colour())) d=(frame.path(there.chain(back)) + "Z") {} }
        }
        Layer::Level { y, .. } => html! {
            @if let Some(y) = frame.y(*y) {
                line.level.stroke-control x1=(px(LEFT)) y1=(px(y)) x2=(px(frame.right)) y2=(px(y)) {}
            }
        },
        Layer::Line { tone, points, .. } => html! {
            path class=(format!("line stroke-{}", tone.colour())) stroke-dasharray=(tone.dash())
                d=(frame.path(points.iter().copied())) {}
        },
        Layer::Points { tone, points, aside } => html! {
            @for (point, hint) in points {
                @if let Some(at) = frame.at(*point) { (marker(*tone, at, *aside, &shown(hint))) }
            }
        },
        Layer::Place { tone, at, interval, hint } => place(frame, *tone, *at, *interval, hint),
    }
}

/// A hollow diamond with whiskers along x.
fn place(
    frame: &Frame<'_>,
    tone: Tone,
    at: [f64; 2],
    interval: Option<[f64; 2]>,
    hint: &str,
) -> Markup {
    let Some([x, y]) = frame.at(at) else { return html! {} };
    let colour = tone.colour();
    let ends = interval.and_then(|[low, high]| Some([frame.x(low)?, frame.x(high)?]));
    let whiskers = ends.map(|[low, high]| {
        let cap = |x: f64| format!("M{} {}V{}", px(x), px(y - 5.0), px(y + 5.0));
        format!("M{} {}H{}{}{}", px(low), px(y), px(high), cap(low), cap(high))
    });
    html! {
        g {
            title { (shown(hint)) }
            @if let Some(d) = &whiskers {
                path class="line halo" d=(d) stroke-width="4.5" {}
                path class=(format!("line stroke-{colour}")) d=(d) {}
            }
            path class=(format!("paper stroke-{colour}")) stroke-width="2" d=(diamond([x, y], 6.5)) {}
        }
    }
}

/// The labels at the right ends of curves and level lines, with the values that place them.
fn labels(plot: &Plot) -> Vec<(Tone, f64, &str)> {
    let range = plot.x.range();
    let end = |points: &[[f64; 2]]| {
        points
            .iter()
            .rev()
            .find(|[x, _]| (range[0]..=range[1] * (1.0 + 1e-9)).contains(x))
            .map(|[_, y]| *y)
    };
    plot.layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Line { tone, points, label: Some(label) } => {
                Some((*tone, end(points)?, label.as_str()))
            }
            // A level outside the plot has no label.
            Layer::Level { y, label } => {
                let inside = plot.y.place(*y).is_some_and(|share| (0.0..=1.0).contains(&share));
                (inside && !label.is_empty()).then_some((Tone::Guide, *y, label.as_str()))
            }
            _ => None,
        })
        .collect()
}

fn ends(frame: &Frame<'_>, labels: &[(Tone, f64, &str)]) -> Markup {
    let labels: Vec<Label<'_>> = labels
        .iter()
        .filter_map(|(tone, y, text)| Some(Label { tone: *tone, y: frame.y(*y)?, text }))
        .collect();
    // Curves that end together keep their order, because differences below a pixel are ignored.
    let wanted: Vec<f64> = labels.iter().map(|label| label.y.round()).collect();
    let heights = spread(&wanted, LINE, TOP + 4.0, frame.bottom - 2.0);
    let x = frame.right + 4.0;
    html! {
        @for (label, y) in labels.iter().zip(heights) {
            @let colour = label.tone.colour();
            @if label.tone == Tone::Guide {
                text.soft x=(px(x)) y=(px(y + 4.0)) { (shown(label.text)) }
            } @else {
                (marker(label.tone, [x + 4.0, y], false, ""))
                text class=(format!("fill-{colour}")) x=(px(x + 12.0)) y=(px(y + 4.0)) { (shown(label.text)) }
            }
        }
    }
}
