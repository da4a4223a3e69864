//! The members of the P2 family, their constants and where these may lie.

use super::chinchilla::Chinchilla;
use super::compression::Compression;
use super::pruning::Pruning;
use super::shifted::Shifted;
use super::sparsity::Sparsity;
use super::{Floor, Form, P2, Parameter, Role, TokenTerm};

/// A linear constant.
pub(super) const fn constant(name: &'static str, min: f64) -> Parameter {
    Parameter {
        name,
        role: Role::Constant,
        min,
        max: f64::INFINITY,
        gap: 0.0,
        sum_with: None,
        start: (0.0, 0.0),
        log_start: false,
    }
}

/// An exponent.
pub(super) const fn exponent(
    name: &'static str,
    bounds: (f64, f64),
    start: (f64, f64),
    log_start: bool,
) -> Parameter {
    Parameter {
        name,
        role: Role::Exponent,
        min: bounds.0,
        max: bounds.1,
        gap: 0.0,
        sum_with: None,
        start,
        log_start,
    }
}

pub(super) const N_C: Parameter = constant("N_C", 0.0);
const FLOOR_SLOPE: Parameter = constant("floor_slope", f64::NEG_INFINITY);
pub(super) const D_C: Parameter = constant("D_C", 0.0);
const TOKEN_SLOPE: Parameter = constant("token_slope", 0.0);
pub(super) const E: Parameter = constant("E", f64::NEG_INFINITY);
/// What `E` and the token term are together where two token counts cannot tell them apart.
const LEVEL: Parameter = constant("level", f64::NEG_INFINITY);
const FLOOR: Parameter = constant("floor", f64::NEG_INFINITY);
/// Nearer to 0 the floor's two terms are the same and their constants run away.
pub(super) const ALPHA: Parameter =
    Parameter { gap: 0.02, ..exponent("alpha", (-3.0, 4.0), (-0.6, 1.2), false) };
/// Without `delta`, alpha + delta > 0 says alpha > 0.
const ALPHA_ALONE: Parameter = exponent("alpha", (0.02, 4.0), (0.05, 1.5), true);
pub(super) const BETA: Parameter = exponent("beta", (0.01, 5.0), (0.05, 1.6), true);
/// Free; loss grows with the rate, so it comes out negative.
pub(super) const GAMMA: Parameter = exponent("gamma", (-10.0, 5.0), (-2.5, 0.1), false);
/// Bounded through alpha + delta > 0.
pub(super) const DELTA: Parameter =
    Parameter { sum_with: Some("alpha"), ..exponent("delta", (0.001, 8.0), (0.05, 1.2), true) };
const DELTA_ALONE: Parameter = exponent("delta", (-4.0, 4.0), (-0.4, 0.8), false);

