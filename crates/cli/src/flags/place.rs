//! The pruned model that a law is asked about: its size by number or by name, its rate, and the
//! loss before pruning.

use std::path::Path;

use clap::Args;
use law::levels::Subject;
use law::plan::ModelSize;
use law::{GroupLaw, Law, Place, Prediction};
use ledger::written_rate;
use model::folder::ModelFolder;
use shape::config::ModelConfig;

use crate::terminal::usage;
use regrow::count::Count;

/// One pruned model, as `predict` asks about.
#[derive(Debug, Args)]
pub(crate) struct PlaceFlags {
    /// Parameters before pruning
    #[arg(
        long,
        value_name = "N",
        required_unless_present_any = ["model", "run"],
        conflicts_with_all = ["model", "run"]
    )]
    n0: Option<Count>,
    /// Take the parameters, and the series where the law holds it, of a public model by its name,
    /// or of a model folder
    #[arg(long, value_name = "MODEL", conflicts_with = "run")]
    model: Option<String>,
    /// Pruning rate: 0.25 or 25%
    #[arg(
        long,
        value_name = "RATE",
        value_parser = written_rate,
        allow_negative_numbers = true,
        required_unless_present = "run",
        conflicts_with = "run"
    )]
    rate: Option<f64>,
    /// Held-out loss before pruning, nats per token
    #[arg(long, value_name = "NATS", allow_negative_numbers = true, conflicts_with = "run")]
    loss0: Option<f64>,
    /// Ask about a run that the law has seen, continued. Size, rate and loss are its own
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Ask about a new run from a base that the law has seen, by its name. Without it the answer is
    /// for a base that the law has not seen
    #[arg(long, value_name = "BASE", conflicts_with = "run")]
    base: Option<String>,
    /// The model series, where the law holds several
    #[arg(long)]
    series: Option<String>,
    /// The pruning method, where the law holds several
    #[arg(long)]
    method: Option<String>,
    /// What the runs were trained for, where the law holds several: `lm`, `distil` or `mix`
    #[arg(long)]
    objective: Option<String>,
}

/// A prediction, and the place that it is about.
pub(crate) struct Foretold {
    pub(crate) place: Place,
    pub(crate) prediction: Prediction,
}

impl PlaceFlags {
    pub(crate) fn place(&self) -> anyhow::Result<Place> {
        let loss0 = self.loss0.ok_or_else(loss_is_measured)?;
        // Without a run the parser asks for a rate.
        Ok(Place::new(self.size()?.n0, self.rate.unwrap_or_default(), loss0)?)
    }

    /// What is asked about.
    pub(crate) fn subject(&self) -> Subject<'_> {
        match (&self.run, &self.base) {
            (Some(run), _) => Subject::Run(run),
            (None, Some(base)) => Subject::KnownBase(base),
            (None, None) => Subject::NewBase,
        }
    }

    /// The answer about this run, base or place, and the place.
    pub(crate) fn predict(&self, group: &GroupLaw, tokens: f64) -> anyhow::Result<Foretold> {
        let subject = self.subject();
        let place = match subject {
            Subject::Run(run) => group.place_of(run)?,
            Subject::KnownBase(_) | Subject::NewBase => self.place()?,
        };
        let prediction = match subject {
            Subject::Run(run) => group.predict_run(run, tokens),
            Subject::KnownBase(base) => group.predict_base(base, place, tokens),
            Subject::NewBase => group.predict(place, tokens),
        };
        Ok(Foretold { place, prediction: prediction? })
    }

    pub(crate) fn group<'a>(&self, law: &'a Law) -> anyhow::Result<&'a GroupLaw> {
        let series = law.series_for(self.series.as_deref(), &self.size()?)?;
        let (method, objective) = (self.method.as_deref(), self.objective.as_deref());
        law.group_for(series, method, objective).map_err(Into::into)
    }

    fn size(&self) -> anyhow::Result<ModelSize> {
        match (&self.model, self.n0) {
            (Some(model), _) => size_of_model(model),
            (None, n0) => Ok(ModelSize::of_count(n0.map_or(0.0, |n0| n0.0 as f64))),
        }
    }
}

/// The size of a model folder, of a `config.json`, or of a public model.
pub(crate) fn size_of_model(model: &str) -> anyhow::Result<ModelSize> {
    let (config, series) = config_of(model)?;
    Ok(planner::model_size(model, &config, series))
}

/// The configuration of a model folder, a `config.json`, or a public model by its name, with its
/// series in the catalogue.
pub(crate) fn config_of(model: &str) -> anyhow::Result<(ModelConfig, Option<&'static str>)> {
    let path = Path::new(model);
    // A folder of that name wins over a public model.
    if path.exists() {
        return Ok((ModelFolder::config_of(path)?, None));
    }
    let public = regrow::public_model(model)?;
    Ok((public.config(), Some(public.series())))
}

/// The error for a missing loss before pruning, which no catalogue can supply.
pub(crate) fn loss_is_measured() -> anyhow::Error {
    usage(
        "the loss before pruning is not given, and no catalogue holds it: measure it with \
         `regrow eval MODEL --corpus CORPUS` on the held-out text of the law's own runs, and give it as `--loss0`",
    )
}
