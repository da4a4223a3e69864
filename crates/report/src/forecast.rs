//! Forecasts of single runs: measured points, the expected curve with its interval, the stop line,
//! and what remains uncertain.

use law::forecast::{Advice, Forecast, ForecastPoint, Measured};
use maud::{Markup, html};

use crate::document::document;
use crate::number::{count, nats, percent, short_count};
use crate::plot::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};
use crate::text::shown;

/// One run and its forecast.
#[derive(Clone, Copy, Debug)]
pub struct ForecastRun<'a> {
    name: &'a str,
    measured: &'a Measured,
    forecast: &'a Forecast,
}

impl<'a> ForecastRun<'a> {
    /// A run by its name, with its points and the forecast made from them.
    pub fn new(name: &'a str, measured: &'a Measured, forecast: &'a Forecast) -> Self {
        Self { name, measured, forecast }
    }

    fn plot(&self) -> Option<Plot> {
        let expected = self.forecast.expected()?;
        let now = self.forecast.tokens()?;
        let points = self.measured.points();
        let enough = expected.enough().filter(|enough| {
            // A place far outside would squeeze the measured part.
            (points[0].tokens..=4.0 * expected.until()).contains(&enough.value)
        });
        let ends = [points[0].tokens, now, expected.until()];
        let x = PlotAxis::around(
            "tokens",
            AxisScale::Log,
            Unit::Count,
            ends.into_iter().chain(enough.map(|enough| enough.value)),
        )?;
        let hint = |tokens: f64, loss: f64| {
            ([tokens, loss], format!("{loss:.4} nats after {} tokens", short_count(tokens)))
        };
        let band = |of: fn(&ForecastPoint) -> [f64; 2]| -> Vec<[f64; 3]> {
            let ends = expected.curve().iter().filter(|point| point.tokens() >= now);
            ends.map(|point| [point.tokens(), of(point)[0], of(point)[1]]).collect()
        };
        let tone = Tone::Series(0);
        let line = expected.curve().iter().map(|point| [point.tokens(), point.loss()]).collect();
        let measured = points.iter().map(|point| hint(point.tokens, point.loss)).collect();
        let mut heights: Vec<f64> = points.iter().map(|point| point.loss).collect();
        heights.extend(expected.curve().iter().flat_map(|point| point.curve()));
        let mut layers = vec![
            Layer::Beyond { from: now, label: "not measured yet".into() },
            Layer::Band { tone, ends: band(ForecastPoint::measured) },
            Layer::Band { tone, ends: band(ForecastPoint::curve) },
            Layer::Line { tone, points: line, label: Some("expected".into()) },
            Layer::Points { tone, points: measured, aside: false },
        ];
        if let Some(target) = self.forecast.target() {
            layers.push(Layer::Level { y: target.loss(), label: "target".into() });
            heights.push(target.loss());
        }
        if let Some(enough) = enough
            && let Some(loss) = self.loss_at(enough.value)
        {
            let hint = format!(
                "from {} tokens on a doubling buys less than {} nats",
                short_count(enough.value),
                self.forecast.gain()
            );
            let at = [enough.value, loss];
            let tone = Tone::Series(1);
            layers.push(Layer::Place { tone, at, interval: enough.interval, hint });
        }
        let y = PlotAxis::around(
            "held-out loss, nats per token",
            AxisScale::Linear,
            Unit::Plain,
            heights,
        )?;
        let title = format!("{}: {}", self.name, self.forecast.sentence());
        let description = format!(
            "{}. Shades are the intervals of the curve and of a measured point.",
            self.forecast.sentence()
        );
        Some(Plot::new(title, description, [x, y], layers))
    }

    /// The loss of the expected curve at some tokens within it.
    fn loss_at(&self, tokens: f64) -> Option<f64> {
        let curve = self.forecast.expected()?.curve();
        curve.iter().find(|point| point.tokens() >= tokens).map(ForecastPoint::loss)
    }
}

/// The forecasts as an SVG file, one plot a run. `None` if nothing is expected of any.
pub fn forecast_picture(runs: &[ForecastRun<'_>]) -> Option<String> {
    let plots: Vec<Plot> = runs.iter().filter_map(ForecastRun::plot).collect();
    match &plots[..] {
        [] => None,
        [plot] => Some(plot.svg()),
        several => {
            let several: Vec<&Plot> = several.iter().collect();
            Some(Plot::grid(&several, 2, "Where the runs end"))
        }
    }
}

/// The forecasts as a page that needs no other file.
pub fn forecast_page(runs: &[ForecastRun<'_>]) -> String {
    let title = match runs {
        [run] => format!("Forecast of {}", run.name),
        several => format!("Forecasts of {} runs", several.len()),
    };
    let body = html! {
        header {
            p.eyebrow { (shown(&title)) }
            @if let [run] = runs { h1 { (shown(run.forecast.sentence())) } }
        }
        main {
            @for (i, run) in runs.iter().enumerate() { (section(run, i, runs.len() > 1)) }
        }
        footer {
            p {
                "Losses are held-out, in nats per token. Every number keeps its exact value in the "
                "page's source."
            }
        }
    };
    document(&title, &body).into_string()
}

fn section(run: &ForecastRun<'_>, number: usize, several: bool) -> Markup {
    let forecast = run.forecast;
    html! {
        section {
            @if several {
                h2 { (shown(run.name)) }
                p.lead { (shown(forecast.sentence())) }
            }
            @for alarm in forecast.alarms() { p.doubt { (shown(alarm.sentence())) } }
            @if let Some(plot) = run.plot() {
                figure.wide {
                    (plot.inline(&format!("forecast-{number}")))
                    figcaption {
                        "Markers are measured, the line is the expected curve. The darker shade is its interval, "
                        "the lighter one that of an evaluation. The hollow diamond is the stop line: from there "
                        "on a doubling buys less than the gain that was asked for."
                    }
                }
            }
            @if let Some(expected) = forecast.expected() {
                dl {
                    dt { "Loss after " (count(expected.until())) " tokens" }
                    dd { (estimate(expected.loss(), nats)) }
                    dt { "As an evaluation measures it" }
                    dd { (estimate(expected.measured(), nats)) }
                    dt { "The next doubling buys" }
                    dd { (estimate(expected.next_doubling(), nats)) }
                    dt { "Tokens until a doubling buys less than " (forecast.gain()) " nats" }
                    dd { @match expected.enough() {
                        Some(enough) => (estimate(enough, count)),
                        None => "cannot be told",
                    } }
                }
            }
            h3 { "What remains uncertain" }
            ul {
                @if forecast.advice() == Advice::CannotTell {
                    li { "The points do not tell yet whether to go on." }
                }
                @if let Some(floor) = forecast.expected().and_then(|expected| expected.floor()) {
                    li {
                        "The floor is an extrapolation to tokens without end: "
                        (estimate(floor, nats)) "."
                    }
                }
                @for remark in forecast.remarks() { li { (shown(&sentence(remark))) } }
                li { "Believed before the points: " (shown(forecast.prior().from())) "." }
            }
        }
    }
}

/// A remark as a sentence of its own.
fn sentence(remark: &str) -> String {
    let mut letters = remark.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(letters).chain(['.']).collect()
}

fn estimate(found: ledger::Estimate, show: fn(f64) -> Markup) -> Markup {
    html! {
        (show(found.value))
        @if let (Some([low, high]), Some(level)) = (found.interval, found.level) {
            ", " (percent(level)) " interval " (show(low)) " to " (show(high))
        }
    }
}
