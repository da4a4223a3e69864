//! The P2 Law (Chen et al. 2025) and its reduced forms, for data that cannot tell all seven constants.
//!
//! `L = L0 + rho^-gamma N0^-delta (floor + token term)`, where the floor is `N_C N0^-alpha + E` and the token term
//! `D_C D^-beta`. Two sizes cannot tell the floor's three constants: there it is `floor - floor_slope ln N0`, the
//! straight line through two values. Two token counts cannot tell `beta`: there the token term is
//! `-token_slope ln D`.

use super::{Column, Form, Parameter, Role};
use crate::row::{Row, Scale};

/// How the floor, where no further token helps, follows the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// Not at all.
    Flat,
    /// A straight line in `ln N0`: exact at two sizes, meaningless elsewhere.
    Line,
    /// `N_C N0^-alpha + E`.
    Power,
}

/// How the loss follows the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTerm {
    /// Every run has one point.
    Absent,
    /// A straight line in `ln D`: exact at two token counts, meaningless elsewhere.
    Line,
    /// `D_C D^-beta`.
    Power,
}

/// A member of the P2 family.
#[derive(Debug)]
pub struct P2 {
    name: &'static str,
    formula: &'static str,
    latex: &'static str,
    parameters: &'static [Parameter],
    /// How the floor follows the size.
    pub floor: Floor,
    /// How the loss follows the tokens.
    pub tokens: TokenTerm,
    /// Whether the rate enters.
    pub rate: bool,
    /// Whether the size multiplies everything.
    pub size: bool,
}

/// The constants of one evaluation, absent ones at their neutral value.
struct Values {
    n_c: f64,
    d_c: f64,
    e: f64,
    alpha: f64,
    beta: f64,
    gamma: f64,
    delta: f64,
}

/// Where each constant stands.
struct Places {
    n_c: Option<usize>,
    d_c: Option<usize>,
    e: usize,
    alpha: Option<usize>,
    beta: Option<usize>,
    gamma: Option<usize>,
    delta: Option<usize>,
}

impl P2 {
    fn places(&self) -> Places {
        let mut next = 0;
        let mut place = |present: bool| {
            let place = present.then_some(next);
            next += usize::from(present);
            place
        };
        Places {
            n_c: place(self.floor != Floor::Flat),
            d_c: place(self.tokens != TokenTerm::Absent),
            e: place(true).expect("always present"),
            alpha: place(self.floor == Floor::Power),
            beta: place(self.tokens == TokenTerm::Power),
            gamma: place(self.rate),
            delta: place(self.size),
        }
    }

    fn values(&self, parameters: &[f64]) -> Values {
        let places = self.places();
        let get = |place: Option<usize>| place.map_or(0.0, |place| parameters[place]);
        Values {
            n_c: get(places.n_c),
            d_c: get(places.d_c),
            e: parameters[places.e],
            alpha: get(places.alpha),
            beta: get(places.beta),
            gamma: get(places.gamma),
            delta: get(places.delta),
        }
    }

    /// `rho^-gamma N0^-delta`.
    fn common(&self, gamma: f64, delta: f64, row: &Row) -> f64 {
        let rate = if self.rate { -gamma * row.ln_rate } else { 0.0 };
        let size = if self.size { -delta * row.ln_n0 } else { 0.0 };
        (rate + size).exp()
    }

    fn floor_column(&self, alpha: f64, row: &Row) -> f64 {
        match self.floor {
            Floor::Flat => 0.0,
            Floor::Line => -row.ln_n0,
            Floor::Power => (-alpha * row.ln_n0).exp(),
        }
    }

    fn token_column(&self, beta: f64, row: &Row) -> f64 {
        match self.tokens {
            TokenTerm::Absent => 0.0,
            TokenTerm::Line => -row.ln_tokens,
            TokenTerm::Power => (-beta * row.ln_tokens).exp(),
        }
    }
}

