//! The bounds of a form's constants, as the search sees them. They are a box, because a bounded sum
//! of exponents is a coordinate of its own.

use super::constraints::Constraints;
use super::triangle::{COLUMNS, Factor};
use crate::form::{Form, Parameter};

/// The box of a form's constants.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    linear: usize,
    names: Vec<&'static str>,
    /// For each constant, or for the sum that replaces it.
    sides: Vec<Side>,
    /// (a, b): the coordinate of exponent `a` is the sum of exponents `a` and `b`.
    sums: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Side {
    ends: [f64; 2],
    gap: f64,
    start: (f64, f64),
    log_start: bool,
}

impl Space {
    pub(crate) fn new(form: &dyn Form, constraints: &Constraints) -> Self {
        let (linear, parameters) = (form.linear(), form.parameters());
        assert!(
            parameters[linear..].iter().all(|parameter| parameter.is_exponent),
            "linear constants come first"
        );
        let mut sides: Vec<Side> = parameters
            .iter()
            .map(|parameter| Side::of(parameter, constraints.ends(parameter.name)))
            .collect();
        let mut sums = Vec::new();
        for (a, parameter) in parameters.iter().enumerate().skip(linear) {
            let Some(b) = parameter.sum_with.and_then(|name| form.position(name)) else { continue };
            match constraints.ends(parameter.name) {
                // The bounds of `a` then hold for the sum.
                None => sums.push((a - linear, b - linear)),
                // `a` is set, so bounds on the sum become bounds on `b` alone.
                Some([value, end])
                    if value == end && constraints.ends(parameters[b].name).is_none() =>
                {
                    let ends = &mut sides[b].ends;
                    *ends =
                        [ends[0].max(parameter.min - value), ends[1].min(parameter.max - value)];
                }
                Some(_) => {}
            }
        }
        let names = parameters.iter().map(|parameter| parameter.name).collect();
        Self { linear, names, sides, sums }
    }

    /// How many constants are linear.
    pub(super) fn linear(&self) -> usize {
        self.linear
    }

    pub(crate) fn enter(&self, exponents: &[f64]) -> Vec<f64> {
        let mut at = exponents.to_vec();
        self.sums.iter().for_each(|&(a, b)| at[a] += exponents[b]);
        at
    }

    pub(crate) fn leave(&self, at: &[f64]) -> Vec<f64> {
        let mut exponents = at.to_vec();
        self.sums.iter().for_each(|&(a, b)| exponents[a] -= at[b]);
        exponents
    }

    /// The bounds of a linear constant.
    pub(super) fn ends(&self, constant: usize) -> [f64; 2] {
        self.sides[constant].ends
    }

    /// The bounds at a point. A gap around 0 is not crossed, so the sign stays.
    pub(super) fn bounds(&self, exponent: usize, at: f64) -> (f64, f64) {
        let Side { ends: [min, max], gap, .. } = self.sides[self.linear + exponent];
        match gap > 0.0 {
            true if at >= 0.0 => (gap, max),
            true => (min, -gap),
            false => (min, max),
        }
    }

    /// A starting value, at `share` of the way through an exponent's range.
    pub(super) fn spread(&self, exponent: usize, share: f64) -> f64 {
        let Side { start: (low, high), log_start, .. } = self.sides[self.linear + exponent];
        if log_start { low * (high / low).powf(share) } else { low + (high - low) * share }
    }

    pub(crate) fn inside(&self, at: &[f64]) -> Vec<f64> {
        self.keep_side(at, at)
    }

    pub(super) fn keep_side(&self, side: &[f64], at: &[f64]) -> Vec<f64> {
        let clamp = |(i, x): (usize, &f64)| {
            let (min, max) = self.bounds(i, side[i]);
            x.clamp(min, max)
        };
        at.iter().enumerate().map(clamp).collect()
    }

    /// Whether a constant was set before the fit.
    pub(crate) fn is_set(&self, constant: usize) -> bool {
        let [low, high] = self.sides[constant].ends;
        low == high
    }

    /// How many constants are not set.
    pub(crate) fn free(&self) -> usize {
        (0..self.sides.len()).filter(|&i| !self.is_set(i)).count()
    }

    /// The names of constants, or sums, that lie at a bound.
    pub(crate) fn at_bound(&self, parameters: &[f64]) -> Vec<String> {
        let (constants, exponents) = parameters.split_at(self.linear);
        let at = self.enter(exponents);
        let constants = constants.iter().enumerate().map(|(i, &x)| (i, x, self.ends(i)));
        let exponents = at.iter().enumerate().map(|(i, &x)| {
            let (min, max) = self.bounds(i, x);
            (self.linear + i, x, [min, max])
        });
        let at_bound = |&(i, x, [min, max]): &(usize, f64, [f64; 2])| {
            !self.is_set(i) && (x <= min || x >= max)
        };
        constants.chain(exponents).filter(at_bound).map(|(i, ..)| self.name(i)).collect()
    }

    fn name(&self, constant: usize) -> String {
        let name = self.names[constant];
        let sum = self.sums.iter().find(|(a, _)| a + self.linear == constant);
        sum.map_or_else(
            || name.to_owned(),
            |(_, b)| format!("{} + {name}", self.names[b + self.linear]),
        )
    }

    /// Changes derivatives by exponent into derivatives by coordinate.
    pub(super) fn turn(&self, mut factor: Factor<COLUMNS>) -> Factor<COLUMNS> {
        for &(a, b) in &self.sums {
            for row in &mut factor.rows {
                // With `u = a + b` as coordinate, `d/db` at fixed `u` is `d/db - d/da`.
                row[self.linear + b] -= row[self.linear + a];
            }
        }
        factor
    }

    /// The same for a gradient by all constants.
    pub(super) fn turn_gradient(&self, gradient: &mut [f64]) {
        for &(a, b) in &self.sums {
            gradient[self.linear + b] -= gradient[self.linear + a];
        }
    }
}

impl Side {
    /// The form's own bounds, or the given ones in their place.
    fn of(parameter: &Parameter, given: Option<[f64; 2]>) -> Self {
        let Parameter { min, max, gap, start, log_start, .. } = *parameter;
        let Some([low, high]) = given else {
            return Self { ends: [min, max], gap, start, log_start };
        };
        // A gap remains only if there is room on both of its sides.
        let gap = if low < -gap && gap < high { gap } else { 0.0 };
        let open = |end: f64, own: f64| if end.is_finite() { end } else { own };
        // Starts stay in the form's usual range where that meets the given bounds.
        let common = (start.0.max(low), start.1.min(high));
        let start = if common.0 < common.1 { common } else { (open(low, high), open(high, low)) };
        // Starts that are even in the logarithm need positive ends.
        Self { ends: [low, high], gap, start, log_start: log_start && start.0 > 0.0 }
    }
}
