//! The law's predictions of held-out runs: curves with their bands, for each way of holding out.

use serde::{Deserialize, Serialize};

use crate::form::Form;
use crate::identify::Grid;
use crate::infer::{Settings, fit_group};
use crate::judge::{Cannot, Fold, Way};
use crate::levels::Subject;
use crate::place::Place;
use crate::table::{Group, Run};

/// How many token counts a curve is drawn through.
const STEPS: usize = 24;

/// One way of holding out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holdout {
    /// `last-checkpoints`, `largest-size`, `highest-rate`, `leave-one-run-out` or
    /// `leave-one-base-out`.
    pub(crate) name: String,
    /// How many fits were made: one, one for each base, or for runs at most eight, each without
    /// several of them.
    pub(crate) folds: usize,
    /// How many points were held out.
    pub(crate) points: usize,
    /// The baseline with the smallest mean absolute error here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best_baseline: Option<String>,
    /// The probability that a band contains a new point.
    pub(crate) level: f64,
    /// How many held-out points have a band.
    pub(crate) banded: usize,
    /// How many held-out points lie in their band.
    pub(crate) inside: usize,
    /// The held-out runs.
    pub(crate) curves: Vec<HeldOutCurve>,
    /// Why the data do not allow this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cannot: Option<Cannot>,
}

/// A run that is held out in part or as a whole, with the law's prediction of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOutCurve {
    /// The run.
    pub(crate) run: String,
    /// The size, rate and loss before pruning of the run.
    #[serde(flatten)]
    pub(crate) place: Place,
    /// The fitted points of this run: tokens and loss.
    pub(crate) fitted: Vec<[f64; 2]>,
    /// The held-out points: tokens and loss.
    pub(crate) held_out: Vec<[f64; 2]>,
    /// The law's curve: tokens and loss. Empty if the data cannot tell.
    pub(crate) curve: Vec<[f64; 2]>,
    /// The interval of the points: tokens, low and high end.
    pub(crate) band: Vec<[f64; 3]>,
    /// The held-out points for which the law gives a number, as `predict` does: tokens and loss.
    pub(crate) answers: Vec<[f64; 2]>,
}

impl Holdout {
    pub(super) fn new(
        way: Way,
        folds: &[Fold],
        best_baseline: Option<String>,
        level: f64,
        curves: Vec<HeldOutCurve>,
    ) -> Self {
        let points = folds.iter().flat_map(|fold| &fold.unseen).map(|run| run.points.len()).sum();
        // Curves are evaluated at every held-out count itself, so equality is safe.
        let (mut banded, mut inside) = (0, 0);
        for curve in &curves {
            for [tokens, loss] in &curve.held_out {
                if let Some([low, high]) = curve.band_at(*tokens) {
                    banded += 1;
                    inside += usize::from((low..=high).contains(loss));
                }
            }
        }
        let name = way.name().to_owned();
        Self {
            name,
            folds: folds.len(),
            points,
            best_baseline,
            level,
            banded,
            inside,
            curves,
            cannot: None,
        }
    }
}

