//! Forecast of one run that goes on: where it ends, what the next doubling of tokens buys, and
//! whether to stop.
//!
//! The curve is that of a law with levels: see [`crate::levels::Shape::Fall`]. Without a law the
//! run's own points are judged under weak priors, printed with the answer. With one, the law's
//! posterior is the prior. Only points at a steady learning rate count, and a later decay of the
//! rate is not modelled.
//!
//! ```
//! use law::forecast::{Advice, Measured, Prior, Question, forecast};
//! use ledger::{Point, Tokens};
//! let point = |step: u64| {
//!     let tokens = 1_000_000 * step;
//!     let loss = 2.0 + 30.0 * (tokens as f64).powf(-0.3);
//!     Point { eval_loss: Some(loss), ..Point::logged(step, Tokens(tokens)) }
//! };
//! let points: Vec<Point> = (1..=12).map(point).collect();
//! let run = Measured::new(&points);
//! let found = forecast(&run, Prior::Weak, &Question::default())?;
//! assert_eq!(found.advice(), Advice::GoOn);
//! let end = found.expected().unwrap();
//! let [low, high] = end.measured().interval.unwrap();
//! let truth = 2.0 + 30.0 * 24e6_f64.powf(-0.3);
//! assert!(low < truth && truth < high && high - low < 0.05);
//! # Ok::<(), law::Error>(())
//! ```

mod alarm;
mod answer;
mod density;
mod ensemble;
mod measured;
mod question;

pub use self::alarm::{Alarm, AlarmKind};
pub use self::answer::{Advice, Expected, Forecast, ForecastPoint, PriorUsed, Target};
pub use self::measured::Measured;
pub use self::question::{Prior, Question};

use ledger::{Estimate, short_count};

use self::density::{RunDensity, RunPrior, WEAK};
use self::ensemble::Sampled;
use self::measured::{Schedule, thinned};
use crate::error::{Error, Fault, Result};
use crate::levels::{Curves, Diagnostics, Levels, OF_RUN, OneRun, Subject, quantile};
use crate::table::Point;

/// Without a law a curve needs so many points: two would show a slope and no bend.
pub const FEWEST: usize = 3;
/// Advice is given from this probability on. Below it, and above one less it, is "cannot tell yet".
pub const SURE: f64 = 0.8;
/// How many curves an answer is taken from.
const CURVES: usize = 2000;
/// The expected curve has so many points.
const STEPS: usize = 48;
/// Of the last points, at least so many are held against a plateau before them.
const NEWEST: usize = 2;

/// Curves of the rest of a run, and whether they may be believed.
struct Drawn {
    curves: Curves,
    reference: f64,
    diagnostics: Option<Diagnostics>,
    have_met: bool,
}

/// Forecasts a run.
///
/// Too few points, or walkers that have not met, are no error: advice is then
/// [`Advice::CannotTell`], and nothing is expected.
///
/// # Errors
/// If the question is out of range, or the law has no posterior or does not know the run or base.
pub fn forecast(run: &Measured, prior: Prior<'_>, question: &Question) -> Result<Forecast> {
    question.check()?;
    let points = run.points();
    let last = points.last().copied();
    let mut found = Forecast {
        format: ledger::Format,
        advice: Advice::CannotTell,
        sentence: String::new(),
        points: points.len(),
        tokens: last.map(|point| point.tokens),
        loss: last.map(|point| point.loss),
        gain: question.gain_asked(),
        expected: None,
        target: None,
        alarms: alarm::rising(run).into_iter().collect(),
        remarks: remarks(run),
        prior: prior_used(prior),
        diagnostics: None,
    };
    // A loss that rises needs no curve to be seen.
    if let Some(alarm) = found.alarms.first() {
        found.advice = Advice::StopNow;
        found.sentence = format!("{}: {}", found.advice, alarm.sentence);
        return Ok(found);
    }
    let fewest = if matches!(prior, Prior::Weak) { FEWEST } else { 1 };
    let Some(last) = last.filter(|_| points.len() >= fewest) else {
        found.sentence = format!(
            "cannot tell yet: there are {} held-out points at a steady learning rate, and {fewest} are needed",
            points.len()
        );
        return Ok(found);
    };
    let drawn = draw(points, prior, question.seed_asked())?;
    let Some(drawn) = drawn else {
        found.sentence = "cannot tell yet: no curve describes the points".to_owned();
        return Ok(found);
    };
    found.diagnostics = drawn.diagnostics;
    if !drawn.have_met {
        let sentence = drawn.diagnostics.map_or_else(String::new, |found| found.sentence());
        found.sentence = format!("cannot tell yet: the walkers have not met ({sentence})");
        return Ok(found);
    }
    let until = until(run, question, last.tokens);
    let expected = drawn.expected(points[0].tokens, last.tokens, until, question);
    found.target = question.target_asked().map(|loss| drawn.target(loss, last, until, question));
    if found.alarms.is_empty()
        && let Some(low) = broken_plateau(run, prior, question)?
    {
        found.alarms.push(alarm::plateau_broke(&last, low));
    }
    (found.advice, found.sentence) = advise(&found, &expected, run.schedule());
    found.expected = Some(expected);
    Ok(found)
}

