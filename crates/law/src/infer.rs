//! From a table to a law: choose a form, fit it, refit for intervals, judge it, plan.

use std::collections::BTreeMap;

use ledger::Estimate;

use crate::error::{Fault, Result};
use crate::fit::{Constraints, Fit, Loss, Problem, fit_within, refit};
use crate::fitting::{Bound, Convergence, Profile, Replicate};
use crate::form::{self, Axis, Follows, Form};
use crate::identify::{Grid, Identifiability, WIDEST_EXPONENT, WIDEST_FACTOR, ZERO};
use crate::law::{GroupLaw, Law, TrainedFor, Units};
use crate::levels::{Levels, Priors, Shape, Subject, quantile};
use crate::metric::Metrics;
use crate::place::Place;
use crate::plan::decision::Plan;
use crate::plan::question::Wish;
use crate::row::Scale;
use crate::table::{Group, Run, Table};
use crate::uncertainty::{FEWEST_BASES, Intervals, LeftOut, Noise, refits};
use crate::warning::{Notice, Warning};
use crate::{judge, lack_of_fit, student};

/// How to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The form asked for. `p2` is replaced by a reduced form if the data are too few for it.
    pub form: String,
    /// How many starting points the search uses.
    pub starts: usize,
    /// The loss function that the fit minimises.
    pub loss: Loss,
    /// Constants that are set or bounded before the fit.
    pub constraints: Constraints,
    /// The units of the constants.
    pub units: Units,
    /// The probability that an interval contains the true value.
    pub level: f64,
    /// How intervals are computed.
    pub intervals: Intervals,
    /// The number of refits if data are simulated.
    pub simulations: usize,
    /// The seed of simulated data.
    pub seed: u64,
    /// The questions that the plans in the law answer.
    pub wish: Wish,
    /// The curves of a posterior; `None` for those that foretell a base left out better.
    pub shape: Option<Shape>,
    /// What is believed before the data, for a posterior.
    pub priors: Priors,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            form: "p2".to_owned(),
            starts: 64,
            loss: Loss::LeastSquares,
            constraints: Constraints::default(),
            units: Units::Billions,
            level: 0.9,
            intervals: Intervals::Jackknife,
            simulations: 200,
            seed: 1,
            wish: Wish::default(),
            shape: None,
            priors: Priors::default(),
        }
    }
}

/// Fits a law to every group of a table.
///
/// ```
/// use law::{Place, Settings, Table, TableRow};
/// let row = |tokens: f64| TableRow { loss: 2.3 + 40.0 * tokens.powf(-0.5), tokens, ..TableRow::run("a", 1e9, 0.25, 2.0) };
/// let table = Table::new([1e4, 2e4, 4e4, 8e4, 16e4].map(row))?;
/// let law = law::fit(&table, &Settings::default())?;
/// let group = law.group(None, None)?;
/// assert_eq!(group.form_name(), "p2-one-size-one-rate");
/// assert!((group.constants()["beta"].value - 0.5).abs() < 1e-6);
/// let elsewhere = group.predict(Place::new(3e9, 0.25, 2.0)?, 1e5)?;
/// assert_eq!((elsewhere.loss(), &elsewhere.code()[0]), (None, &law::Code::LevelsTooFew));
/// # Ok::<(), law::Error>(())
/// ```
pub fn fit(table: &Table, settings: &Settings) -> Result<Law> {
    if !(0.5..1.0).contains(&settings.level) {
        return Err(Fault::Setting {
            name: "level",
            found: settings.level,
            expected: "at least 0.5 and below 1",
        }
        .into());
    }
    let asked = form::by_name(&settings.form)?;
    settings.constraints.check(asked)?;
    let groups: Result<Vec<GroupLaw>> =
        table.groups.iter().map(|group| fit_group(group, asked, settings)).collect();
    let law = Law { format: Law::FORMAT, groups: groups? };
    // A law that cannot be read back must not be returned.
    law.validate()?;
    Ok(law)
}