/// The law is fitted to the seen runs. Returns its curve and band for every held-out run. With
/// levels they are about the run itself if a part of it was seen, or else about its base if that
/// was seen.
pub(super) fn curves(
    group: &Group,
    fold: &Fold,
    asked: &'static dyn Form,
    drawn: &'static dyn Form,
    settings: &Settings,
) -> Vec<HeldOutCurve> {
    let part = Group { runs: fold.seen.clone(), warnings: Vec::new(), ..group.clone() };
    // If the data left cannot determine the form, the largest that they can is taken, as for any
    // data.
    let gives_way = asked.reduces_to(Grid::of(&part.runs.iter().collect::<Vec<_>>(), &part.method));
    let form = if gives_way.is_some() { asked } else { drawn };
    let law = fit_group(&part, form, settings).ok();
    let pairs = |run: Option<&Run>| {
        let points = run.into_iter().flat_map(|run| &run.points);
        points.map(|point| [point.tokens, point.loss]).collect::<Vec<_>>()
    };
    let of_run = |run: &Run| {
        let place = Place { n0: run.n0, rate: run.rate, loss0: run.loss0 };
        let fitted = pairs(fold.seen.iter().find(|other| other.name == run.name));
        let held_out = pairs(Some(run));
        let (mut curve, mut band) = (Vec::new(), Vec::new());
        let knows_base = fold.seen.iter().any(|other| other.base == run.base);
        let subject = if !fitted.is_empty() {
            Subject::Run(&run.name)
        } else if knows_base {
            Subject::KnownBase(&run.base)
        } else {
            Subject::NewBase
        };
        if let Some(law) = &law {
            let places = places(fitted.first().or(held_out.first()), &held_out);
            for point in law.curve(subject, place, places).unwrap_or_default() {
                curve.push([point.tokens, point.loss]);
                band.extend(point.new_run.map(|[low, high]| [point.tokens, low, high]));
            }
        }
        let answer = |[tokens, _]: &[f64; 2]| {
            let found = law.as_ref()?.predict_about(subject, place, *tokens).ok()?;
            Some([*tokens, found.loss?])
        };
        let answers = held_out.iter().filter_map(answer).collect();
        HeldOutCurve { run: run.name.clone(), place, fitted, held_out, curve, band, answers }
    };
    fold.unseen.iter().map(of_run).collect()
}

/// Token counts from the first point to the last. All held-out counts are among them.
fn places(first: Option<&[f64; 2]>, held_out: &[[f64; 2]]) -> Vec<f64> {
    let (Some([low, _]), Some([high, _])) = (first, held_out.last()) else { return Vec::new() };
    let mut places: Vec<f64> =
        (0..STEPS).map(|i| low * (high / low).powf(i as f64 / STEPS as f64)).collect();
    places.extend(held_out.iter().map(|[tokens, _]| *tokens));
    places.sort_by(f64::total_cmp);
    places.dedup();
    places
}

impl Holdout {
    /// `last-checkpoints`, `largest-size`, `highest-rate`, `leave-one-run-out` or
    /// `leave-one-base-out`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many fits were made: one, one for each base, or for runs at most eight, each without
    /// several of them.
    pub fn folds(&self) -> usize {
        self.folds
    }

    /// How many points were held out.
    pub fn points(&self) -> usize {
        self.points
    }

    /// The baseline with the smallest mean absolute error here.
    pub fn best_baseline(&self) -> Option<&str> {
        self.best_baseline.as_deref()
    }

    /// The probability that a band contains a new point.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// How many held-out points have a band.
    pub fn banded(&self) -> usize {
        self.banded
    }

    /// How many held-out points lie in their band.
    pub fn inside(&self) -> usize {
        self.inside
    }

    /// The held-out runs.
    pub fn curves(&self) -> &[HeldOutCurve] {
        &self.curves
    }

    /// Why the data do not allow this way.
    pub fn cannot(&self) -> Option<&Cannot> {
        self.cannot.as_ref()
    }
}

impl HeldOutCurve {
    /// The interval after one of the held-out counts of tokens.
    pub(super) fn band_at(&self, tokens: f64) -> Option<[f64; 2]> {
        self.band.iter().find(|ends| ends[0] == tokens).map(|ends| [ends[1], ends[2]])
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The size, rate and loss before pruning of the run.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The fitted points of this run: tokens and loss.
    pub fn fitted(&self) -> &[[f64; 2]] {
        &self.fitted
    }

    /// The held-out points: tokens and loss.
    pub fn held_out(&self) -> &[[f64; 2]] {
        &self.held_out
    }

    /// The law's curve: tokens and loss. Empty if the data cannot tell.
    pub fn curve(&self) -> &[[f64; 2]] {
        &self.curve
    }

    /// The interval of the points: tokens, low and high end.
    pub fn band(&self) -> &[[f64; 3]] {
        &self.band
    }

    /// The held-out points for which the law gives a number, as `predict` does: tokens and loss.
    pub fn answers(&self) -> &[[f64; 2]] {
        &self.answers
    }
}