/// The curves that the points leave possible, and the loss that their excesses are counted from:
/// for answers that [`forecast()`] does not give. `None` where nothing can be told.
///
/// # Errors
/// Those of [`forecast()`].
pub fn curves(
    run: &Measured,
    prior: Prior<'_>,
    question: &Question,
) -> Result<Option<(Curves, f64)>> {
    question.check()?;
    let fewest = if matches!(prior, Prior::Weak) { FEWEST } else { 1 };
    if run.points().len() < fewest {
        return Ok(None);
    }
    let drawn = draw(run.points(), prior, question.seed_asked())?;
    Ok(drawn.filter(|drawn| drawn.have_met).map(|drawn| (drawn.curves, drawn.reference)))
}

/// The tokens that the end is asked for.
fn until(run: &Measured, question: &Question, now: f64) -> f64 {
    let planned = run.planned_tokens().filter(|planned| *planned > now);
    question.until_asked().or(planned).unwrap_or(2.0 * now)
}

/// The curves that the points and the prior leave possible. `None` if there is none.
fn draw(points: &[Point], prior: Prior<'_>, seed: u64) -> Result<Option<Drawn>> {
    let (run, prior, of_law) = match prior {
        Prior::Weak => {
            let thin = thinned(points);
            let Some(last) = thin.last() else { return Ok(None) };
            let run = OneRun::alone(&thin, last.loss);
            let mean = run.seen().map(|point| point[1]).sum::<f64>() / run.seen().len() as f64;
            (run, RunPrior::Weak { excess: mean }, Vec::new())
        }
        Prior::Law { law, subject, place } => {
            let levels = law.levels().ok_or(Fault::NoLevels)?;
            let seen = seen_until(levels, subject);
            let new: Vec<Point> =
                points.iter().filter(|point| point.tokens > seen).copied().collect();
            let draws = levels
                .draws_of_run(subject, place.n0, place.rate)
                .ok_or_else(|| not_seen(levels, subject))?;
            if new.is_empty() {
                let curves = levels.curves(subject, place.n0, place.rate);
                let of_law = |curves| Drawn {
                    curves,
                    reference: place.loss0,
                    diagnostics: None,
                    have_met: true,
                };
                return Ok(curves.map(of_law));
            }
            let run = OneRun::of_law(levels, &thinned(&new), place.loss0);
            let Some(prior) = RunPrior::of_draws(&draws) else { return Ok(None) };
            (run, prior, draws)
        }
    };
    let density = RunDensity::new(&run, prior);
    let starts = density.starts(&of_law, seed);
    let sampled = ensemble::sample(|at| density.value(at), &starts, seed);
    Ok(sampled.map(|Sampled { draws, diagnostics, have_met }| {
        let stride = draws.len().div_ceil(CURVES).max(1);
        let thin = draws.iter().step_by(stride);
        let constants: Vec<[f64; OF_RUN]> =
            thin.filter_map(|shown| density.constants(shown)).map(|(at, _)| at).collect();
        Drawn {
            curves: run.curves(&constants, seed),
            reference: run.reference(),
            diagnostics: Some(diagnostics),
            have_met,
        }
    }))
}

/// Tokens up to which the law has seen the run.
fn seen_until(levels: &Levels, subject: Subject<'_>) -> f64 {
    let Subject::Run(name) = subject else { return 0.0 };
    levels.runs().iter().find(|run| run.name() == name).map_or(0.0, |run| run.tokens())
}

