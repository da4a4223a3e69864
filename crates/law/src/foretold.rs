//! A prediction with its question, as a value that is written.

use serde::Serialize;

use crate::law::GroupLaw;
use crate::place::Place;
use crate::plan::decisions::is_lm;
use crate::prediction::Prediction;

/// A prediction with the place that it is about. As JSON it is what `regrow predict` prints.
#[derive(Debug, Serialize)]
pub struct Foretold<'a> {
    format: u32,
    series: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "is_lm")]
    objective: &'a str,
    form: &'a str,
    #[serde(flatten)]
    place: Place,
    tokens: u64,
    #[serde(flatten)]
    prediction: Prediction,
}

impl<'a> Foretold<'a> {
    /// A prediction of this law, for a place after some tokens.
    pub fn new(group: &'a GroupLaw, place: Place, tokens: u64, prediction: Prediction) -> Self {
        Self {
            format: 1,
            series: group.series(),
            method: group.method(),
            objective: group.objective(),
            form: group.form_name(),
            place,
            tokens,
            prediction,
        }
    }

    /// What is foretold.
    pub fn prediction(&self) -> &Prediction {
        &self.prediction
    }
}
