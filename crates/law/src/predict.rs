//! The loss that a law predicts at one place, and when it gives no number.

use crate::code::Code;
use crate::error::{Fault, Result};
use crate::form::{Axis, Follows, Form};
use crate::identify::{RATE_TOLERANCE, SIZE_TOLERANCE, same};
use crate::law::{GroupLaw, Law};
use crate::levels::{Curves, Subject, quantile};
use crate::method::rate_follows_size;
use crate::place::Place;
use crate::prediction::{CurvePoint, FARTHEST, Outside, Prediction};

/// How a place lies outside the data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reach {
    /// Axes with one level, so that the form knows nothing elsewhere.
    pub(crate) unknown: Vec<Axis>,
    /// Axes with two levels, so that a range of laws fits the data.
    pub(crate) open: Vec<Axis>,
    /// Axes along which the place lies outside the data.
    pub(crate) outside: Vec<Outside>,
}

/// The caveat of an answer from one run.
pub(crate) const ONE_RUN_SAYS: &str = "one run does not say how runs differ: the interval is of its own curve, and there is none for a new run";
/// No point is predicted if half the interval is wider than this share of the excess, and than
/// [`WIDEST_NATS`].
const WIDEST: f64 = 0.25;
/// The same for a law with levels. Its interval is that of the run or base that is asked about, and
/// bases of one recipe differ by a tenth to three tenths of the excess whatever is measured. Beyond
/// this the upper end of the excess is more than three times the lower one.
const WIDEST_OF_LEVELS: f64 = 0.5;
/// A loss that is known to this many nats is known, however small the excess is.
const WIDEST_NATS: f64 = 0.02;

/// A loss and its intervals. What is unknown is absent.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    value: Option<f64>,
    mean: Option<[f64; 2]>,
    new_run: Option<[f64; 2]>,
    /// Half the width that decides whether there is a single number.
    half: Option<f64>,
}

impl Law {
    /// Predicts the loss at a place after some tokens. Series and method may be `None` if the law
    /// holds one group.
    ///
    /// # Errors
    /// If the names do not select one group, or a number lies outside its range.
    ///
    /// ```
    /// use law::{Place, Settings, Table, TableRow};
    /// let row = |tokens: f64| TableRow { loss: 2.3 + 40.0 * tokens.powf(-0.5), tokens, ..TableRow::run("a", 1e9, 0.25, 2.0) };
    /// let law = law::fit(&Table::new([1e4, 1e5, 1e6, 1e7].map(row))?, &Settings::default())?;
    /// let place = Place::new(1e9, 0.25, 2.0)?;
    /// let inside = law.predict(None, None, place, 4e6)?;
    /// assert!((inside.loss().unwrap() - 2.32).abs() < 1e-6 && inside.outside().is_empty());
    /// let beyond = law.predict(None, None, place, 4e7)?;
    /// assert_eq!((beyond.outside()[0].axis().name(), beyond.outside()[0].factor()), ("tokens", 4.0));
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn predict(
        &self,
        series: Option<&str>,
        method: Option<&str>,
        place: Place,
        tokens: f64,
    ) -> Result<Prediction> {
        self.group(series, method)?.predict(place, tokens)
    }
}

impl GroupLaw {
    /// Predicts the loss at a place after some tokens. With levels the place belongs to a base that
    /// the law has not seen.
    pub fn predict(&self, place: Place, tokens: f64) -> Result<Prediction> {
        self.predict_about(Subject::NewBase, place, tokens)
    }

    /// Predicts the loss of a run that the law has seen, after some tokens.
    ///
    /// # Errors
    /// If the law has no levels or no such run, with the nearest name.
    pub fn predict_run(&self, run: &str, tokens: f64) -> Result<Prediction> {
        let place = self.place_of(run)?;
        self.predict_about(Subject::Run(run), place, tokens)
    }

    /// Predicts the loss of a new run from a base that the law has seen.
    ///
    /// # Errors
    /// If the law has no levels or no such base, with the nearest name. If the base has another
    /// size than the place.
    pub fn predict_base(&self, base: &str, place: Place, tokens: f64) -> Result<Prediction> {
        self.check_base(base, place.n0)?;
        self.predict_about(Subject::KnownBase(base), place, tokens)
    }

