//! Numbers with their intervals on one axis, one in each row.

use maud::{Markup, html};

use super::axis::PlotAxis;
use super::draw::axis_below;
use super::layer::Tone;
use super::marks::{marker, px};
use crate::text::{sentence, shown};

/// Rows of numbers with intervals.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Whiskers {
    /// What it shows, in a few words.
    pub(crate) title: String,
    /// What can be seen, for readers who cannot see it.
    pub(crate) description: String,
    /// The axis that all rows share.
    pub(crate) x: PlotAxis,
    /// A shaded part of the axis, and its label.
    pub(crate) shaded: Option<([f64; 2], String)>,
    /// From top to bottom.
    pub(crate) rows: Vec<WhiskerRow>,
}

/// One number with its interval.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WhiskerRow {
    /// The heading above this row, if it has one.
    pub(crate) heading: Option<String>,
    /// The row's own name.
    pub(crate) name: String,
    /// Its colour and marker.
    pub(crate) tone: Tone,
    /// The number, if there is one.
    pub(crate) value: Option<f64>,
    /// The interval, if it is known.
    pub(crate) interval: Option<[f64; 2]>,
    /// The text at the end of the row.
    pub(crate) said: String,
    /// Text behind that, if there is room.
    pub(crate) more: String,
}

const WIDTH: f64 = 500.0;
const LEFT: f64 = 142.0;
const RIGHT: f64 = 326.0;
const TOP: f64 = 22.0;
const ROW: f64 = 21.0;
const GAP: f64 = 9.0;

impl Whiskers {
    /// The picture as part of a page. The `id` must be unique on the page.
    pub(crate) fn inline(&self, id: &str) -> Markup {
        let mut y = TOP;
        let mut places = Vec::new();
        for row in &self.rows {
            y += if row.heading.is_some() { GAP } else { 0.0 };
            places.push(y + ROW / 2.0);
            y += ROW;
        }
        let bottom = y + 4.0;
        html! {
            svg.plot viewBox=(format!("0 0 {WIDTH} {}", px(bottom + 42.0))) role="img"
                aria-labelledby=(format!("{id}-title {id}-description")) {
                title id=(format!("{id}-title")) { (shown(&self.title)) }
                desc id=(format!("{id}-description")) { (sentence(&self.description)) }
                (self.shade(bottom))
                (axis_below(&self.x, [LEFT, RIGHT], [TOP, bottom]))
                @for (row, y) in self.rows.iter().zip(&places) { (self.texts(row, *y)) }
                svg x=(px(LEFT)) y="0" width=(px(RIGHT - LEFT)) height=(px(bottom))
                    viewBox=(format!("{} 0 {} {}", px(LEFT), px(RIGHT - LEFT), px(bottom))) {
                    @for (row, y) in self.rows.iter().zip(&places) { (self.whisker(row, *y)) }
                }
            }
        }
    }

    fn at(&self, x: f64) -> Option<f64> {
        self.x.place(x).map(|share| LEFT + share * (RIGHT - LEFT))
    }

    fn shade(&self, bottom: f64) -> Markup {
        let Some(([low, high], label)) = &self.shaded else { return html! {} };
        let (Some(low), Some(high)) = (self.at(*low), self.at(*high)) else { return html! {} };
        let (low, high) = (low.clamp(LEFT, RIGHT), high.clamp(LEFT, RIGHT));
        html! {
            rect.shade x=(px(low)) y=(px(TOP)) width=(px(high - low)) height=(px(bottom - TOP)) {}
            text.soft x=(px(low + 3.0)) y=(px(TOP - 6.0)) { (shown(label)) }
        }
    }

    fn texts(&self, row: &WhiskerRow, y: f64) -> Markup {
        html! {
            @if let Some(heading) = &row.heading {
                text.name x="2" y=(px(y + 4.0)) { (shown(heading)) }
                line.grid x1="2" y1=(px(y - ROW / 2.0 - GAP / 2.0)) x2=(px(WIDTH - 2.0)) y2=(px(y - ROW / 2.0 - GAP / 2.0)) {}
            }
            text.soft x=(px(LEFT - 8.0)) y=(px(y + 4.0)) text-anchor="end" { (shown(&row.name)) }
            text x=(px(RIGHT + 8.0)) y=(px(y + 4.0)) class=[row.value.is_none().then_some("soft")] {
                (shown(&row.said))
                @if !row.more.is_empty() { tspan.more { " " (shown(&row.more)) } }
            }
        }
    }

    fn whisker(&self, row: &WhiskerRow, y: f64) -> Markup {
        let colour = row.tone.colour();
        let ends = row.interval.and_then(|[low, high]| Some([self.at(low)?, self.at(high)?]));
        html! {
            @if let Some([low, high]) = ends {
                @let cap = |x: f64| format!("M{} {}V{}", px(x), px(y - 5.0), px(y + 5.0));
                path class=(format!("line stroke-{colour}"))
                    d=(format!("M{} {}H{}{}{}", px(low), px(y), px(high), cap(low), cap(high))) {}
            }
            @if let Some(x) = row.value.and_then(|x| self.at(x)) {
                (marker(row.tone, [x, y], false, ""))
            }
        }
    }
}
