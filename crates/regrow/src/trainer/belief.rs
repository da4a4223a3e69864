//! Whether an outside trainer computes the losses that we compute.

use ledger::{Nats, Precision};

use crate::error::{Error, ErrorKind, Result};

/// Largest difference of two f32 programs in nats per token. Two right ones differ by about 1e-6.
const F32: f64 = 1e-3;
/// The same for runs in bf16. Held-out losses are computed in f32 there too; a trainer of another
/// kind may not do so.
const BF16: f64 = 5e-3;

/// The held-out loss that a trainer must find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Belief {
    expected: Nats,
    tolerance: f64,
}

impl Belief {
    /// `expected` comes from our own evaluator on the same folder and text.
    pub(crate) fn new(expected: Nats, precision: Precision) -> Self {
        let tolerance = match precision {
            Precision::F32 => F32,
            Precision::Bf16 => BF16,
        };
        Self { expected, tolerance }
    }

    pub(crate) fn expected(&self) -> Nats {
        self.expected
    }

    pub(crate) fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// Refuses a loss that lies too far away. `when` says which loss it is.
    ///
    /// # Errors
    /// [`ErrorKind::NotBelieved`], with the difference.
    pub(crate) fn check(&self, found: f64, when: &str) -> Result<()> {
        let difference = (found - self.expected.0).abs();
        // Written so that NaN is refused.
        if difference <= self.tolerance {
            return Ok(());
        }
        let message = format!(
            "{when} the trainer's held-out loss is {found:.6}, `regrow eval` of the same folder gives {:.6}: they differ by \
             {difference:.2e} nats, at most {} is allowed",
            self.expected.0, self.tolerance
        );
        Err(Error::new(ErrorKind::NotBelieved, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_too_far_away_is_refused_with_the_difference() {
        let belief = |precision| Belief::new(Nats(2.5), precision);
        belief(Precision::F32).check(2.5009, "now").unwrap();
        belief(Precision::Bf16).check(2.4951, "now").unwrap();
        for (precision, found) in
            [(Precision::F32, 2.5011), (Precision::Bf16, 2.4949), (Precision::F32, f64::NAN)]
        {
            let error = belief(precision).check(found, "before the first step").unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::NotBelieved);
            assert!(
                error.to_string().starts_with("before the first step the trainer's"),
                "{error}"
            );
        }
        let error = belief(Precision::F32).check(2.6, "now").unwrap_err().to_string();
        assert!(
            error.ends_with("they differ by 1.00e-1 nats, at most 0.001 is allowed"),
            "{error}"
        );
    }
}
