//! A question: the fields of the form as they were written.

use law::Wish;
use law::plan::{Bill, Budget, Limits, Machine, ModelSize, Peak, Wanted};
use ledger::count::Count;
use ledger::written_rate;
use serde::Deserialize;

use crate::refused::Refused;
use crate::size::public_model_size;

/// The fields. An empty one is not asked about.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Question {
    /// A public model by its name. It goes before `n0`.
    pub(crate) model: String,
    /// Parameters before pruning.
    pub(crate) n0: String,
    /// The loss before pruning.
    pub(crate) loss0: String,
    /// One rate; without it, those of the law's runs.
    pub(crate) rate: String,
    pub(crate) series: String,
    pub(crate) method: String,
    pub(crate) objective: String,
    /// What the method does to weights, where its id does not tell: `zeroed` or `removed`.
    pub(crate) weights: String,
    /// Enough is where a doubling buys less than this.
    pub(crate) gain: String,
    /// A loss that is wanted.
    pub(crate) target: String,
    /// The tokens that there are.
    pub(crate) tokens: String,
    pub(crate) budget: String,
    /// Parameters that may be left.
    pub(crate) params: String,
    pub(crate) device: String,
    pub(crate) utilisation: String,
    /// The price of an hour of the device.
    pub(crate) price: String,
    /// `yes` if a teacher's distributions are read from a cache.
    pub(crate) cached: String,
}

/// The share of the peak that is taken where none is given, as the command does.
pub(crate) const UTILISATION: f64 = 0.4;

impl Question {
    /// Reads a question.
    pub(crate) fn read(text: &str) -> Result<Self, Refused> {
        let wrong = |error| Refused::of(format!("the question cannot be read: {error}"));
        serde_json::from_str(text).map_err(wrong)
    }

    /// What the method does to weights, where that is said.
    pub(crate) fn zeroed(&self) -> Result<Option<bool>, Refused> {
        match self.weights.trim() {
            "" => Ok(None),
            "zeroed" => Ok(Some(true)),
            "removed" => Ok(Some(false)),
            other => {
                let text = format!("weights are `{other}`, expected `zeroed` or `removed`");
                Err(Refused::field("weights", text))
            }
        }
    }

    /// The model and what is asked about it.
    pub(crate) fn wanted(&self) -> Result<Wanted, Refused> {
        let rate = given(&self.rate).map(written_rate).transpose();
        Ok(Wanted {
            size: self.size()?,
            loss0: self.loss0()?,
            series: given(&self.series).map(str::to_owned),
            method: given(&self.method).map(str::to_owned),
            objective: given(&self.objective).map(str::to_owned),
            rates: rate.map_err(|text| Refused::field("rate", text))?.into_iter().collect(),
        })
    }

    fn size(&self) -> Result<ModelSize, Refused> {
        if let Some(model) = given(&self.model) {
            let unknown = || format!("`{model}` is not the name of a public model");
            return public_model_size(model).ok_or_else(|| Refused::field("model", unknown()));
        }
        match count("n0", &self.n0)? {
            Some(Count(n0)) => Ok(ModelSize::of_count(n0 as f64)),
            None => {
                let text = "there is no model: choose one by its name, or give its parameters";
                Err(Refused::field("n0", text))
            }
        }
    }

    fn loss0(&self) -> Result<f64, Refused> {
        number("loss0", &self.loss0)?.ok_or_else(|| {
            Refused::field(
                "loss0",
                "the loss before pruning is not given, and no catalogue holds it: measure it on the held-out text \
                 of the law's own runs",
            )
        })
    }

    /// The tokens that there are.
    pub(crate) fn tokens(&self) -> Result<Option<Count>, Refused> {
        count("tokens", &self.tokens)
    }

    /// When tokens are enough, and what they cost.
    pub(crate) fn wish(&self) -> Result<Wish, Refused> {
        let usual = Wish::default();
        Ok(Wish {
            doubling_gain: number("gain", &self.gain)?.unwrap_or(usual.doubling_gain),
            target_loss: number("target", &self.target)?,
            bill: Bill::new(0.0, self.machine()?).with_cached_teacher(self.cached == "yes"),
            ..usual
        })
    }

    /// What may be kept, trained on and spent at most.
    pub(crate) fn limits(&self) -> Result<Limits, Refused> {
        let machine = self.machine()?;
        let budget = given(&self.budget).map(str::parse::<Budget>).transpose();
        let budget = budget.map_err(|text| Refused::field("budget", text))?;
        Ok(Limits {
            parameters: count("params", &self.params)?.map(|count| count.0 as f64),
            tokens: self.tokens()?.map(|count| count.0 as f64),
            flops: budget.map(|budget| budget.flops(machine.as_ref())).transpose()?,
        })
    }

    fn machine(&self) -> Result<Option<Machine>, Refused> {
        let Some(device) = given(&self.device) else {
            let idle = [("utilisation", &self.utilisation), ("price", &self.price)];
            return match idle.into_iter().find(|(_, text)| given(text).is_some()) {
                Some((field, _)) => Err(Refused::field(field, "it needs a device: name one")),
                None => Ok(None),
            };
        };
        let peak: Peak = device.parse().map_err(|text: String| Refused::field("device", text))?;
        let share = number("utilisation", &self.utilisation)?.unwrap_or(UTILISATION);
        Ok(Some(Machine::new(peak.0, share, number("price", &self.price)?)?))
    }
}

/// What stands in a field, without spaces around it.
fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn number(field: &'static str, text: &str) -> Result<Option<f64>, Refused> {
    let wrong = |text| Refused::field(field, format!("`{text}` is no number such as 0.01"));
    given(text).map(|text| text.parse::<f64>().map_err(|_| wrong(text))).transpose()
}

fn count(field: &'static str, text: &str) -> Result<Option<Count>, Refused> {
    let count = given(text).map(str::parse::<Count>).transpose();
    count.map_err(|text| Refused::field(field, text))
}
