//! What a plain `E + A D^-b`, fitted to the first 80 % of a training curve, says of the rest, under
//! three schedules.
//!
//! `cargo run -p regrow-report --example schedules -- ../shared/data/multi_power_law
//! docs/guide/schedules.svg` draws the picture of `docs/guide/schedules.md` and prints its table.
//! The curves are those of the Multi-Power Law (Luo et al., arXiv 2503.12811): step, learning rate
//! and loss of models of 25M, 100M and 400M parameters.

use std::error::Error;
use std::path::{Path, PathBuf};

use law::fit::{Fit, fit_form};
use law::{Place, Point, Run, form};
use report::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};

const SIZES: [&str; 3] = ["25", "100", "400"];
const DRAWN: &str = "100";
/// File, name, what its learning rate does.
const SCHEDULES: [(&str, &str, &str); 3] = [
    ("constant_24000", "constant", "3e-4 throughout"),
    ("cosine_24000", "cosine", "falls from 3e-4 to 3e-5 all the way"),
    ("wsd_20000_24000", "WSD", "3e-4, falling to 3e-5 over the last 4,000 steps"),
];
const SHARE: f64 = 0.8;
/// Two runs of one schedule that differ in where they end.
const SHORT: &str = "cosine_24000";
const LONG: &str = "cosine_72000";

/// A curve, what was fitted to its first part, and where that part ends.
struct Curve {
    points: Vec<Point>,
    seen: usize,
    fit: Fit,
    run: Run,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let (Some(data), Some(picture)) = (arguments.next(), arguments.next()) else {
        return Err("usage: schedules DATA PICTURE.svg".into());
    };
    println!(
        "| model | schedule | b | end foretold | end measured | mean error of the rest, nats | on the first part |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut plots = Vec::new();
    for size in SIZES {
        for (file, name, rate) in SCHEDULES {
            let curve = Curve::of(
                &data.join(format!("loss_curve_repo/csv_{size}/{file}.csv")),
                name,
                SHARE,
            )?;
            curve.print(&format!("{size}M"), name);
            if size == DRAWN {
                plots.push(curve.plot(name, rate).ok_or("a curve without an axis")?);
            }
        }
    }
    println!(
        "\n| model | run ended after 24,000 steps | longer run there | longer run's end | foretold by the shorter |"
    );
    println!("|---|---|---|---|---|");
    for size in SIZES {
        let of = |file: &str| {
            Curve::of(&data.join(format!("loss_curve_repo/csv_{size}/{file}.csv")), file, 1.0)
        };
        let (short, long) = (of(SHORT)?, of(LONG)?);
        let end = short.last();
        let nearest = |a: &&Point, b: &&Point| {
            (a.tokens - end.tokens).abs().total_cmp(&(b.tokens - end.tokens).abs())
        };
        let there = long.points.iter().min_by(nearest).ok_or("a curve without points")?.loss;
        let (later, foretold) = (long.last(), short.says(long.last().tokens));
        println!(
            "| {size}M | {:.4} | {there:.4} ({:+.4}) | {:.4} | {foretold:.4} ({:+.4}) |",
            end.loss,
            there - end.loss,
            later.loss,
            foretold - later.loss
        );
    }
    let title = format!("E + A D^-b fitted to the first 80 % of three curves, {DRAWN}M parameters");
    std::fs::write(picture, Plot::grid(&plots.iter().collect::<Vec<_>>(), 3, &title))?;
    Ok(())
}

impl Curve {
    /// Fitted to the first `share` of the points of a file.
    fn of(path: &Path, name: &str, share: f64) -> Result<Self, Box<dyn Error>> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("`{}`: {error}", path.display()))?;
        let point = |line: &str| -> Result<Point, Box<dyn Error>> {
            let mut cells = line.split(',').map(str::parse);
            let (Some(Ok(step)), Some(Ok(_rate)), Some(Ok(loss))) =
                (cells.next(), cells.next(), cells.next())
            else {
                return Err(format!("`{line}` is no step, rate and loss").into());
            };
            Ok(Point { tokens: step, loss, weight: 1.0 })
        };
        let points = text.lines().skip(1).map(point).collect::<Result<Vec<_>, _>>()?;
        let seen = (share * points.len() as f64) as usize;
        // Without a loss before, and at one size and rate, the law is `E + A D^-b`.
        let place = Place { n0: 1e8, rate: 0.5, loss0: 0.0 };
        let run = Run::new(name, name, place, points[..seen].to_vec());
        let fit = fit_form(form::by_name("p2-one-size-one-rate")?, &[&run], 64);
        Ok(Self { points, seen, fit, run })
    }

    fn says(&self, step: f64) -> f64 {
        self.fit.value(&self.run.row(step))
    }

    fn last(&self) -> Point {
        self.points[self.points.len() - 1]
    }

    /// Mean of foretold less measured.
    fn error(&self, points: &[Point]) -> f64 {
        points.iter().map(|point| self.says(point.tokens) - point.loss).sum::<f64>()
            / points.len() as f64
    }

    fn print(&self, size: &str, name: &str) {
        let last = self.last();
        let (seen, rest) = self.points.split_at(self.seen);
        let spread =
            (seen.iter().map(|point| (self.says(point.tokens) - point.loss).powi(2)).sum::<f64>()
                / seen.len() as f64)
                .sqrt();
        println!(
            "| {size} | {name} | {:.3} | {:.4} | {:.4} | {:+.4} | ± {spread:.4} |",
            self.fit.parameters()[2],
            self.says(last.tokens),
            last.loss,
            self.error(rest)
        );
    }

    fn plot(&self, name: &str, rate: &str) -> Option<Plot> {
        let tone = Tone::Series(0);
        let marks = |points: &[Point]| {
            let mark = |point: &Point| {
                (
                    [point.tokens, point.loss],
                    format!("{:.4} nats after {} steps", point.loss, point.tokens),
                )
            };
            // Every other point: they stand close.
            points.iter().step_by(2).map(mark).collect::<Vec<_>>()
        };
        let (seen, rest) = self.points.split_at(self.seen);
        let line =
            self.points.iter().step_by(4).chain(self.points.last()).map(|point| point.tokens);
        let line: Vec<[f64; 2]> = line.map(|step| [step, self.says(step)]).collect();
        let heights = self.points.iter().map(|point| point.loss).chain(line.iter().map(|at| at[1]));
        let x = self.points.iter().map(|point| point.tokens);
        let x = PlotAxis::around("steps", AxisScale::Log, Unit::Count, x)?;
        let y = PlotAxis::around("loss, nats per token", AxisScale::Linear, Unit::Plain, heights)?;
        let description = format!(
            "Training loss of a model of {DRAWN}M parameters, learning rate {name}; the curve is fitted to the first 80 % of the \
             points and misses the rest by {:+.3} nats on average.",
            self.error(rest)
        );
        let layers = vec![
            Layer::Beyond { from: rest.first()?.tokens, label: "not fitted".into() },
            Layer::Points { tone, points: marks(seen), aside: true },
            Layer::Points { tone: Tone::Series(1), points: marks(rest), aside: false },
            Layer::Line { tone, points: line, label: Some("E + A D^-b".into()) },
        ];
        Some(Plot::new(format!("{name}: {rate}"), description, [x, y], layers))
    }
}