impl Form for P2 {
    fn name(&self) -> &'static str {
        self.name
    }

    fn formula(&self) -> &'static str {
        self.formula
    }

    fn latex(&self) -> &'static str {
        self.latex
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.parameters
    }

    fn columns(&self) -> &'static [Column] {
        &[Column::N0, Column::Rate, Column::Loss0, Column::Tokens]
    }

    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]) {
        let places = self.places();
        let linear = places.e + 1;
        let get = |place: Option<usize>| place.map_or(0.0, |place| exponents[place - linear]);
        let common = self.common(get(places.gamma), get(places.delta), row);
        if let Some(place) = places.n_c {
            out[place] = common * self.floor_column(get(places.alpha), row);
        }
        if let Some(place) = places.d_c {
            out[place] = common * self.token_column(get(places.beta), row);
        }
        out[places.e] = common;
    }

    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]) {
        let (places, p) = (self.places(), self.values(parameters));
        let common = self.common(p.gamma, p.delta, row);
        let floor = common * self.floor_column(p.alpha, row);
        let tokens = common * self.token_column(p.beta, row);
        let excess = p.n_c * floor + p.d_c * tokens + p.e * common;
        let derivatives = [
            (places.n_c, floor),
            (places.d_c, tokens),
            (Some(places.e), common),
            (places.alpha, -row.ln_n0 * p.n_c * floor),
            (places.beta, -row.ln_tokens * p.d_c * tokens),
            (places.gamma, -row.ln_rate * excess),
            (places.delta, -row.ln_n0 * excess),
        ];
        for (place, derivative) in derivatives {
            if let Some(place) = place {
                out[place] = derivative;
            }
        }
    }

    fn rescale(&self, parameters: &mut [f64], scale: &Scale) {
        let (places, p) = (self.places(), self.values(parameters));
        // (N / s)^-delta (rho / u)^-gamma = N^-delta rho^-gamma s^delta u^gamma: the last two belong to the constants.
        let common = scale.n0.powf(p.delta) * scale.rate.powf(p.gamma);
        for place in [places.n_c, places.d_c, Some(places.e)].into_iter().flatten() {
            parameters[place] *= common;
        }
        match (self.floor, places.n_c) {
            (Floor::Power, Some(place)) => parameters[place] *= scale.n0.powf(p.alpha),
            // -slope ln(N / s) = -slope ln N + slope ln s.
            (Floor::Line, Some(place)) => parameters[places.e] += parameters[place] * scale.n0.ln(),
            _ => {}
        }
        match (self.tokens, places.d_c) {
            (TokenTerm::Power, Some(place)) => parameters[place] *= scale.tokens.powf(p.beta),
            (TokenTerm::Line, Some(place)) => parameters[places.e] += parameters[place] * scale.tokens.ln(),
            _ => {}
        }
    }

    fn token_exponent(&self) -> Option<usize> {
        self.places().beta
    }

    fn along_run(&self, parameters: &[f64], row: &Row, out: &mut [[f64; 3]]) {
        let (places, p) = (self.places(), self.values(parameters));
        let common = self.common(p.gamma, p.delta, row);
        let floor = common * self.floor_column(p.alpha, row);
        let excess = [p.n_c * floor + p.e * common, p.d_c * common, 0.0];
        let derivatives = [
            (places.n_c, [floor, 0.0, 0.0]),
            (places.d_c, [0.0, common, 0.0]),
            (Some(places.e), [common, 0.0, 0.0]),
            (places.alpha, [-row.ln_n0 * p.n_c * floor, 0.0, 0.0]),
            (places.beta, [0.0, 0.0, -p.d_c * common]),
            (places.gamma, excess.map(|x| -row.ln_rate * x)),
            (places.delta, excess.map(|x| -row.ln_n0 * x)),
        ];
        for (place, derivative) in derivatives {
            if let Some(place) = place {
                out[place] = derivative;
            }
        }
    }
}

/// A linear constant.
const fn constant(name: &'static str, min: f64) -> Parameter {
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
const fn exponent(name: &'static str, bounds: (f64, f64), start: (f64, f64), log_start: bool) -> Parameter {
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

const N_C: Parameter = constant("N_C", 0.0);
const FLOOR_SLOPE: Parameter = constant("floor_slope", f64::NEG_INFINITY);
const D_C: Parameter = constant("D_C", 0.0);
const TOKEN_SLOPE: Parameter = constant("token_slope", 0.0);
const E: Parameter = constant("E", f64::NEG_INFINITY);
/// What `E` and the token term are together where two token counts cannot tell them apart.
const LEVEL: Parameter = constant("level", f64::NEG_INFINITY);
const FLOOR: Parameter = constant("floor", f64::NEG_INFINITY);
/// Nearer to 0 the floor's two terms are the same and their constants run away.
const ALPHA: Parameter = Parameter { gap: 0.02, ..exponent("alpha", (-3.0, 4.0), (-0.6, 1.2), false) };
/// Without `delta`, alpha + delta > 0 says alpha > 0.
const ALPHA_ALONE: Parameter = exponent("alpha", (0.02, 4.0), (0.05, 1.5), true);
const BETA: Parameter = exponent("beta", (0.01, 5.0), (0.05, 1.6), true);
/// Free; loss grows with the rate, so it comes out negative.
const GAMMA: Parameter = exponent("gamma", (-10.0, 5.0), (-2.5, 0.1), false);
/// Bounded through alpha + delta > 0.
const DELTA: Parameter =
    Parameter { sum_with: Some("alpha"), ..exponent("delta", (0.001, 8.0), (0.05, 1.2), true) };
const DELTA_ALONE: Parameter = exponent("delta", (-4.0, 4.0), (-0.4, 0.8), false);

/// `p2[-one-size|-two-sizes][-one-rate][-one-count|-two-counts]`, and the form without `delta`.
pub(super) static FORMS: [&dyn Form; 17] = [
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
];
