//! How the models of a sweep are trained, as the user wrote it.

use serde::Deserialize;

use crate::recipe::Recipe;

/// How models are trained: the keys of a recipe for `regrow train`, and `tokens_per_parameter`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub(crate) struct TrainingKeys {
    /// Tokens per parameter of the base; replaces `tokens`.
    pub(crate) tokens_per_parameter: Option<f64>,
    pub(crate) keys: Recipe,
}

impl TryFrom<toml::Table> for TrainingKeys {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        let tokens_per_parameter = match table.remove("tokens_per_parameter") {
            None => None,
            Some(toml::Value::Integer(number)) => Some(number as f64),
            Some(toml::Value::Float(number)) => Some(number),
            Some(other) => {
                return Err(format!("`tokens_per_parameter` is {other}, expected a number"));
            }
        };
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
        match (tokens_per_parameter, keys.tokens) {
            (Some(number), _) if !(number > 0.0 && number <= 1e6) => Err(format!(
                "`tokens_per_parameter` is {number}, expected above 0 and at most 1000000"
            )),
            (Some(_), Some(_)) => {
                Err("both `tokens` and `tokens_per_parameter` are given, expected one".into())
            }
            (None, None) => Err("neither `tokens` nor `tokens_per_parameter` is given".into()),
            _ => Ok(Self { tokens_per_parameter, keys }),
        }
    }
}

impl TrainingKeys {
    /// Tokens to train on, for a base of `parameters` parameters or a model pruned from it.
    pub(crate) fn tokens(&self, parameters: u64) -> u64 {
        match (self.tokens_per_parameter, self.keys.tokens) {
            (Some(number), _) => (number * parameters as f64).round() as u64,
            (None, tokens) => tokens.map_or(0, |count| count.0),
        }
    }
}
