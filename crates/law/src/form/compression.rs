//! The compression law (Sengupta et al., arXiv 2504.04342 v1): the loss is a product of powers of
//! the unpruned loss, the rate and the tokens.
//!
//! `D + 1` with `D` in millions depends on the unit, so the form is always fitted in millions.

use super::axis::Axis;
use super::formula::{Form, Parameter};
use crate::row::{Row, Scale};

/// `compression`.
#[derive(Debug)]
pub(super) struct Compression;

const PARAMETERS: [Parameter; 4] = [
    Parameter::linear("c", 0.0),
    Parameter::exponent("a", (-10.0, 10.0), (-1.0, 2.0), false),
    Parameter::exponent("b", (-50.0, 50.0), (-1.0, 5.0), false),
    Parameter::exponent("g", (-1e4, 1e4), (-1.0, 4.0), false),
];

/// The logarithms of the bases of `a`, `b` and `g`.
fn logarithms(row: &Row) -> [f64; 3] {
    [row.loss0.ln(), row.rate.ln_1p(), (row.tokens + 1.0).recip().ln_1p()]
}

impl Form for Compression {
    fn name(&self) -> &'static str {
        "compression"
    }

    fn formula(&self) -> &'static str {
        "c L0^a (1 + rho)^b (1 + 1/(D + 1))^g, D in millions"
    }

    fn latex(&self) -> &'static str {
        r"c L_0^{a} (1 + \rho)^{b} \left( 1 + \frac{1}{D + 1} \right)^{g}, \quad D \text{ in millions}"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Rate, Axis::Loss0, Axis::Tokens]
    }

    fn offset(&self, _: &Row) -> f64 {
        0.0
    }

    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]) {
        let power: f64 =
            logarithms(row).iter().zip(exponents).map(|(ln, exponent)| ln * exponent).sum();
        out[0] = power.exp();
    }

    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]) {
        self.basis(&parameters[1..], row, out);
        let value = parameters[0] * out[0];
        for (out, ln) in out[1..4].iter_mut().zip(logarithms(row)) {
            *out = ln * value;
        }
    }

    // The form has its own units, so there is nothing to convert.
    fn rescale(&self, _: &mut [f64], _: &Scale) {}

    fn own_units(&self) -> Option<Scale> {
        Some(Scale { n0: 1.0, rate: 1.0, tokens: 1e6 })
    }
}
