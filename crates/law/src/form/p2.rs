//! The P2 Law (Chen et al. 2025) and its reduced forms, for data that cannot tell all seven
//! constants.
//!
//! `L = L0 + rho^-gamma N0^-delta (floor + token term)`, where the floor is `N_C N0^-alpha + E` and
//! the token term `D_C D^-beta`. Two sizes cannot tell the floor's three constants: there it is
//! `floor - floor_slope ln N0`, the straight line through two values. Two token counts cannot tell
//! `beta`: there the token term is `-token_slope ln D`.

use super::{Column, Form, Parameter};
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
    pub(super) name: &'static str,
    pub(super) formula: &'static str,
    pub(super) latex: &'static str,
    pub(super) parameters: &'static [Parameter],
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
        use Column::{Loss0, N0, Rate, Tokens};
        match (self.size || self.floor != Floor::Flat, self.rate, self.tokens != TokenTerm::Absent)
        {
            (true, true, true) => &[N0, Rate, Loss0, Tokens],
            (true, true, false) => &[N0, Rate, Loss0],
            (true, false, true) => &[N0, Loss0, Tokens],
            (true, false, false) => &[N0, Loss0],
            (false, true, true) => &[Rate, Loss0, Tokens],
            (false, true, false) => &[Rate, Loss0],
            (false, false, true) => &[Loss0, Tokens],
            (false, false, false) => &[Loss0],
        }
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
        // (N / s)^-delta (rho / u)^-gamma = N^-delta rho^-gamma s^delta u^gamma: the last two
        // belong to the constants.
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
            (TokenTerm::Line, Some(place)) => {
                parameters[places.e] += parameters[place] * scale.tokens.ln()
            }
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
