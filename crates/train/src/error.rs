//! The errors of a run: each says what was found, what was expected, and where.

use std::path::PathBuf;

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error, as a listener gives it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] disk::Error),

    /// The network or its files failed.
    #[error(transparent)]
    Model(#[from] model::Error),

    /// The configuration of a model cannot be used.
    #[error(transparent)]
    Shape(#[from] shape::Error),

    /// The corpus could not be read.
    #[error(transparent)]
    Text(#[from] text::Error),

    /// The listener failed.
    #[error(transparent)]
    Listener(BoxError),

    /// A setting has a value that no run can use.
    #[error("`{setting}` is {found}, expected {expected}")]
    Setting {
        /// Its name in a recipe.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },

    /// The training text is shorter than one sequence.
    #[error(
        "the corpus is shorter than one context: {tokens} training tokens, expected at least {expected} for a context of {context}"
    )]
    ShortCorpus {
        /// Tokens of the training part.
        tokens: u64,
        /// The sequence length.
        context: usize,
        /// Tokens that one sequence needs.
        expected: u64,
    },

    /// The loss or the gradient is no longer a number.
    #[error(
        "the {what} is {found} at step {step}, learning rate {}; the largest gradient is {} (`{tensor}`)",
        short(*learning_rate),
        short(*gradient)
    )]
    NotFinite {
        /// `loss`, `held-out loss`, `gradient norm` or `weight`.
        what: &'static str,
        /// Its value.
        found: f64,
        /// The step, counted from 1.
        step: u64,
        /// The learning rate of that step.
        learning_rate: f64,
        /// The largest absolute gradient; NaN or infinite if any gradient is.
        gradient: f64,
        /// The weight that it belongs to.
        tensor: String,
    },

    /// The loss is far above that of a model that knows nothing.
    #[error(
        "training has diverged: held-out loss {found:.4} at step {step}, learning rate {}, expected at \
         most {most:.4}, twice what it was at first or what guessing gives",
        short(*learning_rate)
    )]
    Diverged {
        /// The held-out loss, nats per token.
        found: f64,
        /// The largest loss that is no divergence.
        most: f64,
        /// The step, counted from 1.
        step: u64,
        /// The learning rate of that step.
        learning_rate: f64,
    },

    /// A checkpoint cannot be used.
    #[error("the checkpoint `{path}` cannot be used: {reason}")]
    Checkpoint {
        /// The folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// The error of another crate that this error wraps without a message of its own.
    pub fn passed_on(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Disk(error) => Some(error),
            Self::Model(error) => Some(error),
            Self::Shape(error) => Some(error),
            Self::Text(error) => Some(error),
            _ => None,
        }
    }
}

/// Five significant digits at most.
fn short(number: f64) -> String {
    let text = format!("{number:.4e}");
    match text.split_once('e') {
        Some((digits, power)) => {
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        // NaN and infinity.
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_have_five_digits_at_most() {
        let shown = [1e10, 5.626373626373626, 0.00031, f64::NAN, f64::INFINITY].map(short);
        assert_eq!(shown, ["1e10", "5.6264e0", "3.1e-4", "NaN", "inf"]);
    }
}
