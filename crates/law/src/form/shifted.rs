//! The P2 Law with tokens counted from another beginning. This rival tests whether `D^-beta` is the
//! right curve.
//!
//! A shift in `D` hardly changes any fit inside the data, but can change enough tokens by half.

use super::axis::Axis;
use super::constants::{ALPHA, BETA, D_C, DELTA, E, GAMMA, N_C};
use super::formula::{Form, Parameter};
use crate::row::{Row, Scale};

/// `p2-shifted`.
#[derive(Debug)]
pub(super) struct Shifted;

/// In the gauge of a fit, 1 is the geometric mean of the tokens.
const D_S: Parameter = Parameter::exponent("D_s", (0.0, 100.0), (0.01, 2.0), true);

/// The terms of one evaluation.
struct Terms {
    common: f64,
    floor: f64,
    tokens: f64,
    ln_shifted: f64,
    shifted: f64,
}

impl Shifted {
    fn terms(exponents: &[f64], row: &Row) -> Terms {
        let &[alpha, beta, gamma, delta, shift] = exponents else { unreachable!("five exponents") };
        let common = (-gamma * row.ln_rate - delta * row.ln_n0).exp();
        let shifted = row.tokens + shift;
        let ln_shifted = shifted.ln();
        Terms {
            common,
            floor: common * (-alpha * row.ln_n0).exp(),
            tokens: common * (-beta * ln_shifted).exp(),
            ln_shifted,
            shifted,
        }
    }
}

impl Form for Shifted {
    fn name(&self) -> &'static str {
        "p2-shifted"
    }

    fn formula(&self) -> &'static str {
        "L0 + rho^-gamma N0^-delta (N_C N0^-alpha + D_C (D + D_s)^-beta + E)"
    }

    fn latex(&self) -> &'static str {
        r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( N_C N_0^{-\alpha} + D_C (D + D_s)^{-\beta} + E \right)"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[N_C, D_C, E, ALPHA, BETA, GAMMA, DELTA, D_S]
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::N0, Axis::Rate, Axis::Loss0, Axis::Tokens]
    }

    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]) {
        let terms = Self::terms(exponents, row);
        out[..3].copy_from_slice(&[terms.floor, terms.tokens, terms.common]);
    }

    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]) {
        let (constants, exponents) = parameters.split_at(3);
        let &[n_c, d_c, e] = constants else { unreachable!("three constants") };
        let terms = Self::terms(exponents, row);
        let (floor, tokens) = (n_c * terms.floor, d_c * terms.tokens);
        let excess = floor + tokens + e * terms.common;
        out[..8].copy_from_slice(&[
            terms.floor,
            terms.tokens,
            terms.common,
            -row.ln_n0 * floor,
            -terms.ln_shifted * tokens,
            -row.ln_rate * excess,
            -row.ln_n0 * excess,
            // By the shift: `d/ds (D + s)^-beta = -beta (D + s)^-beta / (D + s)`.
            -exponents[1] * tokens / terms.shifted,
        ]);
    }

    fn rescale(&self, parameters: &mut [f64], scale: &Scale) {
        let &mut [ref mut n_c, ref mut d_c, ref mut e, alpha, beta, gamma, delta, ref mut shift] =
            parameters
        else {
            unreachable!("eight constants")
        };
        let common = scale.n0.powf(delta) * scale.rate.powf(gamma);
        *n_c *= common * scale.n0.powf(alpha);
        *d_c *= common * scale.tokens.powf(beta);
        *e *= common;
        *shift *= scale.tokens;
    }
}