pub(crate) fn fit_group(
    group: &Group,
    asked: &'static dyn Form,
    settings: &Settings,
) -> Result<GroupLaw> {
    let runs: Vec<&Run> = group.runs.iter().collect();
    let grid = Grid::of(&runs, &group.method);
    let fit = fit_largest(group, &runs, asked, grid, settings)?;
    let noise = Noise::of(&fit, &runs);
    let units = settings.units.scale();
    let refits = refits(
        &fit,
        &runs,
        &group.method,
        &noise,
        settings.intervals,
        settings.simulations,
        settings.seed,
    );
    let simulated = refits.iter().any(|refit| matches!(refit.left_out, LeftOut::Simulation(_)));
    let named = |form: &dyn Form, parameters: Vec<f64>| -> BTreeMap<String, f64> {
        form.parameters()
            .iter()
            .map(|parameter| parameter.name.to_owned())
            .zip(parameters)
            .collect()
    };
    let in_units =
        |parameters: Vec<f64>| named(fit.form, Fit { parameters, ..fit.clone() }.constants(&units));
    let constants = in_units(fit.parameters.clone());
    let mut law = GroupLaw {
        series: group.series.clone(),
        method: group.method.clone(),
        objective: group.objective.clone().map(TrainedFor::Name),
        zeroed: group.zeroed,
        form: fit.form.name().to_owned(),
        units: settings.units,
        constants: constants
            .into_iter()
            .map(|(name, value)| (name, Estimate::bare(value)))
            .collect(),
        fit_objective: fit.objective,
        convergence: Convergence {
            gradient: fit.gradient,
            starts: fit.starts,
            agreeing: fit.agreeing,
        },
        metrics: Metrics::of(&judge::judge(&fit, runs.iter().copied()), noise.point),
        held_out: judge::last_checkpoints(fit.form, &runs, settings.starts),
        points: fit.points,
        runs: runs.len(),
        identifiability: Identifiability::structural(asked, fit.form, grid, &group.method)
            .with_set(settings.constraints.fixed()),
        bounds: bounds(&settings.constraints),
        loss: fit.loss,
        warnings: group.warnings.clone(),
        ranges: ranges(&runs, &group.columns),
        level: settings.level,
        replicates: refits
            .into_iter()
            .map(|refit| Replicate {
                left_out: refit.left_out,
                constants: in_units(refit.parameters),
            })
            .collect(),
        profile: profile(&fit, &runs, settings)
            .into_iter()
            .map(|fit| Profile {
                form: fit.form.name().to_owned(),
                constants: named(fit.form, fit.constants(&units)),
            })
            .collect(),
        noise,
        decisions: Vec::new(),
        levels: levels(group, &runs, settings),
    };
    // Intervals are computed from the replicates, so these must be in the law already.
    let at_bound = fit.at_bound();
    let open = add_intervals(&mut law, fit.form, &at_bound);
    law.identifiability.practical(&open);
    law.identifiability.held(&at_bound);
    law.warnings.extend(warnings(&fit, &runs, &law, settings, simulated));
    let absent: Vec<Axis> =
        Axis::ALL.into_iter().filter(|axis| !group.columns.contains(axis)).collect();
    // A plan names a pruned model by its size, rate and loss, so it needs all columns.
    if absent.is_empty() {
        law.decisions = decisions(&law, &runs, &settings.wish)?;
    } else {
        if absent.contains(&Axis::Loss0) {
            // An absent `loss0` is read as 0, so an excess over it would mean nothing.
            law.metrics.excess_r2 = None;
            law.metrics.relative_error = None;
        }
        law.warnings.push(Notice::ColumnsAbsent { axes: absent }.into());
    }
    Ok(law)
}

/// The posterior, if it is asked for and there are two runs of three points or more.
#[cfg(feature = "sampler")]
fn levels(group: &Group, runs: &[&Run], settings: &Settings) -> Option<Levels> {
    let whole = Axis::ALL.iter().all(|axis| group.columns.contains(axis));
    let told = runs.iter().filter(|run| run.points.len() >= FEWEST_POINTS).count();
    let wanted = settings.intervals == Intervals::Posterior && whole && told >= FEWEST_CURVES;
    // A seed gives the same draws for every group, whatever other groups there are.
    let sampling = crate::levels::Sampling::default().seeded(settings.seed);
    let sample = || match settings.shape {
        Some(shape) => Levels::sample(runs, shape, &settings.priors, &sampling),
        None => Levels::sample_preferred(runs, &settings.priors, &sampling),
    };
    wanted.then(sample).flatten()
}

#[cfg(not(feature = "sampler"))]
fn levels(_group: &Group, _runs: &[&Run], _settings: &Settings) -> Option<Levels> {
    None
}