    /// The place of a run that the law has seen.
    ///
    /// # Errors
    /// If the law has no levels or no such run, with the nearest name.
    pub fn place_of(&self, run: &str) -> Result<Place> {
        let levels = self.levels().ok_or(Fault::NoLevels)?;
        let found = levels.runs().iter().find(|seen| seen.name() == run);
        let seen = found
            .ok_or_else(|| unknown("run", run, levels.runs().iter().map(|seen| seen.name())))?;
        Ok(Place { n0: seen.n0(), rate: seen.rate(), loss0: seen.loss0() })
    }

    fn check_base(&self, base: &str, n0: f64) -> Result<()> {
        let levels = self.levels().ok_or(Fault::NoLevels)?;
        let known = levels.size_of(base);
        let known = known
            .ok_or_else(|| unknown("base", base, levels.bases().iter().map(String::as_str)))?;
        match same(known, n0, SIZE_TOLERANCE) {
            true => Ok(()),
            false => Err(Fault::OtherBase { base: base.to_owned(), found: n0, known }.into()),
        }
    }

    /// The law's curve at a place, also where it is too uncertain for a single number. Where the
    /// law knows nothing there are no points. Without levels the subject does not matter.
    pub fn curve(
        &self,
        subject: Subject<'_>,
        place: Place,
        tokens: impl IntoIterator<Item = f64>,
    ) -> Result<Vec<CurvePoint>> {
        let form = self.form()?;
        let curves = self.curves_of(subject, place);
        let point = |tokens: f64| {
            let known = self.reach(form, &place, Some(tokens)).is_known();
            let Spread { value, mean, new_run, .. } =
                self.spread_at(form, curves.as_ref(), place, tokens);
            let loss = value.filter(|_| known)?;
            Some(CurvePoint { tokens, loss, mean, new_run })
        };
        Ok(tokens.into_iter().filter_map(point).collect())
    }

    /// What levels hold possible; `None` without levels.
    pub(crate) fn curves_of(&self, subject: Subject<'_>, place: Place) -> Option<Curves> {
        self.levels()?.curves(subject, place.n0, place.rate)
    }

    fn spread_at(
        &self,
        form: &dyn Form,
        curves: Option<&Curves>,
        place: Place,
        tokens: f64,
    ) -> Spread {
        match curves {
            Some(curves) => self.of_levels(curves, place, tokens),
            None => self.of_constants(form, place, tokens),
        }
    }

    /// The loss that levels foretell, and its intervals.
    fn of_levels(&self, curves: &Curves, place: Place, tokens: f64) -> Spread {
        let ends = |mut excesses: Vec<f64>| {
            let tail = 0.5 * (1.0 - self.level);
            let low = quantile(&mut excesses, tail)?;
            let ends = [place.loss0 + low, place.loss0 + quantile(&mut excesses, 1.0 - tail)?];
            // A law file may hold draws that no data gave.
            Some(ends).filter(|ends| ends.iter().all(|end| end.is_finite()))
        };
        let measured = ends(curves.measured(tokens));
        let middle = quantile(&mut curves.excesses(tokens), 0.5);
        Spread {
            value: middle.map(|excess| place.loss0 + excess).filter(|x| x.is_finite()),
            mean: ends(curves.excesses(tokens)),
            new_run: measured,
            half: measured.map(|[low, high]| 0.5 * (high - low)),
        }
    }

    /// The loss that the constants foretell, and its intervals.
    fn of_constants(&self, form: &dyn Form, place: Place, tokens: f64) -> Spread {
        let row = self.row(&place.row(tokens));
        let Some((value, half)) =
            self.spread(form, |parameters| Some(form.value(parameters, &row)))
        else {
            return Spread::default();
        };
        let around = |half: f64| [value - half, value + half];
        Spread {
            value: Some(value),
            mean: half.map(around),
            new_run: half.and_then(|half| self.new_run_half(half)).map(around),
            half,
        }
    }

