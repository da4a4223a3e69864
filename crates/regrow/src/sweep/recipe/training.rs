//! How the models of a sweep are trained, as the user wrote it.

use ledger::Trainer;
use serde::Deserialize;

use crate::recipe::Recipe;
use ledger::count::Count;

/// How models are trained: the keys of a recipe for `regrow train`, `tokens_per_parameter` and
/// `trainer`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub(crate) struct TrainingKeys(pub(crate) Overrides);

/// The same keys, where none is needed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Overrides {
    /// Tokens per parameter of the base; replaces `tokens`.
    tokens_per_parameter: Option<f64>,
    /// The program that trains.
    trainer: Option<Trainer>,
    keys: Recipe,
}

impl Overrides {
    /// Reads the keys.
    pub(crate) fn of(mut table: toml::Table) -> Result<Self, String> {
        let tokens_per_parameter = match table.remove("tokens_per_parameter") {
            None => None,
            Some(toml::Value::Integer(number)) => Some(number as f64),
            Some(toml::Value::Float(number)) => Some(number),
            Some(other) => {
                return Err(format!("`tokens_per_parameter` is {other}, expected a number"));
            }
        };
        let trainer = match table.remove("trainer") {
            None => None,
            Some(name) => Some(name.clone().try_into().map_err(|_: toml::de::Error| {
                format!("`trainer` is {name}, expected \"regrow\" or \"torch\"")
            })?),
        };
        if table.contains_key("objective") {
            return Err(
                "`objective` has no place here, expected `objectives = [\"lm\", \"distil\"]` of the sweep or of a case"
                    .into(),
            );
        }
        // These keys of a recipe belong to the whole sweep.
        for key in ["format", "seed", "series"] {
            if table.contains_key(key) {
                return Err(format!(
                    "`{key}` is the same for the whole sweep, it has no place here"
                ));
            }
        }
        let keys: Recipe =
            table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        match tokens_per_parameter {
            Some(number) if !(number > 0.0 && number <= 1e6) => Err(format!(
                "`tokens_per_parameter` is {number}, expected above 0 and at most 1000000"
            )),
            Some(_) if keys.has_tokens() => {
                Err("both `tokens` and `tokens_per_parameter` are given, expected one".into())
            }
            _ => Ok(Self { tokens_per_parameter, trainer, keys }),
        }
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The keys of a recipe, without the number of tokens: each job gets its own as a flag.
    pub(crate) fn keys(&self) -> Recipe {
        self.keys.clone().without_tokens()
    }

    /// The same, learning as `teaching` says and from no other teacher.
    #[must_use]
    pub(crate) fn taught(&self, teaching: Recipe) -> Self {
        Self { keys: teaching.over(self.keys.clone().without_teaching()), ..self.clone() }
    }

    /// The program that trains, where it is said.
    pub(crate) fn trainer(&self) -> Option<Trainer> {
        self.trainer
    }

    /// These keys, and the others where nothing is said here.
    #[must_use]
    pub(crate) fn over(&self, other: &Self) -> Self {
        // Both say how much to train on, so the one that is said here replaces both.
        let says_tokens = self.tokens_per_parameter.is_some() || self.keys.has_tokens();
        let mut below = other.clone();
        if says_tokens {
            (below.tokens_per_parameter, below.keys.tokens) = (None, None);
        }
        Self {
            tokens_per_parameter: self.tokens_per_parameter.or(below.tokens_per_parameter),
            trainer: self.trainer.or(below.trainer),
            keys: self.keys.clone().over(below.keys),
        }
    }

    /// The same, with a learning rate where none is said.
    #[must_use]
    pub(crate) fn or_learning_rate(&self, rate: Option<f64>) -> Self {
        Self { keys: self.keys.clone().or(rate, None), ..self.clone() }
    }

    /// The same, with a context where none is said.
    #[must_use]
    pub(crate) fn or_context(&self, context: Count) -> Self {
        Self { keys: self.keys.clone().or(None, Some(context)), ..self.clone() }
    }

    /// Tokens to train on, for a base of `parameters` parameters or a model pruned from it.
    pub(crate) fn tokens(&self, parameters: u64) -> u64 {
        match (self.tokens_per_parameter, self.keys.tokens) {
            (Some(number), _) => (number * parameters as f64).round() as u64,
            (None, tokens) => tokens.map_or(0, |count| count.0),
        }
    }
}

impl TryFrom<toml::Table> for TrainingKeys {
    type Error = String;

    fn try_from(table: toml::Table) -> Result<Self, String> {
        let keys = Overrides::of(table)?;
        if keys.tokens_per_parameter.is_none() && !keys.keys.has_tokens() {
            return Err("neither `tokens` nor `tokens_per_parameter` is given".into());
        }
        Ok(Self(keys))
    }
}
