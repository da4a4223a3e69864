//! The candidates of a plan, from flags or from a table.

use std::path::PathBuf;

use clap::Args;
use law::plan::Candidate;
use law::{GroupLaw, Law, Place};
use ledger::Objective;

use crate::flags::place::{Size, loss_is_measured, series};
use crate::flags::rate::rate;
use crate::terminal::usage;
use regrow::count::Count;

/// Which models, pruned how and how far.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which model")]
pub(super) struct CandidateFlags {
    /// Parameters before pruning; several make several candidates
    #[arg(long, value_name = "N", value_delimiter = ',', required_unless_present_any = ["model", "candidates"], conflicts_with = "model")]
    n0: Vec<Count>,
    /// Take the parameters, and the series where the law holds it, of a public model by its name,
    /// or of a model folder
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    model: Vec<String>,
    /// Held-out loss before pruning, nats per token: one for each `--n0` or `--model`, in their
    /// order
    #[arg(long, value_name = "NATS", value_delimiter = ',', allow_negative_numbers = true)]
    loss0: Vec<f64>,
    /// Pruning rates [default: those that the law's runs have at the nearest size]
    #[arg(long, value_parser = rate, value_name = "RATE", value_delimiter = ',', allow_negative_numbers = true)]
    rate: Vec<f64>,
    /// The model series, where the law holds several
    #[arg(long)]
    series: Option<String>,
    /// The method makes weights zero and keeps them: for a method whose id does not tell
    #[arg(long, conflicts_with = "removed")]
    zeroed: bool,
    /// The method removes weights: for a method whose id does not tell
    #[arg(long)]
    removed: bool,
    /// The pruning method [default: every one that the law holds for the series]
    #[arg(long)]
    method: Option<String>,
    /// What the runs were trained for: `lm`, `distil` or `mix` [default: every one that the law
    /// holds for the method]
    #[arg(long)]
    objective: Option<String>,
    /// Take candidates from a CSV table instead: `model` or `n0`, `loss0`, and if wanted `series`,
    /// `method`, `rate`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["n0", "model", "loss0"])]
    candidates: Option<PathBuf>,
}

/// A model and what was asked about it. The law fills in what is missing.
struct Wanted {
    size: Size,
    loss0: f64,
    series: Option<String>,
    method: Option<String>,
    objective: Option<String>,
    rates: Vec<f64>,
}

impl CandidateFlags {
    /// The table of candidates.
    pub(super) fn table(&self) -> Option<&PathBuf> {
        self.candidates.as_ref()
    }

    /// What `--zeroed` or `--removed` says about methods with unknown ids; `None` without these
    /// flags.
    pub(super) fn zeroed(&self) -> Option<bool> {
        (self.zeroed || self.removed).then_some(self.zeroed)
    }

    pub(super) fn candidates(&self, law: &Law) -> anyhow::Result<Vec<Candidate>> {
        let mut found = Vec::new();
        for wanted in self.wanted()? {
            found.extend(wanted.candidates(law)?);
        }
        Ok(found)
    }

    fn wanted(&self) -> anyhow::Result<Vec<Wanted>> {
        if let Some(path) = &self.candidates {
            let wanted = |row: store::CandidateRow| {
                let size = match (&row.model, row.n0) {
                    (Some(model), n0) => {
                        let size = Size::of_model(model)?;
                        // A given `n0` wins over the model's own count.
                        Size { n0: n0.unwrap_or(size.n0), ..size }
                    }
                    (None, n0) => Size { n0: n0.unwrap_or_default(), ..Size::of_count(0) },
                };
                Ok(Wanted {
                    size,
                    loss0: row.loss0,
                    series: row.series.or(self.series.clone()),
                    method: match row.rate {
                        // A rate of 0 means the unpruned model, whatever the method column says.
                        Some(0.0) => Some("none".to_owned()),
                        _ => row.method.or(self.method.clone()),
                    },
                    objective: self.objective.clone(),
                    rates: row.rate.map_or_else(|| self.rate.clone(), |rate| vec![rate]),
                })
            };
            return store::read_candidates(path)?.into_iter().map(wanted).collect();
        }
        let sizes: Vec<Size> = match self.model.is_empty() {
            true => self.n0.iter().map(|n0| Size::of_count(n0.0)).collect(),
            false => {
                self.model.iter().map(|model| Size::of_model(model)).collect::<Result<_, _>>()?
            }
        };
        if self.loss0.is_empty() {
            return Err(loss_is_measured());
        }
        if self.loss0.len() != sizes.len() {
            return Err(usage("give one `--loss0` for each `--n0` or `--model`, in their order"));
        }
        let wanted = |(size, &loss0): (Size, &f64)| Wanted {
            size,
            loss0,
            series: self.series.clone(),
            method: self.method.clone(),
            objective: self.objective.clone(),
            rates: self.rate.clone(),
        };
        Ok(sizes.into_iter().zip(&self.loss0).map(wanted).collect())
    }
}

impl Wanted {
    fn candidates(&self, law: &Law) -> anyhow::Result<Vec<Candidate>> {
        let candidate = |series: &str, method: &str, objective: &str, rate: f64| Candidate {
            model: self.size.name.clone(),
            series: series.to_owned(),
            method: method.to_owned(),
            objective: Some(objective.to_owned()),
            place: Place { n0: self.size.n0, rate, loss0: self.loss0 },
            embedding: self.size.embedding,
        };
        let of = series(law, self.series.as_deref(), &self.size)?;
        // The unpruned model needs no group of the law: its loss is given.
        if self.rates == [0.0] && self.method.as_deref() == Some("none") {
            let series = of
                .unwrap_or_else(|| law.groups().first().map_or("unnamed", |group| group.series()));
            return Ok(vec![candidate(series, "none", Objective::LM, 0.0)]);
        }
        let (method, objective) = (self.method.as_deref(), self.objective.as_deref());
        let groups = law.groups_for(of, method, objective)?;
        if groups.iter().any(|group| group.series() != groups[0].series()) {
            // A model belongs to one series. Asking the law for a single group gives the error that
            // lists them.
            return Err(match law.group_for(of, method, objective) {
                Err(error) => error.into(),
                Ok(_) => usage("`--series`"),
            });
        }
        let mut found = Vec::new();
        for group in groups {
            let rates = if self.rates.is_empty() {
                rates_near(group, self.size.n0)
            } else {
                self.rates.clone()
            };
            found.extend(
                rates
                    .into_iter()
                    .map(|rate| candidate(group.series(), group.method(), group.objective(), rate)),
            );
        }
        Ok(found)
    }
}

/// The pruning rates of the law's runs at the size nearest to this one.
fn rates_near(group: &GroupLaw, n0: f64) -> Vec<f64> {
    // Sizes span orders of magnitude, so distance is measured in the logarithm.
    let far = |place: &Place| (place.n0 / n0).ln().abs();
    let places: Vec<Place> = group.decisions().iter().map(|plan| plan.place()).collect();
    let nearest = places.iter().map(far).fold(f64::INFINITY, f64::min);
    let mut rates: Vec<f64> = places
        .iter()
        // Bases of one size that differ by up to 1 % count as equally near.
        .filter(|place| far(place) <= nearest + 0.01)
        .map(|place| place.rate)
        .collect();
    rates.sort_by(f64::total_cmp);
    // Several bases of one size have the same rates.
    rates.dedup();
    rates
}
