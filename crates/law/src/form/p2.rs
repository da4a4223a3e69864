//! The P2 Law (Chen et al. 2025), and its reduced forms for data that cannot determine all seven
//! constants.
//!
//! `L = L0 + rho^-gamma N0^-delta (floor + token term)`. The floor is `N_C N0^-alpha + E` and the
//! token term `D_C D^-beta`. Two sizes cannot determine the floor's three constants. There it is
//! `floor - floor_slope ln N0`, the straight line through two values. Two token counts cannot
//! determine `beta`. There the token term is `-token_slope ln D`.

use super::axis::{Axis, Follows, Grid};
use super::constants::{
    ALPHA, ALPHA_ALONE, BETA, D_C, DELTA, DELTA_ALONE, E, FLOOR, FLOOR_SLOPE, GAMMA, LEVEL, N_C,
    TOKEN_SLOPE,
};
use super::formula::{Form, Parameter};
use crate::row::{Row, Scale};

/// How the floor, the loss with unlimited tokens, depends on the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    /// It does not depend on it.
    Flat,
    /// A straight line in `ln N0`: exact at two sizes, meaningless elsewhere.
    Line,
    /// `N_C N0^-alpha + E`.
    Power,
}

/// How the loss depends on the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenTerm {
    /// It does not, because every run has one point.
    Absent,
    /// A straight line in `ln D`: exact at two token counts, meaningless elsewhere.
    Line,
    /// `D_C D^-beta`.
    Power,
}

/// The terms of a member of the P2 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How the floor depends on the size.
    pub(super) floor: Floor,
    /// How the loss depends on the tokens.
    pub(super) tokens: TokenTerm,
    /// Whether there is a factor of the rate.
    pub(super) rate: bool,
    /// Whether there is a factor of the size.
    pub(super) size: bool,
}

/// A member of the P2 family.
#[derive(Debug)]
pub struct P2 {
    name: &'static str,
    formula: &'static str,
    latex: &'static str,
    terms: Terms,
    /// Only the first `count` are used.
    parameters: [Parameter; MOST],
    count: usize,
    /// Finds the member of the family with given terms.
    member: fn(Terms) -> &'static P2,
}

/// The number of constants of the full form.
const MOST: usize = 7;

impl Terms {
    /// The form with all seven constants.
    pub(super) const FULL: Self =
        Self { floor: Floor::Power, tokens: TokenTerm::Power, rate: true, size: true };

    /// The largest terms that data with these levels can determine.
    pub(super) fn fixed_by(levels: Grid) -> Self {
        let tokens = match levels.counts {
            0 | 1 => TokenTerm::Absent,
            2 => TokenTerm::Line,
            _ => TokenTerm::Power,
        };
        let floor = match (levels.sizes, tokens) {
            // Without tokens only the floor remains, and the factor of the size already covers the
            // size.
            (0 | 1, _) | (_, TokenTerm::Absent) => Floor::Flat,
            (2, _) => Floor::Line,
            _ => Floor::Power,
        };
        Self { floor, tokens, rate: levels.rates > 1, size: levels.sizes > 1 }
    }

    /// The same terms, with powers in place of straight lines.
    fn fuller(self) -> Self {
        let floor = if self.floor == Floor::Line { Floor::Power } else { self.floor };
        let tokens = if self.tokens == TokenTerm::Line { TokenTerm::Power } else { self.tokens };
        Self { floor, tokens, ..self }
    }

    /// The constants of these terms, in the order of [`Form::parameters`].
    const fn parameters(self) -> ([Parameter; MOST], usize) {
        // One constant holds what the data cannot separate, and its name says what that is.
        let level = match (self.tokens, self.floor) {
            (TokenTerm::Line, _) => LEVEL,
            (_, Floor::Line) => FLOOR,
            _ => E,
        };
        let alpha = if self.size { ALPHA } else { ALPHA_ALONE };
        let delta = if matches!(self.floor, Floor::Power) { DELTA } else { DELTA_ALONE };
        // Linear constants first, then exponents: the order that every form must have.
        let present = [
            match self.floor {
                Floor::Flat => None,
                Floor::Line => Some(FLOOR_SLOPE),
                Floor::Power => Some(N_C),
            },
            match self.tokens {
                TokenTerm::Absent => None,
                TokenTerm::Line => Some(TOKEN_SLOPE),
                TokenTerm::Power => Some(D_C),
            },
            Some(level),
            if matches!(self.floor, Floor::Power) { Some(alpha) } else { None },
            if matches!(self.tokens, TokenTerm::Power) { Some(BETA) } else { None },
            if self.rate { Some(GAMMA) } else { None },
            if self.size { Some(delta) } else { None },
        ];
        // A `const fn` cannot use iterators. `E` only fills the unused places.
        let (mut parameters, mut count, mut i) = ([E; MOST], 0, 0);
        while i < MOST {
            if let Some(parameter) = present[i] {
                parameters[count] = parameter;
                count += 1;
            }
            i += 1;
        }
        (parameters, count)
    }
}

