//! The function that a fit minimises: a sum over all points, never a mean.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Fault, Result};

/// The objective of a fit.
///
/// Huber's function of a residual `r` is `r^2 / 2` up to `delta` and `delta (|r| - delta / 2)`
/// beyond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Loss {
    /// Sum of weight x squared residual.
    #[default]
    LeastSquares,
    /// Sum of weight x Huber's function of the residual, with this delta in nats.
    Huber(f64),
    /// The same for the difference of logarithms, as Hoffmann et al. (2022) used it.
    LogHuber(f64),
}

/// One point's part of the objective, and the derivative of that part divided by the residual.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) value: f64,
    pub(super) weight: f64,
}

impl Loss {
    /// The residual, and minus its derivative by the prediction. Not finite if a logarithm does not
    /// exist.
    pub(super) fn residual(self, measured: f64, predicted: f64) -> (f64, f64) {
        match self {
            Self::LeastSquares | Self::Huber(_) => (measured - predicted, 1.0),
            Self::LogHuber(_) => (measured.ln() - predicted.ln(), predicted.recip()),
        }
    }

    pub(super) fn part(self, residual: f64) -> Part {
        match self {
            // No factor of a half: the objective is the sum of squares itself.
            Self::LeastSquares => Part { value: residual * residual, weight: 2.0 },
            Self::Huber(delta) | Self::LogHuber(delta) => {
                let size = residual.abs();
                if size <= delta {
                    Part { value: 0.5 * residual * residual, weight: 1.0 }
                } else {
                    Part { value: delta * (size - 0.5 * delta), weight: delta / size }
                }
            }
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeastSquares => f.write_str("least-squares"),
            Self::Huber(delta) => write!(f, "huber:{delta}"),
            Self::LogHuber(delta) => write!(f, "log-huber:{delta}"),
        }
    }
}

impl From<Loss> for String {
    fn from(loss: Loss) -> Self {
        loss.to_string()
    }
}

impl TryFrom<String> for Loss {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for Loss {
    type Err = Error;

    /// ```
    /// use law::fit::Loss;
    /// assert_eq!("log-huber:1e-3".parse::<Loss>()?, Loss::LogHuber(0.001));
    /// let error = "huber:0".parse::<Loss>().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "the loss is `huber:0`, expected `least-squares`, `huber:DELTA` or `log-huber:DELTA` with DELTA from 1e-9 to 1e6"
    /// );
    /// # Ok::<(), law::Error>(())
    /// ```
    fn from_str(text: &str) -> Result<Self> {
        // The text may come from a file and be very long.
        let unknown = || Fault::UnknownLoss { found: text.chars().take(40).collect() }.into();
        let (name, delta) = text.split_once(':').unwrap_or((text, ""));
        let delta =
            || delta.parse().ok().filter(|delta| (1e-9..=1e6).contains(delta)).ok_or_else(unknown);
        match name {
            "least-squares" if name == text => Ok(Self::LeastSquares),
            "huber" => Ok(Self::Huber(delta()?)),
            "log-huber" => Ok(Self::LogHuber(delta()?)),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_read_as_it_is_written() {
        for loss in [Loss::LeastSquares, Loss::Huber(0.01), Loss::LogHuber(1e-3)] {
            assert_eq!(loss.to_string().parse(), Ok(loss));
        }
        for wrong in [
            "",
            "huber",
            "huber:",
            "huber:-1",
            "huber:nan",
            "huber:inf",
            "least-squares:1",
            "cauchy:1",
        ] {
            assert!(wrong.parse::<Loss>().is_err(), "{wrong}");
        }
    }
}
