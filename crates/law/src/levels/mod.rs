//! A law with levels: what a base and a run tell about themselves.
//!
//! Every run has a curve of its own: a level, a rate of fall and a floor. They scatter around those
//! of its base, and bases around a mean that follows size and rate. How much they scatter is part
//! of the answer. So the law gives different answers about a run that it has seen, a new run from a
//! base that it has seen, and a base that it has not seen: see [`Subject`].
//!
//! The posterior is sampled once, when the law is fitted. A law file keeps some hundred draws, and
//! whoever reads it needs no sampler.

#[cfg(feature = "sampler")]
mod anchor;
mod believed;
mod carry;
// Without a sampler draws are only read, and most of the density has no use.
#[cfg_attr(not(feature = "sampler"), allow(dead_code))]
mod density;
#[cfg_attr(not(feature = "sampler"), allow(dead_code))]
mod diagnostics;
mod draws;
#[cfg_attr(not(feature = "sampler"), allow(dead_code))]
mod gauge;
#[cfg_attr(not(feature = "sampler"), allow(dead_code))]
mod groups;
mod information;
#[cfg(feature = "sampler")]
mod left_out;
#[cfg(feature = "sampler")]
mod mode;
mod one_run;
#[cfg(feature = "sampler")]
mod pareto;
mod preference;
#[cfg(feature = "sampler")]
mod preferred;
#[cfg_attr(not(feature = "sampler"), allow(dead_code))]
mod prior;
#[cfg(feature = "sampler")]
mod sampler;
#[cfg_attr(not(feature = "sampler"), allow(dead_code))]
mod shape;
#[cfg(feature = "sampler")]
mod simulated;
#[cfg(feature = "sampler")]
mod steady;
#[cfg(test)]
mod testing;
#[cfg(feature = "sampler")]
mod triangle;

pub(crate) use believed::{Believed, Scales};
pub use diagnostics::Diagnostics;
pub(crate) use draws::{BEYOND, nearest_rate};
pub use draws::{Curves, Subject, quantile};
pub use gauge::Gauge;
pub(crate) use gauge::median;
pub(crate) use information::{Curve, Line, RunPlace, World};
#[cfg(feature = "sampler")]
pub use left_out::LeftOutBase;
pub(crate) use one_run::{OF_RUN, OneRun};
pub use preference::Preference;
pub use prior::{Normal, Priors};
#[cfg(feature = "sampler")]
pub use sampler::Sampling;
pub use shape::Shape;

use serde::{Deserialize, Serialize};

use self::density::LATENT;
use self::groups::Groups;
use self::prior::SHARED;
#[cfg(feature = "sampler")]
use crate::table::Run;

/// A posterior, as a law file holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    shape: Shape,
    gauge: Gauge,
    priors: Priors,
    diagnostics: Diagnostics,
    /// The other family of curves, if both were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preference: Option<Preference>,
    groups: Groups,
    runs: Vec<SeenRun>,
    /// Draws of the constants: those of [`Priors`], three effects for each group, and level, rate
    /// of fall and floor of each run, in the gauge.
    draws: Vec<Vec<f64>>,
}

/// A run that the law has seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenRun {
    name: String,
    /// The place of its base in the list of bases.
    base: usize,
    n0: f64,
    rate: f64,
    loss0: f64,
    /// Tokens and excess of its last point.
    tokens: f64,
    excess: f64,
}

/// Draws that a law file keeps.
#[cfg(feature = "sampler")]
const KEPT: usize = 400;