/// A curve needs three points, and effects need two curves.
#[cfg(feature = "sampler")]
const FEWEST_POINTS: usize = 3;
#[cfg(feature = "sampler")]
const FEWEST_CURVES: usize = 2;

fn bounds(constraints: &Constraints) -> BTreeMap<String, Bound> {
    let end = |x: f64| Some(x).filter(|x| x.is_finite());
    let bound = |(name, [low, high]): (&str, [f64; 2])| {
        (name.to_owned(), Bound { low: end(low), high: end(high) })
    };
    constraints.bounded().map(bound).collect()
}

/// Fits the form asked for. Of the P2 family it fits the largest form that the data can determine.
fn fit_largest(
    group: &Group,
    runs: &[&Run],
    asked: &'static dyn Form,
    grid: Grid,
    settings: &Settings,
) -> Result<Fit> {
    let points: usize = runs.iter().map(|run| run.points.len()).sum();
    let constraints = &settings.constraints;
    let reduced = asked.reduces_to(grid);
    let first = reduced.unwrap_or(asked);
    // Constraints may replace missing data, so with constraints the form asked for is tried first.
    let full = (!constraints.is_empty()).then_some(asked);
    let missing = |form: &dyn Form| {
        form.axes().iter().copied().find(|column| !group.columns.contains(column))
    };
    if let Some(column) = missing(asked) {
        return Err(Fault::MissingColumn { column: column.name(), form: asked.name() }.into());
    }
    let all = full.into_iter().chain(std::iter::once(first)).chain(grid.ladder());
    for form in all.filter(|form| missing(*form).is_none()) {
        let foreign = constraints.foreign(form);
        let constraints = constraints.without(&foreign);
        // A constant that is set needs no point.
        if points < form.parameters().len() - constraints.fixed().count() {
            match reduced {
                Some(_) => continue,
                None => break,
            }
        }
        let fit = fit_within(form, runs, settings.starts, settings.loss, &constraints)?;
        if !fit.objective.is_finite()
            || fit.constants(&Scale::COUNTS).iter().any(|x| !x.is_finite())
        {
            let group = format!("{} {}", group.series, group.method);
            return Err(Fault::NoFit { group, form: form.name() }.into());
        }
        // A zero singular value means that some constants cannot be told apart: try a smaller form.
        if fit.singular_values.iter().all(|value| *value >= ZERO) {
            return Ok(fit);
        }
    }
    let group = format!("{} {}", group.series, group.method);
    Err(Fault::TooFewPoints {
        group,
        points,
        form: first.name(),
        constants: first.parameters().len(),
    }
    .into())
}

/// Adds intervals of the constants: of logarithms for factors, plain for exponents. Returns the
/// constants that these intervals leave open. A constant at a bound gets none: refits end at the
/// same bound, and their spread would say nothing of how far beyond it the data point.
fn add_intervals(law: &mut GroupLaw, form: &dyn Form, at_bound: &[String]) -> Vec<&'static str> {
    let mut open = Vec::new();
    for (i, parameter) in form.parameters().iter().enumerate() {
        let on = |scale: fn(f64) -> f64| {
            let (value, half) = law.spread(form, |parameters| Some(scale(parameters[i])))?;
            half.map(|half| ([value - half, value + half], half))
        };
        // A constant that was set has no interval.
        let set = law.identifiability.fixed.contains_key(parameter.name);
        if set || at_bound.iter().any(|name| name == parameter.name) {
            continue;
        }
        let is_exponent = parameter.is_exponent();
        // If a constant is 0 or changes its sign in a refit, its logarithm does not exist there.
        let factor = if is_exponent {
            None
        } else {
            on(f64::ln).map(|(ends, half)| (ends.map(f64::exp), half))
        };
        let (interval, is_open) = match (factor, on(|x| x)) {
            (Some((ends, half)), _) => (Some(ends), half > WIDEST_FACTOR.ln()),
            (None, Some((ends, half))) if is_exponent => (Some(ends), half > WIDEST_EXPONENT),
            (None, Some((ends, _))) => (Some(ends), ends[0] <= 0.0 && 0.0 <= ends[1]),
            (None, None) => (None, false),
        };
        let interval = interval.filter(|ends| ends.iter().all(|end| end.is_finite()));
        let level = interval.map(|_| law.level);
        let estimate = law.constants.get_mut(parameter.name).expect("every constant was put in");
        // Going through the logarithm and back rounds. A zero-width interval could then miss its
        // own value.
        let interval =
            interval.map(|[low, high]| [low.min(estimate.value), high.max(estimate.value)]);
        *estimate = Estimate { interval, level, ..*estimate };
        if is_open {
            open.push(parameter.name);
        }
    }
    open
}

