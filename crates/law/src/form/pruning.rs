//! The pruning law (Sengupta et al., arXiv 2504.04342 v2): the loss depends on the rate alone, for
//! one score and without tokens.

use super::axis::Axis;
use super::formula::{Form, Parameter};
use crate::row::{Row, Scale};

/// `pruning`.
#[derive(Debug)]
pub(super) struct Pruning;

const PARAMETERS: [Parameter; 2] =
    [Parameter::linear("P0", 0.0), Parameter::exponent("a", (-50.0, 50.0), (-3.0, 0.5), false)];

impl Form for Pruning {
    fn name(&self) -> &'static str {
        "pruning"
    }

    fn formula(&self) -> &'static str {
        "L0 P0 (1 - rho)^a"
    }

    fn latex(&self) -> &'static str {
        r"L_0 P_0 (1 - \rho)^{a}"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Rate, Axis::Loss0]
    }

    fn offset(&self, _: &Row) -> f64 {
        0.0
    }

    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]) {
        out[0] = row.loss0 * (exponents[0] * row.ln_share).exp();
    }

    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]) {
        self.basis(&parameters[1..], row, out);
        out[1] = row.ln_share * parameters[0] * out[0];
    }

    // Neither the rate nor the loss depends on the units of size and tokens.
    fn rescale(&self, _: &mut [f64], _: &Scale) {}
}
