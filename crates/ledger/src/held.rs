//! What a pruned model holds, counted with and without its embedding.

use serde::{Deserialize, Serialize};

use crate::units::{Params, Rate, RateError};

/// Parameters that are left after a cut, and the rate that this makes; each also without the
/// embedding, which pruning does not touch.
///
/// ```
/// use ledger::{Held, Params};
/// let held = Held::of((Params(1000), Params(900)), (Params(850), Params(750)))?;
/// assert_eq!((held.parameters(), held.rate().get()), (Params(850), 0.15));
/// assert_eq!(held.without_embedding(), Params(750));
/// assert_eq!(held.rate_without_embedding().to_string(), "0.1667");
/// assert!(Held::of((Params(1000), Params(900)), (Params(1001), Params(900))).is_err());
/// # Ok::<(), ledger::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    parameters: Params,
    #[serde(rename = "parameters_without_embedding")]
    without_embedding: Params,
    rate: Rate,
    rate_without_embedding: Rate,
}

impl Held {
    /// What is held after a cut; both counts are all parameters, and those without the embedding.
    ///
    /// # Errors
    /// Where more is held than there was, or nothing.
    pub fn of(before: (Params, Params), after: (Params, Params)) -> Result<Self, RateError> {
        Ok(Self {
            parameters: after.0,
            without_embedding: after.1,
            rate: Rate::realised(before.0, after.0)?,
            rate_without_embedding: Rate::realised(before.1, after.1)?,
        })
    }

    /// Parameters that are neither removed nor zeroed.
    pub fn parameters(&self) -> Params {
        self.parameters
    }

    /// The same, embeddings aside.
    pub fn without_embedding(&self) -> Params {
        self.without_embedding
    }

    /// The realised rate.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// The realised rate, embeddings aside.
    pub fn rate_without_embedding(&self) -> Rate {
        self.rate_without_embedding
    }
}