/// Fits the fuller form at a grid of values of the open exponents. Keeps those that describe the
/// data as well as the law does.
fn profile(fit: &Fit, runs: &[&Run], settings: &Settings) -> Vec<Fit> {
    // Neither grid contains 0: there the term is a constant, which `E` already provides.
    const ALPHAS: [f64; 14] =
        [-2.4, -1.2, -0.6, -0.3, -0.1, -0.02, 0.02, 0.1, 0.3, 0.6, 1.0, 1.6, 2.5, 4.0];
    const BETAS: [f64; 9] = [0.01, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5];
    let Some(full) = fit.form.fuller() else { return Vec::new() };
    let is_open = |axis: Axis| fit.form.follows(axis) == Follows::Line;
    // NaN marks an exponent that is not on the grid: it is fitted.
    let alphas: &[f64] = if is_open(Axis::N0) { &ALPHAS } else { &[f64::NAN] };
    let betas: &[f64] = if is_open(Axis::Tokens) { &BETAS } else { &[f64::NAN] };
    let constraints = settings.constraints.without(&settings.constraints.foreign(full));
    let problem = Problem::within(full, runs, &constraints).with_loss(fit.loss);
    let degrees = fit.points.saturating_sub(fit.free()).max(1);
    // The profile bound for one constant, `S <= S_min (1 + t^2 / n)`, because `F(1, n) = t^2`.
    let allowed = 1.0 + student::two_sided(settings.level, degrees).powi(2) / degrees as f64;
    let mut kept = Vec::new();
    for &alpha in alphas {
        for &beta in betas {
            let set = |name: &str| match name {
                "alpha" if alpha.is_finite() => Some(alpha),
                "beta" if beta.is_finite() => Some(beta),
                _ => None,
            };
            // An exponent that both forms share starts at its fitted value.
            let near =
                |name: &str| fit.form.position(name).map_or(0.3, |place| fit.parameters[place]);
            let exponents = &full.parameters()[full.linear()..];
            let fixed: Vec<bool> =
                exponents.iter().map(|parameter| set(parameter.name).is_some()).collect();
            let mut start = vec![0.0; full.linear()];
            start.extend(
                exponents
                    .iter()
                    .map(|parameter| set(parameter.name).unwrap_or(near(parameter.name))),
            );
            let found = refit(&problem, &start, &fixed);
            // At an exact fit both objectives are rounding, and their ratio means nothing.
            if found.objective <= fit.objective * allowed
                || problem.is_rounding(found.objective * 1e-6)
            {
                kept.push(Fit {
                    form: full,
                    parameters: found.parameters,
                    scale: problem.scale,
                    ..fit.clone()
                });
            }
        }
    }
    kept
}

fn warnings(
    fit: &Fit,
    runs: &[&Run],
    law: &GroupLaw,
    settings: &Settings,
    simulated: bool,
) -> Vec<Warning> {
    let mut notices = Vec::new();
    let at_bound = fit.at_bound();
    if !at_bound.is_empty() {
        notices.push(Notice::ParameterAtBound { names: at_bound });
    }
    let foreign = settings.constraints.foreign(fit.form);
    if !foreign.is_empty() {
        let constants = foreign.into_iter().map(str::to_owned).collect();
        notices.push(Notice::ConstraintUnused { form: fit.form.name(), constants });
    }
    let misfits = lack_of_fit::tests(fit, runs, &law.method);
    notices.extend(misfits.into_iter().map(Notice::LackOfFit));
    notices.extend(few_bases(runs));
    if runs.len() == 1 {
        notices.push(Notice::OneRun);
    } else if simulated {
        notices.push(Notice::SimulatedIntervals);
    }
    let below = below_floor(fit, runs, law);
    if !below.is_empty() {
        notices.push(Notice::FloorContradicted { runs: below });
    }
    if let Some(diagnostics) = law.diagnostics().filter(|found| !found.is_good()) {
        notices.push(Notice::ChainsApart { sentence: diagnostics.sentence() });
    }
    if law.replicates.is_empty() {
        notices.push(Notice::NoInterval);
    }
    // With infinite tokens the power of the tokens vanishes, so this compares the floor with
    // `loss0`.
    let falls = |run: &&&Run| fit.value(&run.row(f64::INFINITY)) < run.loss0;
    if fit.form.token_exponent().is_some() && runs.iter().any(|run| falls(&run)) {
        notices.push(Notice::FloorFallsWithRate);
    }
    if tokens_follow_size(runs) {
        notices.push(Notice::TokensFollowSize);
    }
    notices.into_iter().map(Warning::from).collect()
}