    pub(crate) fn predict_about(
        &self,
        subject: Subject<'_>,
        place: Place,
        tokens: f64,
    ) -> Result<Prediction> {
        let place = Place::new(place.n0, place.rate, place.loss0)?;
        if !(1.0..=1e18).contains(&tokens) {
            return Err(Fault::Setting {
                name: "tokens",
                found: tokens,
                expected: "a token count from 1 to 1e18",
            }
            .into());
        }
        let form = self.form()?;
        let row = self.row(&place.row(tokens));
        let reach = self.reach(form, &place, Some(tokens));
        let curves = self.curves_of(subject, place);
        let mut prediction = Prediction {
            about: curves.is_some().then(|| subject.into()),
            loss: None,
            mean: None,
            new_run: None,
            hull: None,
            level: self.level,
            code: Vec::new(),
            outside: reach.outside.clone(),
            sentence: String::new(),
        };
        let mut sentences = Vec::new();
        self.describe(&reach, &mut prediction.code, &mut sentences);
        // Inside the data even a wrong form stays near them. Outside, nothing limits its error.
        // Levels have curves of their own.
        let misfit = self.misfit().filter(|_| curves.is_none());
        let adrift = misfit.is_some() && !reach.outside.is_empty();
        if let Some(sentence) = misfit {
            prediction.code.push(Code::LackOfFit);
            sentences.push(sentence);
        }
        if reach.unknown.is_empty() && !reach.open.is_empty() {
            prediction.hull = self.hull(|form, parameters| Some(form.value(parameters, &row)));
        }
        let spread = self.spread_at(form, curves.as_ref(), place, tokens);
        if reach.is_known()
            && let Spread { value: Some(value), mean, new_run, half } = spread
        {
            prediction.mean = mean;
            prediction.new_run = new_run;
            let (share, name) = match curves {
                Some(_) => (WIDEST_OF_LEVELS, "half"),
                None => (WIDEST, "a quarter"),
            };
            let wide = half.is_some_and(|half| {
                half > share * (value - place.loss0).abs() && half > WIDEST_NATS
            });
            if wide {
                prediction.code.push(Code::IntervalTooWide);
                sentences.push(format!(
                    "the interval is wider than {name} of the predicted excess, and than {WIDEST_NATS} \
                     nats, on either side"
                ));
            }
            if self.runs == 1 && half.is_some() {
                prediction.code.push(Code::OneRun);
                sentences.push(ONE_RUN_SAYS.to_owned());
            }
            if half.is_none() {
                prediction.code.push(Code::NoInterval);
                sentences.push("there are too few data for an interval".to_owned());
            }
            // A single number needs a narrow interval, a form that fits, and a place near the data.
            prediction.loss = (!wide && !adrift && !reach.is_far()).then_some(value);
        }
        prediction.sentence = prediction.say(&sentences);
        Ok(prediction)
    }

    /// How a place lies outside the data; without `tokens`, at any number of tokens.
    pub(crate) fn reach(&self, form: &dyn Form, place: &Place, tokens: Option<f64>) -> Reach {
        let mut reach = Reach::default();
        let mut look = |axis: Axis, x: f64, tolerance: f64, follows: Follows| {
            let Some(&[min, max]) = self.ranges.get(axis.name()) else { return };
            // At a measured level even a straight line is exact, so nothing is added.
            if same(x, min, tolerance) || same(x, max, tolerance) {
                return;
            }
            let is_inside = min <= x && x <= max;
            match follows {
                Follows::Line => reach.open.push(axis),
                // A value between two levels that count as one is known.
                Follows::Not if !is_inside || !same(min, max, tolerance) => {
                    reach.unknown.push(axis);
                }
                Follows::Not | Follows::Curve => {}
            }
            reach.outside.extend(Outside::of(axis, x, [min, max]));
        };
        look(Axis::N0, place.n0, SIZE_TOLERANCE, form.follows(Axis::N0));
        // With several rates in the data, or a rate that follows the size, other constants absorb
        // the rate.
        let varies = self.ranges.get("rate").is_some_and(|range| !has_one(*range));
        let rated = if varies || rate_follows_size(&self.method) {
            Follows::Curve
        } else {
            form.follows(Axis::Rate)
        };
        look(Axis::Rate, place.rate, RATE_TOLERANCE, rated);
        if let Some(tokens) = tokens {
            look(Axis::Tokens, tokens, 1e-9, form.follows(Axis::Tokens));
        }
        reach
    }

