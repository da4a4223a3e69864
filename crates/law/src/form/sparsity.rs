//! The sparsity law (Frantar et al., arXiv 2309.08520): size, sparsity and tokens of a model that
//! becomes sparse during training.
//!
//! Published as `(a_S (1 - S)^b_S + c_S) N^-b_N + (a_D / D)^b_D + c`, with `N` the nonzero
//! parameters. Here `A_D = a_D^b_D`, which enters linearly.

use super::axis::Axis;
use super::formula::{Form, Parameter};
use crate::row::{Row, Scale};

/// `sparsity`.
#[derive(Debug)]
pub(super) struct Sparsity;

const PARAMETERS: [Parameter; 7] = [
    Parameter::linear("a_S", 0.0),
    Parameter::linear("c_S", 0.0),
    Parameter::linear("A_D", 0.0),
    Parameter::linear("c", f64::NEG_INFINITY),
    Parameter::exponent("b_S", (0.01, 10.0), (0.1, 3.0), true),
    Parameter::exponent("b_N", (0.01, 5.0), (0.05, 1.6), true),
    Parameter::exponent("b_D", (0.01, 5.0), (0.05, 1.6), true),
];

impl Form for Sparsity {
    fn name(&self) -> &'static str {
        "sparsity"
    }

    fn formula(&self) -> &'static str {
        "(a_S (1 - rho)^b_S + c_S) N^-b_N + A_D D^-b_D + c, N = N0 (1 - rho)"
    }

    fn latex(&self) -> &'static str {
        r"\left( a_S (1 - \rho)^{b_S} + c_S \right) N^{-b_N} + A_D D^{-b_D} + c, \quad N = N_0 (1 - \rho)"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &PARAMETERS
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::N0, Axis::Rate, Axis::Tokens]
    }

    fn offset(&self, _: &Row) -> f64 {
        0.0
    }

    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]) {
        let size = (-exponents[1] * row.ln_kept()).exp();
        out[0] = size * (exponents[0] * row.ln_share).exp();
        out[1] = size;
        out[2] = (-exponents[2] * row.ln_tokens).exp();
        out[3] = 1.0;
    }

    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]) {
        self.basis(&parameters[4..], row, out);
        // `b_S` acts on the first term only, `b_N` on the first two.
        let (dense, whole) =
            (parameters[0] * out[0], parameters[0] * out[0] + parameters[1] * out[1]);
        out[4] = row.ln_share * dense;
        out[5] = -row.ln_kept() * whole;
        out[6] = -row.ln_tokens * parameters[2] * out[2];
    }

    fn rescale(&self, parameters: &mut [f64], scale: &Scale) {
        let size = scale.n0.powf(parameters[5]);
        parameters[0] *= size;
        parameters[1] *= size;
        parameters[2] *= scale.tokens.powf(parameters[6]);
    }

    fn token_exponent(&self) -> Option<usize> {
        Some(6)
    }

    fn along_run(&self, parameters: &[f64], row: &Row, out: &mut [[f64; 3]]) {
        let mut basis = [0.0; 4];
        self.basis(&parameters[4..], row, &mut basis);
        let whole = parameters[0] * basis[0] + parameters[1] * basis[1];
        out[0] = [basis[0], 0.0, 0.0];
        out[1] = [basis[1], 0.0, 0.0];
        out[2] = [0.0, 1.0, 0.0];
        out[3] = [1.0, 0.0, 0.0];
        out[4] = [row.ln_share * parameters[0] * basis[0], 0.0, 0.0];
        out[5] = [-row.ln_kept() * whole, 0.0, 0.0];
        out[6] = [0.0, 0.0, -parameters[2]];
    }
}
