//! Parameter counts of a pruned model, with and without its embedding.

use crate::units::{Params, Rate, RateError};

/// Parameters before and after a cut, and the realised rate. Each number exists twice: for all
/// parameters, and without the embedding.
///
/// ```
/// use ledger::{Held, Params};
/// let held = Held::of((Params(1000), Params(900)), (Params(850), Params(750)))?;
/// assert_eq!((held.n0(), held.parameters(), held.rate().get()), (Params(1000), Params(850), 0.15));
/// assert_eq!(held.parameters_without_embedding(), Params(750));
/// assert_eq!(held.rate_without_embedding().to_string(), "0.1667");
/// assert!(Held::of((Params(1000), Params(900)), (Params(1001), Params(900))).is_err());
/// # Ok::<(), ledger::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    n0: Params,
    n0_without_embedding: Params,
    parameters: Params,
    parameters_without_embedding: Params,
    rate: Rate,
    rate_without_embedding: Rate,
}

impl Held {
    /// Computes the rates from the counts before and after a cut. Each pair is (all parameters,
    /// parameters without the embedding).
    ///
    /// # Errors
    /// Where the model has more parameters after the cut than before it, or none.
    pub fn of(before: (Params, Params), after: (Params, Params)) -> Result<Self, RateError> {
        let rates = (Rate::realised(before.0, after.0)?, Rate::realised(before.1, after.1)?);
        Ok(Self::told(before, after, rates))
    }

    /// Takes the rates from a file without a check; `inspect` compares them with the model.
    pub(crate) fn told(
        before: (Params, Params),
        after: (Params, Params),
        rates: (Rate, Rate),
    ) -> Self {
        Self {
            n0: before.0,
            n0_without_embedding: before.1,
            parameters: after.0,
            parameters_without_embedding: after.1,
            rate: rates.0,
            rate_without_embedding: rates.1,
        }
    }

    /// Parameters before the cut.
    pub fn n0(&self) -> Params {
        self.n0
    }

    /// The same, embeddings aside.
    pub fn n0_without_embedding(&self) -> Params {
        self.n0_without_embedding
    }

    /// Parameters after it that are neither removed nor zeroed.
    pub fn parameters(&self) -> Params {
        self.parameters
    }

    /// The same, embeddings aside.
    pub fn parameters_without_embedding(&self) -> Params {
        self.parameters_without_embedding
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
