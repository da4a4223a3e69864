//! Following a run that grows: a small plot on a terminal, lines elsewhere.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use law::forecast::{Advice, Forecast};
use ledger::short_count;

use super::source::{Source, Watched};
use crate::terminal::{Exit, Output, interrupt};

/// How long to wait before the file is read again.
const PAUSE: Duration = Duration::from_millis(500);
/// Width and height of the plot, in characters.
const PLOT: [usize; 2] = [64, 14];

/// Follows the one run until it is told to stop, ends, or somebody interrupts.
pub(super) fn follow(
    source: &Source<'_>,
    ask: impl Fn(&Watched) -> anyhow::Result<Forecast>,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let stop = interrupt::listen();
    let is_terminal = stdout().is_terminal();
    let mut seen = None;
    loop {
        let (watched, _) = source.read()?;
        let [watched] = &watched[..] else {
            anyhow::bail!("`--watch` follows one run, found {}", watched.len());
        };
        let count = (watched.measured().points().len(), watched.measured().tokens());
        if seen != Some(count) || watched.has_ended() {
            seen = Some(count);
            let found = ask(watched)?;
            if is_terminal {
                // Home, and clear to the end: the plot is drawn in one place.
                output.data(&format!("\x1b[H\x1b[2J{}\n", plot(watched, &found)))?;
            }
            let tokens = found.tokens().map_or_else(|| "no".to_owned(), short_count);
            let line = format!("{} points, {tokens} tokens: {}", found.points(), found.sentence());
            output.data(&format!("{line}\n"))?;
            let until = found.expected().map(|expected| expected.until());
            let is_past = until.zip(found.tokens()).is_some_and(|(until, now)| now >= until);
            match found.advice() {
                Advice::StopNow => return Ok(Exit::Done),
                advice if watched.has_ended() || is_past => {
                    output.say("the run has ended");
                    let is_told = advice != Advice::CannotTell;
                    return Ok(if is_told { Exit::Done } else { Exit::CannotTell });
                }
                Advice::GoOn | Advice::CannotTell => {}
            }
        }
        if stop.is_requested() {
            return Ok(Exit::CannotTell);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Points as `o`, the expected curve as `-`, its interval as dots.
fn plot(watched: &Watched, found: &Forecast) -> String {
    let [width, height] = PLOT;
    let points: Vec<[f64; 2]> =
        watched.measured().points().iter().map(|point| [point.tokens, point.loss]).collect();
    let curve = found.expected().map(|expected| expected.curve()).unwrap_or_default();
    let xs = points.iter().map(|point| point[0]).chain(curve.iter().map(|point| point.tokens()));
    let ys =
        points.iter().map(|point| point[1]).chain(curve.iter().flat_map(|point| point.measured()));
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], x| [a.min(x), b.max(x)])
    };
    let ([left, right], [low, high]) = (ends(&mut xs.map(f64::ln)), ends(&mut ys.into_iter()));
    if !(right > left && high > low) {
        return String::new();
    }
    let mut cells = vec![vec![' '; width]; height];
    let mut mark = |tokens: f64, loss: f64, with: char| {
        let x = (tokens.ln() - left) / (right - left) * (width - 1) as f64;
        let y = (high - loss) / (high - low) * (height - 1) as f64;
        cells[(y.round() as usize).min(height - 1)][(x.round() as usize).min(width - 1)] = with;
    };
    for point in curve {
        point.measured().iter().for_each(|end| mark(point.tokens(), *end, '.'));
    }
    curve.iter().for_each(|point| mark(point.tokens(), point.loss(), '-'));
    points.iter().for_each(|point| mark(point[0], point[1], 'o'));
    let rows = cells.into_iter().enumerate().map(|(i, row)| {
        let label = match i {
            0 => format!("{high:.3}"),
            i if i == height - 1 => format!("{low:.3}"),
            _ => String::new(),
        };
        format!("{label:>8} {}", row.into_iter().collect::<String>().trim_end())
    });
    let axis = format!("{:>8} {}", "", short_count(left.exp()));
    let end = short_count(right.exp());
    let gap = (width + 9).saturating_sub(axis.len() + end.len());
    rows.chain([format!("{axis}{}{end} tokens", " ".repeat(gap))]).collect::<Vec<_>>().join("\n")
}