    /// Why the form is wrong for its own data, if a test rejected it.
    pub(crate) fn misfit(&self) -> Option<String> {
        let found = self.warnings.iter().filter(|warning| *warning.code() == Code::LackOfFit);
        let found: Vec<&str> = found.map(|warning| warning.sentence()).collect();
        (!found.is_empty())
            .then(|| format!("the law does not fit its own data {}", found.join(", nor ")))
    }

    /// Adds codes and sentences for a place outside the data.
    pub(crate) fn describe(
        &self,
        reach: &Reach,
        code: &mut Vec<Code>,
        sentences: &mut Vec<String>,
    ) {
        if !reach.is_known() {
            code.push(Code::LevelsTooFew);
        }
        for axis in &reach.unknown {
            sentences.push(format!("the runs hold one `{axis}`: nothing is known of another"));
        }
        for axis in &reach.open {
            sentences.push(format!(
                "the runs hold two values of `{axis}`: elsewhere there is a range, no number"
            ));
        }
        if !reach.outside.is_empty() {
            code.push(Code::Extrapolation);
            sentences.extend(
                reach.outside.iter().map(|outside| outside.say(self.ranges[outside.axis.name()])),
            );
        }
    }

    /// The smallest and the largest value of a quantity over all laws that describe the data
    /// equally well.
    pub(crate) fn hull(
        &self,
        quantity: impl Fn(&dyn Form, &[f64]) -> Option<f64>,
    ) -> Option<[f64; 2]> {
        let mut hull: Option<[f64; 2]> = None;
        for profile in &self.profile {
            let form = crate::form::by_name(&profile.form).ok()?;
            let parameters: Vec<f64> = form
                .parameters()
                .iter()
                .map(|parameter| profile.constants[parameter.name])
                .collect();
            let x = quantity(form, &parameters).filter(|x| x.is_finite())?;
            let [min, max] = hull.unwrap_or([x, x]);
            hull = Some([min.min(x), max.max(x)]);
        }
        hull
    }
}

impl Reach {
    /// Whether the law can give a number.
    pub(crate) fn is_known(&self) -> bool {
        self.unknown.is_empty() && self.open.is_empty()
    }

    /// Whether the place is too far outside the data for a single number.
    pub(crate) fn is_far(&self) -> bool {
        self.outside.iter().any(|outside| outside.factor > FARTHEST)
    }
}

impl Prediction {
    fn say(&self, caveats: &[String]) -> String {
        let percent = 100.0 * self.level;
        let of_points = self.new_run.filter(|_| self.about.is_some());
        let answer = match (self.loss, of_points.or(self.mean), self.hull) {
            (Some(loss), Some([low, high]), _) => {
                format!(
                    "the loss is {loss:.4} nats per token, {percent:.0} % interval {low:.4} to {high:.4}"
                )
            }
            (Some(loss), None, _) => format!("the loss is {loss:.4} nats per token"),
            (None, Some([low, high]), _) => {
                format!(
                    "no single number can be given; the {percent:.0} % interval is {low:.4} to {high:.4} nats"
                )
            }
            (None, None, Some([low, high])) => {
                format!("the data leave every loss from {low:.4} to {high:.4} nats open")
            }
            (None, None, None) => "the data cannot tell".to_owned(),
        };
        let answer = match self.about {
            Some(about) => format!("{answer}, for {about}"),
            None => answer,
        };
        let mut parts = vec![answer];
        parts.extend_from_slice(caveats);
        parts.join("; ")
    }
}

/// The error for a run or a base that the law has not seen.
pub(crate) fn unknown<'a>(
    what: &'static str,
    found: &str,
    known: impl Iterator<Item = &'a str>,
) -> Fault {
    let nearest = known.min_by_key(|known| crate::form::distance(found, known));
    let nearest = nearest.unwrap_or_default().to_owned();
    Fault::NotSeen { what, found: found.to_owned(), nearest }
}

fn has_one([min, max]: [f64; 2]) -> bool {
    same(min, max, RATE_TOLERANCE)
}