/// The constants of one evaluation. Absent ones have a neutral value.
struct Values {
    n_c: f64,
    d_c: f64,
    e: f64,
    alpha: f64,
    beta: f64,
    gamma: f64,
    delta: f64,
}

/// The index of each constant, in the order of [`Form::parameters`].
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
    pub(super) const fn new(
        name: &'static str,
        formula: &'static str,
        latex: &'static str,
        terms: Terms,
        member: fn(Terms) -> &'static Self,
    ) -> Self {
        let (parameters, count) = terms.parameters();
        Self { name, formula, latex, terms, parameters, count, member }
    }

    /// The terms of this member.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    fn places(&self) -> Places {
        let mut next = 0;
        let mut place = |present: bool| {
            let place = present.then_some(next);
            next += usize::from(present);
            place
        };
        Places {
            n_c: place(self.terms.floor != Floor::Flat),
            d_c: place(self.terms.tokens != TokenTerm::Absent),
            e: place(true).expect("always present"),
            alpha: place(self.terms.floor == Floor::Power),
            beta: place(self.terms.tokens == TokenTerm::Power),
            gamma: place(self.terms.rate),
            delta: place(self.terms.size),
        }
    }

    fn values(&self, parameters: &[f64]) -> Values {
        let places = self.places();
        // A power with exponent 0 is 1, and a linear constant of 0 drops its term.
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
        let rate = if self.terms.rate { -gamma * row.ln_rate } else { 0.0 };
        let size = if self.terms.size { -delta * row.ln_n0 } else { 0.0 };
        (rate + size).exp()
    }

    fn floor_column(&self, alpha: f64, row: &Row) -> f64 {
        match self.terms.floor {
            Floor::Flat => 0.0,
            Floor::Line => -row.ln_n0,
            Floor::Power => (-alpha * row.ln_n0).exp(),
        }
    }

    fn token_column(&self, beta: f64, row: &Row) -> f64 {
        match self.terms.tokens {
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

    fn parameters(&self) -> &[Parameter] {
        &self.parameters[..self.count]
    }

    fn axes(&self) -> &'static [Axis] {
        use Axis::{Loss0, N0, Rate, Tokens};
        match (
            self.terms.size || self.terms.floor != Floor::Flat,
            self.terms.rate,
            self.terms.tokens != TokenTerm::Absent,
        ) {
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

    fn follows(&self, axis: Axis) -> Follows {
        match axis {
            Axis::N0 if self.terms.floor == Floor::Line => Follows::Line,
            Axis::Tokens if self.terms.tokens == TokenTerm::Line => Follows::Line,
            _ if self.axes().contains(&axis) => Follows::Curve,
            _ => Follows::Not,
        }
    }

    /// Only the full form is replaced: a reduced form was asked for on purpose.
    fn reduces_to(&self, levels: Grid) -> Option<&'static dyn Form> {
        let member: &dyn Form = (self.member)(Terms::fixed_by(levels));
        (self.terms == Terms::FULL).then_some(member)
    }

    fn fuller(&self) -> Option<&'static dyn Form> {
        let fuller = self.terms.fuller();
        (fuller != self.terms).then(|| (self.member)(fuller) as &dyn Form)
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
        // `gamma` and `delta` act on the whole excess.
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
        // With `N` and `rho` divided by `s` and `u`, the factor `s^delta u^gamma` moves into the
        // constants.
        let common = scale.n0.powf(p.delta) * scale.rate.powf(p.gamma);
        for place in [places.n_c, places.d_c, Some(places.e)].into_iter().flatten() {
            parameters[place] *= common;
        }
        match (self.terms.floor, places.n_c) {
            (Floor::Power, Some(place)) => parameters[place] *= scale.n0.powf(p.alpha),
            // -slope ln(N / s) = -slope ln N + slope ln s.
            (Floor::Line, Some(place)) => parameters[places.e] += parameters[place] * scale.n0.ln(),
            _ => {}
        }
        match (self.terms.tokens, places.d_c) {
            (TokenTerm::Power, Some(place)) => parameters[place] *= scale.tokens.powf(p.beta),
            (TokenTerm::Line, Some(place)) => {
                parameters[places.e] += parameters[place] * scale.tokens.ln();
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
        // The excess by its coefficients on `1`, `D^-beta` and `D^-beta ln D`.
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