/// `p2[-one-size|-two-sizes][-one-rate][-one-count|-two-counts]`, and the form without `delta`;
/// then the rivals.
pub(super) static ALL: [&dyn Form; 22] = [
    &P2 {
        name: "p2",
        formula: "L0 + rho^-gamma N0^-delta (N_C N0^-alpha + D_C D^-beta + E)",
        latex: r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( N_C N_0^{-\alpha} + D_C D^{-\beta} + E \right)",
        parameters: &[N_C, D_C, E, ALPHA, BETA, GAMMA, DELTA],
        floor: Floor::Power,
        tokens: TokenTerm::Power,
        rate: true,
        size: true,
    },
    &P2 {
        name: "p2-no-delta",
        formula: "L0 + rho^-gamma (N_C N0^-alpha + D_C D^-beta + E)",
        latex: r"L_0 + \rho^{-\gamma} \left( N_C N_0^{-\alpha} + D_C D^{-\beta} + E \right)",
        parameters: &[N_C, D_C, E, ALPHA_ALONE, BETA, GAMMA],
        floor: Floor::Power,
        tokens: TokenTerm::Power,
        rate: true,
        size: false,
    },
    &P2 {
        name: "p2-one-rate",
        formula: "L0 + N0^-delta (N_C N0^-alpha + D_C D^-beta + E)",
        latex: r"L_0 + N_0^{-\delta} \left( N_C N_0^{-\alpha} + D_C D^{-\beta} + E \right)",
        parameters: &[N_C, D_C, E, ALPHA, BETA, DELTA],
        floor: Floor::Power,
        tokens: TokenTerm::Power,
        rate: false,
        size: true,
    },
    &P2 {
        name: "p2-two-sizes",
        formula: "L0 + rho^-gamma N0^-delta (floor - floor_slope ln N0 + D_C D^-beta)",
        latex: r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( F - F' \ln N_0 + D_C D^{-\beta} \right)",
        parameters: &[FLOOR_SLOPE, D_C, FLOOR, BETA, GAMMA, DELTA_ALONE],
        floor: Floor::Line,
        tokens: TokenTerm::Power,
        rate: true,
        size: true,
    },
    &P2 {
        name: "p2-two-sizes-one-rate",
        formula: "L0 + N0^-delta (floor - floor_slope ln N0 + D_C D^-beta)",
        latex: r"L_0 + N_0^{-\delta} \left( F - F' \ln N_0 + D_C D^{-\beta} \right)",
        parameters: &[FLOOR_SLOPE, D_C, FLOOR, BETA, DELTA_ALONE],
        floor: Floor::Line,
        tokens: TokenTerm::Power,
        rate: false,
        size: true,
    },
    &P2 {
        name: "p2-one-size",
        formula: "L0 + rho^-gamma (E + D_C D^-beta)",
        latex: r"L_0 + \rho^{-\gamma} \left( E + D_C D^{-\beta} \right)",
        parameters: &[D_C, E, BETA, GAMMA],
        floor: Floor::Flat,
        tokens: TokenTerm::Power,
        rate: true,
        size: false,
    },
    &P2 {
        name: "p2-one-size-one-rate",
        formula: "L0 + E + D_C D^-beta",
        latex: r"L_0 + E + D_C D^{-\beta}",
        parameters: &[D_C, E, BETA],
        floor: Floor::Flat,
        tokens: TokenTerm::Power,
        rate: false,
        size: false,
    },
    &P2 {
        name: "p2-two-counts",
        formula: "L0 + rho^-gamma N0^-delta (N_C N0^-alpha + level - token_slope ln D)",
        latex: r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( N_C N_0^{-\alpha} + K - D' \ln D \right)",
        parameters: &[N_C, TOKEN_SLOPE, LEVEL, ALPHA, GAMMA, DELTA],
        floor: Floor::Power,
        tokens: TokenTerm::Line,
        rate: true,
        size: true,
    },
    &P2 {
        name: "p2-one-rate-two-counts",
        formula: "L0 + N0^-delta (N_C N0^-alpha + level - token_slope ln D)",
        latex: r"L_0 + N_0^{-\delta} \left( N_C N_0^{-\alpha} + K - D' \ln D \right)",
        parameters: &[N_C, TOKEN_SLOPE, LEVEL, ALPHA, DELTA],
        floor: Floor::Power,
        tokens: TokenTerm::Line,
        rate: false,
        size: true,
    },
    &P2 {
        name: "p2-two-sizes-two-counts",
        formula: "L0 + rho^-gamma N0^-delta (level - floor_slope ln N0 - token_slope ln D)",
        latex: r"L_0 + \rho^{-\gamma} N_0^{-\delta} \left( K - F' \ln N_0 - D' \ln D \right)",
        parameters: &[FLOOR_SLOPE, TOKEN_SLOPE, LEVEL, GAMMA, DELTA_ALONE],
        floor: Floor::Line,
        tokens: TokenTerm::Line,
        rate: true,
        size: true,
    },
    &P2 {
        name: "p2-two-sizes-one-rate-two-counts",
        formula: "L0 + N0^-delta (level - floor_slope ln N0 - token_slope ln D)",
        latex: r"L_0 + N_0^{-\delta} \left( K - F' \ln N_0 - D' \ln D \right)",
        parameters: &[FLOOR_SLOPE, TOKEN_SLOPE, LEVEL, DELTA_ALONE],
        floor: Floor::Line,
        tokens: TokenTerm::Line,
        rate: false,
        size: true,
    },
    &P2 {
        name: "p2-one-size-two-counts",
        formula: "L0 + rho^-gamma (level - token_slope ln D)",
        latex: r"L_0 + \rho^{-\gamma} \left( K - D' \ln D \right)",
        parameters: &[TOKEN_SLOPE, LEVEL, GAMMA],
        floor: Floor::Flat,
        tokens: TokenTerm::Line,
        rate: true,
        size: false,
    },
    &P2 {
        name: "p2-one-size-one-rate-two-counts",
        formula: "L0 + level - token_slope ln D",
        latex: r"L_0 + K - D' \ln D",
        parameters: &[TOKEN_SLOPE, LEVEL],
        floor: Floor::Flat,
        tokens: TokenTerm::Line,
        rate: false,
        size: false,
    },
    &P2 {
        name: "p2-one-count",
        formula: "L0 + rho^-gamma N0^-delta E",
        latex: r"L_0 + \rho^{-\gamma} N_0^{-\delta} E",
        parameters: &[E, GAMMA, DELTA_ALONE],
        floor: Floor::Flat,
        tokens: TokenTerm::Absent,
        rate: true,
        size: true,
    },
    &P2 {
        name: "p2-one-rate-one-count",
        formula: "L0 + N0^-delta E",
        latex: r"L_0 + N_0^{-\delta} E",
        parameters: &[E, DELTA_ALONE],
        floor: Floor::Flat,
        tokens: TokenTerm::Absent,
        rate: false,
        size: true,
    },
    &P2 {
        name: "p2-one-size-one-count",
        formula: "L0 + rho^-gamma E",
        latex: r"L_0 + \rho^{-\gamma} E",
        parameters: &[E, GAMMA],
        floor: Floor::Flat,
        tokens: TokenTerm::Absent,
        rate: true,
        size: false,
    },
    &P2 {
        name: "p2-one-size-one-rate-one-count",
        formula: "L0 + E",
        latex: r"L_0 + E",
        parameters: &[E],
        floor: Floor::Flat,
        tokens: TokenTerm::Absent,
        rate: false,
        size: false,
    },
    &Shifted,
    &Compression,
    &Pruning,
    &Sparsity,
    &Chinchilla,
];
