//! Why a question has no answer, and which field of the form is meant.

use std::fmt;

use serde::Serialize;

/// The first name in an error of the library, and the field that it means.
const FIELD_OF: [(&str, &str); 17] = [
    ("n0", "n0"),
    ("rate", "rate"),
    ("loss0", "loss0"),
    ("tokens", "tokens"),
    ("max-tokens", "tokens"),
    ("max-params", "params"),
    ("budget", "budget"),
    ("doubling-gain", "gain"),
    ("target-loss", "target"),
    ("device-peak", "device"),
    ("utilisation", "utilisation"),
    ("gpu-hour-price", "price"),
    ("embedding", "n0"),
    ("zeroed", "weights"),
    ("series", "series"),
    ("method", "method"),
    ("objective", "objective"),
];

/// A question or a law that is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    text: String,
}

impl Refused {
    /// Refuses what stands in a field.
    pub(crate) fn field(field: &'static str, text: impl Into<String>) -> Self {
        Self { field: Some(field), text: text.into() }
    }

    /// Refuses the whole, or the field that the text begins with.
    pub(crate) fn of(text: impl Into<String>) -> Self {
        let text = text.into();
        let rest = text.strip_prefix('`').or(text.strip_prefix("the law holds no "));
        let named = rest.and_then(|rest| rest.split(['`', ' ']).next());
        let field = FIELD_OF.iter().find(|(name, _)| Some(*name) == named).map(|(_, field)| *field);
        Self { field, text }
    }

    /// Why.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As the page reads it.
    pub(crate) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Answer<'a> {
            format: u32,
            error: &'a Refused,
        }
        // Two texts have no way to fail.
        serde_json::to_string(&Answer { format: 1, error: self }).unwrap_or_default()
    }
}

impl From<law::Error> for Refused {
    fn from(error: law::Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            law::ErrorKind::SeveralGroups => Self::field("method", text),
            law::ErrorKind::OtherFamily => Self::field("model", text),
            law::ErrorKind::ZeroedUnknown => Self::field("weights", text),
            law::ErrorKind::Unpriced => Self::field("device", text),
            _ => Self::of(text),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refused {}
