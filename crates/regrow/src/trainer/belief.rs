//! Whether an outside trainer computes the losses that we compute.

use ledger::{Nats, Precision};

use crate::error::{Error, ErrorKind, Result};

/// Largest difference of two f32 programs in nats per token. Two right ones differ by about 1e-6.
const F32: f64 = 1e-3;
/// The same for runs in bf16. Held-out losses are computed in f32 there too; a trainer of another
/// kind may not do so.
const BF16: f64 = 5e-3;

/// The held-out loss that a trainer must find, and the divergence from a teacher if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Belief {
    expected: Nats,
    divergence: Option<Nats>,
    tolerance: f64,
}

impl Belief {
    /// `expected` comes from our own evaluator on the same folder and text.
    pub(crate) fn new(expected: Nats, precision: Precision) -> Self {
        let tolerance = match precision {
            Precision::F32 => F32,
            Precision::Bf16 => BF16,
        };
        Self { expected, divergence: None, tolerance }
    }

    /// The same, with the held-out divergence from the run's teacher.
    pub(crate) fn with_divergence(self, divergence: Option<Nats>) -> Self {
        Self { divergence, ..self }
    }

    pub(crate) fn divergence(&self) -> Option<Nats> {
        self.divergence
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
        let of = "held-out loss";
        self.near(found, self.expected, [when, of, "`regrow eval` of the same folder"])
    }

    /// Refuses a divergence from the teacher that lies too far away, where one is expected.
    ///
    /// # Errors
    /// As for [`Belief::check`].
    pub(crate) fn check_divergence(&self, found: Option<f64>, when: &str) -> Result<()> {
        let Some(expected) = self.divergence else { return Ok(()) };
        let of = "held-out divergence from the teacher";
        self.near(found.unwrap_or(f64::NAN), expected, [when, of, "regrow"])
    }

    fn near(&self, found: f64, expected: Nats, [when, of, whose]: [&str; 3]) -> Result<()> {
        let difference = (found - expected.0).abs();
        // Written so that NaN is refused.
        if difference <= self.tolerance {
            return Ok(());
        }
        let message = format!(
            "{when} the trainer's {of} is {found:.6}, {whose} gives {:.6}: they differ by \
             {difference:.2e} nats, at most {} is allowed",
            expected.0, self.tolerance
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
        let taught = belief(Precision::F32).with_divergence(Some(Nats(0.3)));
        taught.check_divergence(Some(0.3009), "now").unwrap();
        belief(Precision::F32).check_divergence(None, "now").unwrap();
        for found in [Some(0.31), None] {
            let error = taught.check_divergence(found, "now").unwrap_err().to_string();
            assert!(error.contains("held-out divergence from the teacher is"), "{error}");
        }
        let error = belief(Precision::F32).check(2.6, "now").unwrap_err().to_string();
        assert!(
            error.ends_with("they differ by 1.00e-1 nats, at most 0.001 is allowed"),
            "{error}"
        );
    }
}