/// Runs that end below their floor by more than twice the noise of a point. With a posterior it is
/// the lower end of the run's own floor that counts.
fn below_floor(fit: &Fit, runs: &[&Run], law: &GroupLaw) -> Vec<String> {
    if fit.form.token_exponent().is_none() {
        return Vec::new();
    }
    let margin = 2.0 * law.noise.point.unwrap_or(0.0);
    let floor = |run: &Run| match law.levels() {
        Some(levels) => {
            let curves = levels.curves(Subject::Run(&run.name), run.n0, run.rate)?;
            let low = quantile(&mut curves.floors(), 0.5 * (1.0 - law.level))?;
            Some(run.loss0 + low)
        }
        None => Some(fit.value(&run.row(f64::INFINITY))),
    };
    let is_below = |run: &&&Run| {
        let last = run.points.last().map_or(f64::INFINITY, |point| point.loss);
        floor(run).is_some_and(|floor| last < floor - margin)
    };
    runs.iter().filter(is_below).map(|run| run.name.clone()).collect()
}

/// An error in a base's own loss shifts all of its runs. With fewer than four bases no interval
/// covers that.
fn few_bases(runs: &[&Run]) -> Option<Notice> {
    let mut bases: Vec<&str> = runs.iter().map(|run| run.base.as_str()).collect();
    bases.sort_unstable();
    bases.dedup();
    let bases = match bases.len() {
        0 | FEWEST_BASES.. => return None,
        1 => "one base",
        2 => "two bases",
        _ => "three bases",
    };
    Some(Notice::BasesTooFew { bases })
}

/// Whether each size was only measured at its own number of tokens per parameter.
fn tokens_follow_size(runs: &[&Run]) -> bool {
    let per_parameter = |run: &&Run| run.points.last().map_or(1.0, |point| point.tokens / run.n0);
    let (mut low, mut high, mut small, mut large) =
        (f64::INFINITY, 0.0_f64, f64::INFINITY, 0.0_f64);
    for run in runs {
        low = low.min(per_parameter(run));
        high = high.max(per_parameter(run));
        small = small.min(run.n0);
        large = large.max(run.n0);
    }
    // Ratios within 5 % count as one, and sizes must differ by half for the pattern to matter.
    large > 1.5 * small && high < 1.05 * low
}

fn ranges(runs: &[&Run], columns: &[Axis]) -> BTreeMap<String, [f64; 2]> {
    let mut ranges: BTreeMap<String, [f64; 2]> = BTreeMap::new();
    let mut add = |column: &str, x: f64| {
        if Axis::ALL.iter().any(|known| known.name() == column && !columns.contains(known)) {
            return;
        }
        let range = ranges.entry(column.to_owned()).or_insert([x, x]);
        *range = [range[0].min(x), range[1].max(x)];
    };
    for run in runs {
        add("n0", run.n0);
        add("rate", run.rate);
        add("loss0", run.loss0);
        for point in &run.points {
            add("tokens", point.tokens);
            add("loss", point.loss);
        }
    }
    ranges
}

/// One plan for each distinct pruned model of the data, sorted by size and rate.
fn decisions(law: &GroupLaw, runs: &[&Run], wish: &Wish) -> Result<Vec<Plan>> {
    let mut places: Vec<(Place, &str)> =
        runs.iter().map(|run| (run.place(), run.base.as_str())).collect();
    let key = |place: &Place| [place.n0, place.rate, place.loss0];
    places.sort_by(|a, b| {
        let order = key(&a.0).partial_cmp(&key(&b.0)).expect("a table holds no NaN");
        order.then(a.1.cmp(b.1))
    });
    // Without a posterior a base does not matter beyond its loss.
    places.dedup_by(|a, b| a.0 == b.0 && (law.levels().is_none() || a.1 == b.1));
    let decide = |(place, base)| law.decide(place, Subject::KnownBase(base), wish);
    places.into_iter().map(decide).collect()
}