fn not_seen(levels: &Levels, subject: Subject<'_>) -> Error {
    match subject {
        Subject::KnownBase(base) => {
            crate::predict::unknown("base", base, levels.bases().iter().map(String::as_str))
        }
        Subject::Run(run) => {
            crate::predict::unknown("run", run, levels.runs().iter().map(|run| run.name()))
        }
        // A law always says something of a new base.
        Subject::NewBase => Fault::NoLevels,
    }
    .into()
}

impl Drawn {
    fn expected(&self, first: f64, now: f64, until: f64, question: &Question) -> Expected {
        let level = question.level_asked();
        let losses = |excesses: Vec<f64>| -> Vec<f64> {
            excesses.into_iter().map(|excess| self.reference + excess).collect()
        };
        let at = |tokens: f64| {
            let (curve, measured) =
                (losses(self.curves.excesses(tokens)), losses(self.curves.measured(tokens)));
            (estimate(curve, level), estimate(measured, level))
        };
        let doublings = self.curves.doublings(now);
        let below = doublings.iter().filter(|gain| **gain < question.gain_asked()).count();
        let step = |i: usize| {
            // The ends exactly, and evenly in between.
            let end = until.max(now);
            let share = i as f64 / STEPS as f64;
            if i == STEPS { end } else { first * (end / first).powf(share) }
        };
        let curve = (0..=STEPS).map(step).filter_map(|tokens| {
            let (curve, measured) = at(tokens);
            let (curve, measured) = (curve?, measured?);
            Some(ForecastPoint {
                tokens,
                loss: curve.value,
                curve: curve.interval?,
                measured: measured.interval?,
            })
        });
        let (loss, measured) = at(until);
        let none = Estimate::bare(f64::NAN);
        Expected {
            until,
            loss: loss.unwrap_or(none),
            measured: measured.unwrap_or(none),
            chance_below_gain: below as f64 / doublings.len() as f64,
            next_doubling: estimate(doublings, level).unwrap_or(none),
            enough: estimate(self.curves.where_doubling_buys(question.gain_asked()), level)
                .filter(|enough| enough.value >= 1.0),
            floor: estimate(losses(self.curves.floors()), level),
            curve: curve.collect(),
        }
    }

    fn target(&self, loss: f64, last: Point, until: f64, question: &Question) -> Target {
        let excess = loss - self.reference;
        let chance_at = |tokens: f64| {
            let excesses = self.curves.excesses(tokens);
            excesses.iter().filter(|x| **x <= excess).count() as f64 / excesses.len() as f64
        };
        let tokens = self.curves.where_excess_is(excess);
        Target {
            loss,
            chance_now: chance_at(last.tokens),
            chance: chance_at(until.max(last.tokens)),
            tokens: estimate(tokens, question.level_asked()),
        }
    }
}

/// The middle and the interval of samples; `None` where the middle is not finite.
fn estimate(mut samples: Vec<f64>, level: f64) -> Option<Estimate> {
    let tail = 0.5 * (1.0 - level);
    let [low, value, high] = [tail, 0.5, 1.0 - tail].map(|share| quantile(&mut samples, share));
    let value = value.filter(|value| value.is_finite())?;
    let interval = Some([low?, high?]).filter(|ends| ends.iter().all(|end| end.is_finite()));
    Some(Estimate { value, interval, level: interval.map(|_| level) })
}

/// Whether the last points lie below what a plateau before them let expect: the lower end of that.
fn broken_plateau(run: &Measured, prior: Prior<'_>, question: &Question) -> Result<Option<f64>> {
    let points = run.points();
    let newest = NEWEST.max(points.len() / 8);
    let Some(before) = points.len().checked_sub(newest).filter(|before| *before >= FEWEST) else {
        return Ok(None);
    };
    let earlier = run.first(before);
    let Some(drawn) = draw(earlier.points(), prior, question.seed_asked())? else {
        return Ok(None);
    };
    let now = points[before - 1].tokens;
    let doublings = drawn.curves.doublings(now);
    let flat = doublings.iter().filter(|gain| **gain < question.gain_asked()).count();
    if 2 * flat < doublings.len() || !drawn.have_met {
        return Ok(None);
    }
    // One in a hundred of quiet runs would fall below this by chance.
    let low = |tokens: f64| {
        let low = quantile(&mut drawn.curves.measured(tokens), 0.01)?;
        Some(drawn.reference + low)
    };
    let is_below = |point: &Point| low(point.tokens).is_some_and(|low| point.loss < low);
    let broke = points[points.len() - NEWEST..].iter().all(is_below);
    Ok(if broke { low(points[points.len() - 1].tokens) } else { None })
}

