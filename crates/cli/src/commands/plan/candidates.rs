//! The candidates of a plan, from flags or from a table.

use std::path::PathBuf;

use clap::Args;
use law::Law;
use law::plan::{Candidate, ModelSize, Wanted};
use ledger::written_rate;

use crate::flags::place::{loss_is_measured, size_of_model};
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
    #[arg(long, value_parser = written_rate, value_name = "RATE", value_delimiter = ',', allow_negative_numbers = true)]
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
                        let size = size_of_model(model)?;
                        // A given `n0` wins over the model's own count.
                        ModelSize { n0: n0.unwrap_or(size.n0), ..size }
                    }
                    (None, n0) => {
                        ModelSize { n0: n0.unwrap_or_default(), ..ModelSize::of_count(0.0) }
                    }
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
        let sizes: Vec<ModelSize> = match self.model.is_empty() {
            true => self.n0.iter().map(|n0| ModelSize::of_count(n0.0 as f64)).collect(),
            false => {
                self.model.iter().map(|model| size_of_model(model)).collect::<Result<_, _>>()?
            }
        };
        if self.loss0.is_empty() {
            return Err(loss_is_measured());
        }
        if self.loss0.len() != sizes.len() {
            return Err(usage("give one `--loss0` for each `--n0` or `--model`, in their order"));
        }
        let wanted = |(size, &loss0): (ModelSize, &f64)| Wanted {
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
