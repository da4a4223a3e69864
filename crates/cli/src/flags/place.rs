//! The pruned model that a law is asked about: its size by number or by name, its rate, and the
//! loss before pruning.

use std::path::Path;

use clap::Args;
use law::levels::Subject;
use law::{GroupLaw, Law, Place, Prediction};
use model::folder::ModelFolder;
use shape::config::ModelConfig;
use shape::count::Count as Parameters;

use crate::flags::rate::rate;
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
        value_parser = rate,
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

/// The size of a model before pruning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Size {
    /// The name of the model, if it has one.
    pub(crate) name: Option<String>,
    pub(crate) n0: f64,
    /// Parameters of an untied input embedding; 0 where it is tied or unknown.
    pub(crate) embedding: f64,
    /// Its series in the catalogue.
    pub(crate) series: Option<&'static str>,
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
        let series = series(law, self.series.as_deref(), &self.size()?)?;
        let (method, objective) = (self.method.as_deref(), self.objective.as_deref());
        law.group_for(series, method, objective).map_err(Into::into)
    }

    fn size(&self) -> anyhow::Result<Size> {
        match (&self.model, self.n0) {
            (Some(model), _) => Size::of_model(model),
            (None, n0) => Ok(Size::of_count(n0.map_or(0, |n0| n0.0))),
        }
    }
}

impl Size {
    pub(crate) fn of_count(n0: u64) -> Self {
        Self { name: None, n0: n0 as f64, embedding: 0.0, series: None }
    }

    /// The size of a model folder, of a `config.json`, or of a public model.
    pub(crate) fn of_model(model: &str) -> anyhow::Result<Self> {
        let (config, series) = config_of(model)?;
        let count = Parameters::of(&config);
        let name = Some(model.to_owned());
        Ok(Self { name, n0: count.total() as f64, embedding: count.looked_up() as f64, series })
    }
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

/// The requested series, or else that of a public model, if the law has that series.
///
/// # Errors
/// If the law is of another family than the public model, and no series is requested.
pub(crate) fn series<'a>(
    law: &Law,
    asked: Option<&'a str>,
    size: &Size,
) -> anyhow::Result<Option<&'a str>> {
    let Some(own) = size.series.filter(|_| asked.is_none()) else { return Ok(asked) };
    if law.groups().iter().any(|group| group.series() == own) {
        return Ok(Some(own));
    }
    // The law may use another name for the series, such as `llama` for `llama-3`.
    let other = law.groups().iter().all(|group| {
        let known = FAMILIES.iter().find(|family| is_of(group.series(), family));
        known.is_some_and(|family| !is_of(own, family))
    });
    if other && let Some(group) = law.groups().first() {
        let (series, model) = (group.series(), size.name.as_deref().unwrap_or_default());
        anyhow::bail!(
            "the law was fitted to `{series}`, and `{model}` is of `{own}`: a law of one series says nothing about \
             another; fit a law to runs of `{own}`, or ask this one all the same with `--series {series}`"
        );
    }
    Ok(None)
}

/// Families of public models, by the beginning of a series' name.
const FAMILIES: [&str; 2] = ["llama", "qwen"];

fn is_of(series: &str, family: &str) -> bool {
    series.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family))
}

/// The error for a missing loss before pruning, which no catalogue can supply.
pub(crate) fn loss_is_measured() -> anyhow::Error {
    usage(
        "the loss before pruning is not given, and no catalogue holds it: measure it with \
         `regrow eval MODEL --corpus CORPUS` on the held-out text of the law's own runs, and give it as `--loss0`",
    )
}
