//! The law of training from scratch (Hoffmann et al. 2022), with the size that remains after
//! pruning.
//!
//! It ignores the model before pruning. If it fits as well as the P2 Law, pruning gave no head
//! start.

use super::axis::Axis;
use super::constants::BETA;
use super::formula::{Form, Parameter};
use crate::row::{Row, Scale};

/// `chinchilla`.
#[derive(Debug)]
pub(super) struct Chinchilla;

const A: Parameter = Parameter::linear("A", 0.0);
const B: Parameter = Parameter::linear("B", 0.0);
const E: Parameter = Parameter::linear("E", f64::NEG_INFINITY);
const ALPHA: Parameter = Parameter::exponent("alpha", (0.01, 5.0), (0.05, 1.6), true);

impl Form for Chinchilla {
    fn name(&self) -> &'static str {
        "chinchilla"
    }

    fn formula(&self) -> &'static str {
        "E + A N^-alpha + B D^-beta, N = N0 (1 - rho)"
    }

    fn latex(&self) -> &'static str {
        r"E + A N^{-\alpha} + B D^{-\beta}, \quad N = N_0 (1 - \rho)"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[A, B, E, ALPHA, BETA]
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::N0, Axis::Tokens]
    }

    // The default would add the loss before pruning, which this form does not use.
    fn offset(&self, _: &Row) -> f64 {
        0.0
    }

    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]) {
        out[0] = (-exponents[0] * row.ln_kept()).exp();
        out[1] = (-exponents[1] * row.ln_tokens).exp();
        out[2] = 1.0;
    }

    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]) {
        self.basis(&parameters[3..], row, out);
        out[3] = -row.ln_kept() * parameters[0] * out[0];
        out[4] = -row.ln_tokens * parameters[1] * out[1];
    }

    fn rescale(&self, parameters: &mut [f64], scale: &Scale) {
        parameters[0] *= scale.n0.powf(parameters[3]);
        parameters[1] *= scale.tokens.powf(parameters[4]);
    }

    fn token_exponent(&self) -> Option<usize> {
        Some(4)
    }

    fn along_run(&self, parameters: &[f64], row: &Row, out: &mut [[f64; 3]]) {
        let size = (-parameters[3] * row.ln_kept()).exp();
        out[0] = [size, 0.0, 0.0];
        out[1] = [0.0, 1.0, 0.0];
        out[2] = [1.0, 0.0, 0.0];
        out[3] = [-row.ln_kept() * parameters[0] * size, 0.0, 0.0];
        out[4] = [0.0, 0.0, -parameters[1]];
    }
}