/// The advice, and the same as a sentence.
fn advise(found: &Forecast, expected: &Expected, schedule: Schedule) -> (Advice, String) {
    let say = |advice: Advice, why: String| (advice, format!("{advice}: {why}"));
    // The only alarm that leaves a curve to speak of is a plateau that broke.
    if let Some(alarm) = found.alarms.first() {
        return say(Advice::CannotTell, alarm.sentence.clone());
    }
    if schedule == Schedule::Falling {
        let why = "the learning rate falls all along, and a forecast does not model that";
        return say(Advice::CannotTell, why.to_owned());
    }
    if let Schedule::Cooled(tokens) = schedule {
        let why = format!(
            "the learning rate falls since {} tokens, and a forecast does not model that",
            short_count(tokens)
        );
        return say(Advice::CannotTell, why);
    }
    let percent = |chance: f64| format!("{:.0} %", 100.0 * chance);
    let end = short_count(expected.until);
    if let Some(target) = &found.target {
        let loss = target.loss;
        return match (target.chance_now, target.chance) {
            (now, _) if now >= SURE => {
                say(Advice::StopNow, format!("the target of {loss} nats is reached"))
            }
            (_, chance) if chance >= SURE => say(
                Advice::GoOn,
                format!(
                    "by {end} tokens the target of {loss} nats is reached with a probability of {}",
                    percent(chance)
                ),
            ),
            (_, chance) if chance <= 1.0 - SURE => say(
                Advice::StopNow,
                format!(
                    "by {end} tokens the target of {loss} nats is missed with a probability of {}",
                    percent(1.0 - chance)
                ),
            ),
            (_, chance) => say(
                Advice::CannotTell,
                format!(
                    "the target of {loss} nats is reached by {end} tokens with a probability of {}",
                    percent(chance)
                ),
            ),
        };
    }
    let (gain, below) = (found.gain, expected.chance_below_gain);
    let doubling = expected.next_doubling;
    let interval = doubling
        .interval
        .map_or_else(String::new, |[low, high]| format!(", between {low:.4} and {high:.4}"));
    let what = format!("twice the tokens buy {:.4} nats{interval}", doubling.value);
    let (advice, chance, than) = match below {
        below if below >= SURE => (Advice::StopNow, below, "less"),
        below if below <= 1.0 - SURE => (Advice::GoOn, 1.0 - below, "more"),
        below if below >= 0.5 => (Advice::CannotTell, below, "less"),
        below => (Advice::CannotTell, 1.0 - below, "more"),
    };
    say(advice, format!("{what}; {than} than {gain} with a probability of {}", percent(chance)))
}

/// What must be said beside the numbers.
fn remarks(run: &Measured) -> Vec<String> {
    let mut said = Vec::new();
    if run.warmed_up() > 0 {
        said.push(format!("{} points of the warm-up are left out", run.warmed_up()));
    }
    said.push(match run.schedule() {
        Schedule::Unknown => {
            "the learning rate is not known: the forecast takes it as constant".to_owned()
        }
        Schedule::Constant => {
            "the forecast is for a constant learning rate; a decay at the end lowers the loss further, and is not \
             modelled"
                .to_owned()
        }
        Schedule::Cooled(tokens) => format!(
            "the learning rate falls from {} tokens on: those points are left out, and what the decay brings is not \
             modelled",
            short_count(tokens)
        ),
        Schedule::Falling => {
            "the learning rate falls all along, as a cosine does: the curve is drawn through such points, but their \
             end is not modelled; the Multi-Power Law describes such schedules"
                .to_owned()
        }
    });
    said
}

fn prior_used(prior: Prior<'_>) -> PriorUsed {
    match prior {
        Prior::Weak => PriorUsed {
            from: "the run's own points under weak priors".to_owned(),
            constants: WEAK.iter().map(|weak| (weak.name.to_owned(), weak.prior)).collect(),
        },
        Prior::Law { law, subject, .. } => PriorUsed {
            from: format!(
                "the law of {}, for {}",
                law.label(),
                crate::prediction::About::from(subject)
            ),
            constants: Default::default(),
        },
    }
}

/// The weak priors: the name of each, its mean and deviation, and what it is.
pub fn weak_priors() -> impl Iterator<Item = (&'static str, crate::levels::Normal, &'static str)> {
    WEAK.iter().map(|weak| (weak.name, weak.prior, weak.meaning))
}
