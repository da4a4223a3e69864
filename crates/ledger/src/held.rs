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

    /// What a file says, without a check: see [`Held::contradiction`].
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

    /// Where the numbers of a file contradict each other: both rates follow from the counts, and
    /// the embedding is not more than all.
    pub fn contradiction(&self) -> Option<String> {
        let without = (self.n0_without_embedding, self.parameters_without_embedding);
        let rows = [
            ("rate", self.rate, self.n0, self.parameters),
            ("rate_without_embedding", self.rate_without_embedding, without.0, without.1),
        ];
        for (field, told, before, after) in rows {
            let expected = Rate::realised(before, after);
            // A file keeps a rate to its last bit, but another program may round otherwise.
            let same = expected.as_ref().is_ok_and(|rate| (rate.get() - told.get()).abs() < 1e-9);
            if !same {
                let expected = expected
                    .map_or_else(|_| "no rate at all".to_owned(), |rate| rate.get().to_string());
                return Some(format!(
                    "`{field}` is {}, expected {expected} for {} parameters before and {} after",
                    told.get(),
                    before.0,
                    after.0
                ));
            }
        }
        let more = without.0 > self.n0 || without.1 > self.parameters;
        more.then(|| {
            format!(
                "{} of {} parameters before the cut and {} of {} after it are without the embedding, expected no more \
                 than all",
                without.0.0, self.n0.0, without.1.0, self.parameters.0
            )
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(before: (u64, u64), after: (u64, u64), rates: (f64, f64)) -> Held {
        let params = |(all, without)| (Params(all), Params(without));
        let rates = (Rate::new(rates.0).unwrap(), Rate::new(rates.1).unwrap());
        Held::told(params(before), params(after), rates)
    }

    #[test]
    fn numbers_that_contradict_each_other_are_told() {
        assert_eq!(told((1000, 800), (750, 600), (0.25, 0.25)).contradiction(), None);
        for (held, said) in [
            (told((1000, 800), (750, 600), (0.5, 0.25)), "`rate` is 0.5, expected 0.25 for 1000"),
            (
                told((1000, 800), (750, 600), (0.25, 0.5)),
                "`rate_without_embedding` is 0.5, expected 0.25",
            ),
            (told((1000, 800), (1750, 600), (0.25, 0.25)), "expected no rate at all"),
            (told((0, 0), (0, 0), (0.25, 0.25)), "expected no rate at all"),
            (told((800, 1000), (600, 750), (0.25, 0.25)), "expected no more than all"),
        ] {
            let found = held.contradiction().unwrap();
            assert!(found.contains(said), "{found}");
        }
    }
}
