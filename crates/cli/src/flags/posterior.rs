//! How intervals are made, and what a posterior is told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use law::levels::{Levels, Normal, Priors, Shape};
use law::uncertainty::Intervals;
use law::{GroupLaw, Settings};

/// The largest file of priors that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct PosteriorFlags {
    /// How intervals are made: from the posterior of a law with levels, by leaving out runs, by
    /// simulation, or by drawing runs with replacement. The posterior needs two runs of three
    /// points
    #[arg(long, value_enum, default_value_t = IntervalsFlag::Posterior)]
    intervals: IntervalsFlag,
    /// The curves of a posterior. With `fall` the exponent of the tokens follows the excess;
    /// `power` is a power of the tokens. `auto` tries both and keeps the one that predicts a
    /// left-out base better
    #[arg(long, value_enum, default_value_t = CurveFlag::Auto)]
    curve: CurveFlag,
    /// Priors of a posterior: a TOML file of lines such as `floor = { mean = 0, sd = 1 }`, or the
    /// `law.json` of other models, whose posterior becomes the prior
    #[arg(long, value_name = "FILE")]
    prior: Option<PathBuf>,
    /// Seed of draws and of simulated data
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IntervalsFlag {
    Posterior,
    Jackknife,
    Parametric,
    Pairs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CurveFlag {
    Auto,
    Fall,
    Power,
}

impl PosteriorFlags {
    /// The file of priors.
    pub(crate) fn prior(&self) -> Option<&Path> {
        self.prior.as_deref()
    }

    /// Settings with these intervals, curves, priors and seed.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            intervals: match self.intervals {
                IntervalsFlag::Posterior => Intervals::Posterior,
                IntervalsFlag::Jackknife => Intervals::Jackknife,
                IntervalsFlag::Parametric => Intervals::Parametric,
                IntervalsFlag::Pairs => Intervals::Pairs,
            },
            shape: match self.curve {
                CurveFlag::Auto => None,
                CurveFlag::Fall => Some(Shape::Fall),
                CurveFlag::Power => Some(Shape::Power),
            },
            priors: match &self.prior {
                Some(path) => priors(path)?,
                None => Priors::default(),
            },
            seed: self.seed,
            ..Settings::default()
        })
    }
}

/// The default priors, changed by a file, or by what another law has learnt.
pub(crate) fn priors(path: &Path) -> anyhow::Result<Priors> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        let law = regrow::law_file::read(path)?;
        let levels: Vec<&Levels> = law.groups().iter().filter_map(GroupLaw::levels).collect();
        return Priors::carried(&levels).with_context(|| {
            format!(
                "`{}` holds no posterior, expected one: fit it again, from two runs or more of three points or more",
                path.display()
            )
        });
    }
    let name = || format!("`{}` holds no priors", path.display());
    let text = disk::read_to_string(path, LIMIT).with_context(name)?;
    let changes: BTreeMap<String, Normal> = toml::from_str(&text).with_context(name)?;
    Priors::default().with(changes).with_context(name)
}