impl Levels {
    /// Samples the posterior of some runs. `None` if there is no chain at all; whether chains have
    /// met is for [`Levels::diagnostics`] to say.
    #[cfg(feature = "sampler")]
    pub fn sample(
        runs: &[&Run],
        shape: Shape,
        priors: &Priors,
        sampling: &Sampling,
    ) -> Option<Self> {
        if runs.iter().all(|run| run.points.is_empty()) {
            return None;
        }
        let gauge = Gauge::of(runs);
        let groups = Groups::of(runs);
        let density = density::Density::new(shape, runs, &groups, &gauge, priors);
        let drawn = sampler::sample(&density, sampling)?;
        let stride = drawn.draws.len().div_ceil(KEPT).max(1);
        // Five decimals of logarithms are far below what is known, and make a small file.
        let short = |x: &f64| (x * 1e5).round() / 1e5;
        let thinned = drawn.draws.iter().step_by(stride);
        let draws = thinned.map(|draw| draw.iter().map(short).collect()).collect();
        let seen = |run: &&Run| {
            let last = run.points.last();
            SeenRun {
                name: run.name.clone(),
                base: groups.base(&run.base).unwrap_or(0),
                n0: run.n0,
                rate: run.rate,
                loss0: run.loss0,
                tokens: last.map_or(1.0, |point| point.tokens),
                excess: last.map_or(0.0, |point| point.loss - run.loss0),
            }
        };
        Some(Self {
            shape,
            gauge,
            priors: priors.clone(),
            diagnostics: drawn.diagnostics,
            preference: None,
            runs: runs.iter().map(seen).collect(),
            groups,
            draws,
        })
    }

    /// Whether the chains have met.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }

    /// The family of its curves.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The other family of curves and how it did, if both were tried.
    pub fn preference(&self) -> Option<&Preference> {
        self.preference.as_ref()
    }

    /// The priors it was fitted with.
    pub fn priors(&self) -> &Priors {
        &self.priors
    }

    /// The bases that it has seen.
    pub fn bases(&self) -> &[String] {
        self.groups.bases()
    }

    /// The size of a base that it has seen, parameters before pruning.
    pub fn size_of(&self, base: &str) -> Option<f64> {
        let place = self.groups.base(base)?;
        self.runs.iter().find(|run| run.base == place).map(|run| run.n0)
    }

    /// The runs that it has seen.
    pub fn runs(&self) -> &[SeenRun] {
        &self.runs
    }

    /// The draws of one constant, by its name among [`Priors`].
    pub fn constant(&self, name: &str) -> Option<Vec<f64>> {
        let place = Priors::constants().position(|(known, _)| known == name)?;
        prior::is_used(self.shape, place)
            .then(|| self.draws.iter().map(|draw| draw[place]).collect())
    }

    /// Checks what comes from a file.
    pub(crate) fn validate(&self) -> Result<(), String> {
        self.priors.check()?;
        let Gauge { n0, rate, tokens, excess, step } = self.gauge;
        if [n0, rate, tokens, excess, step].iter().any(|x| !(x.is_finite() && *x > 0.0)) {
            return Err("the gauge of `levels` holds a number that is not above 0".to_owned());
        }
        self.groups.check()?;
        self.preference.as_ref().map_or(Ok(()), Preference::check)?;
        let length = SHARED + LATENT * (self.groups.count() + self.runs.len());
        if self.draws.is_empty() {
            return Err("`levels` holds no draws".to_owned());
        }
        for (i, draw) in self.draws.iter().enumerate() {
            if draw.len() != length || draw.iter().any(|x| !x.is_finite()) {
                let found = draw.len();
                return Err(format!(
                    "draw {} of `levels` holds {found} numbers, expected {length} finite ones",
                    i + 1
                ));
            }
        }
        let is_whole = |run: &&SeenRun| {
            let numbers = [run.n0, run.rate, run.loss0, run.tokens, run.excess];
            let positive = [run.n0, run.rate, run.tokens].iter().all(|x| *x > 0.0);
            run.base < self.bases().len() && positive && numbers.iter().all(|x| x.is_finite())
        };
        match self.runs.iter().find(|run| !is_whole(run)) {
            Some(run) => Err(format!("run `{}` of `levels` is not whole", run.name)),
            None => Ok(()),
        }
    }
}

impl SeenRun {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Parameters before pruning.
    pub fn n0(&self) -> f64 {
        self.n0
    }

    /// The pruning rate.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Loss before pruning, nats per token.
    pub fn loss0(&self) -> f64 {
        self.loss0
    }

    /// Tokens of its last point.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }
}
