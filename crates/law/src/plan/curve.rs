//! The loss at one place against tokens, and where it crosses a given value.
//!
//! A token term `A D^-beta` has closed forms. Doubling from `D` gains `A D^-beta (1 - 2^-beta)`,
//! and one more token gains `beta A D^-(beta + 1)`. A loss is reached where `A D^-beta` equals its
//! height above the floor. Other forms are searched.

use crate::form::{Axis, Form};
use crate::row::Row;

/// The loss against tokens, which are in the law's units.
pub(super) struct TokenCurve<'a> {
    /// The loss that no number of tokens gets below.
    pub(super) floor: f64,
    shape: Shape<'a>,
}

enum Shape<'a> {
    /// `floor + amplitude D^-beta`.
    Power { amplitude: f64, beta: f64 },
    /// Any curve that falls with tokens.
    Searched { form: &'a dyn Form, parameters: &'a [f64], row: Row },
}

/// The range of a search, in powers of two of the law's unit: from far below one token to far
/// beyond all text.
const POWERS: std::ops::RangeInclusive<i32> = -60..=100;

impl<'a> TokenCurve<'a> {
    /// The curve at a place in the law's units. `None` if the form does not use tokens or has no
    /// finite floor.
    pub(super) fn of(form: &'a dyn Form, parameters: &'a [f64], row: &Row) -> Option<Self> {
        if !form.axes().contains(&Axis::Tokens) {
            return None;
        }
        // With infinite tokens only the floor remains.
        let floor = form.value(parameters, &row.at(f64::INFINITY));
        floor.is_finite().then_some(())?;
        let shape = match form.token_exponent() {
            Some(place) => Shape::Power {
                amplitude: form.value(parameters, row) - floor,
                beta: parameters[place],
            },
            None => Shape::Searched { form, parameters, row: *row },
        };
        let curve = Self { floor, shape: shape.at_one(row) };
        curve.has_tokens().then_some(curve)
    }

    /// The loss after this many tokens.
    pub(super) fn loss(&self, tokens: f64) -> f64 {
        match &self.shape {
            Shape::Power { amplitude, beta } => self.floor + amplitude * tokens.powf(-beta),
            Shape::Searched { form, parameters, row } => form.value(parameters, &row.at(tokens)),
        }
    }

    /// The gain from doubling this number of tokens.
    pub(super) fn gain_of_doubling(&self, tokens: f64) -> f64 {
        match &self.shape {
            Shape::Power { amplitude, beta } => {
                amplitude * tokens.powf(-beta) * (1.0 - (-beta).exp2())
            }
            Shape::Searched { .. } => self.loss(tokens) - self.loss(2.0 * tokens),
        }
    }

    /// The gain from one more unit of tokens.
    fn gain_of_one(&self, tokens: f64) -> f64 {
        // A central difference in the logarithm: its error is of the order of the step squared.
        const STEP: f64 = 1e-4;
        let [before, after] = [(-STEP).exp(), STEP.exp()].map(|share| self.loss(tokens * share));
        (before - after) / (2.0 * STEP * tokens)
    }

    /// The tokens from which doubling gains less than `gain`.
    pub(super) fn where_doubling_buys(&self, gain: f64) -> Option<f64> {
        match &self.shape {
            Shape::Power { amplitude, beta } => {
                positive((amplitude * (1.0 - (-beta).exp2()) / gain).powf(1.0 / beta))
            }
            Shape::Searched { .. } => last_where(|tokens| self.gain_of_doubling(tokens) >= gain),
        }
    }

    /// The tokens from which one more unit gains less than `gain`.
    pub(super) fn where_one_buys(&self, gain: f64) -> Option<f64> {
        match &self.shape {
            Shape::Power { amplitude, beta } => {
                positive((beta * amplitude / gain).powf(1.0 / (beta + 1.0)))
            }
            Shape::Searched { .. } => last_where(|tokens| self.gain_of_one(tokens) >= gain),
        }
    }

    /// The tokens after which the loss equals `target`; `None` below the floor.
    pub(super) fn where_loss_is(&self, target: f64) -> Option<f64> {
        match &self.shape {
            _ if target <= self.floor => None,
            Shape::Power { amplitude, beta } => {
                positive((amplitude / (target - self.floor)).powf(1.0 / beta))
            }
            Shape::Searched { .. } => last_where(|tokens| self.loss(tokens) >= target),
        }
    }

    /// Whether tokens have an effect. A form that reads tokens may have lost its token term.
    fn has_tokens(&self) -> bool {
        match &self.shape {
            Shape::Power { amplitude, beta } => amplitude.is_finite() && *beta > 0.0,
            Shape::Searched { .. } => self.loss(1.0) > self.floor,
        }
    }
}

impl Shape<'_> {
    /// Converts the amplitude from the row's own tokens to one unit of tokens.
    fn at_one(self, row: &Row) -> Self {
        match self {
            Self::Power { amplitude, beta } => {
                Self::Power { amplitude: amplitude * (beta * row.ln_tokens).exp(), beta }
            }
            searched => searched,
        }
    }
}

fn positive(tokens: f64) -> Option<f64> {
    (tokens > 0.0 && tokens.is_finite()).then_some(tokens)
}

/// The largest number of tokens for which `holds` is true. It must be true for few and false for
/// many. `None` if it is true nowhere or everywhere.
fn last_where(holds: impl Fn(f64) -> bool) -> Option<f64> {
    let (first, last) = (*POWERS.start(), *POWERS.end());
    let power = (first..=last).rev().find(|power| holds(f64::from(*power).exp2()))?;
    // True up to the end of the range: there is no crossing.
    (power < last).then_some(())?;
    let (mut low, mut high) = (f64::from(power), f64::from(power + 1));
    // Each step fixes one bit of the logarithm.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if holds(middle.exp2()) { low = middle } else { high = middle }
    }
    Some(low.exp2())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same curve, with its closed form hidden.
    fn searched<'a>(
        form: &'a dyn Form,
        parameters: &'a [f64],
        row: Row,
        floor: f64,
    ) -> TokenCurve<'a> {
        TokenCurve { floor, shape: Shape::Searched { form, parameters, row } }
    }

    #[test]
    fn the_search_finds_what_the_closed_form_says() {
        let form = crate::form::by_name("p2").unwrap();
        let parameters = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2];
        let row = Row::new(3.1, 0.25, 2.2, 0.4);
        let closed = TokenCurve::of(form, &parameters, &row).unwrap();
        let open = searched(form, &parameters, row, closed.floor);
        for tokens in [1e-3, 0.2, 1.0, 30.0] {
            assert!((closed.loss(tokens) - form.value(&parameters, &row.at(tokens))).abs() < 1e-12);
            let (target, gain) = (closed.loss(tokens), closed.gain_of_doubling(tokens));
            for found in [closed.where_loss_is(target), open.where_loss_is(target)] {
                assert!((found.unwrap() / tokens - 1.0).abs() < 1e-9, "{found:?} {tokens}");
            }
            for found in [closed.where_doubling_buys(gain), open.where_doubling_buys(gain)] {
                assert!((found.unwrap() / tokens - 1.0).abs() < 1e-9, "{found:?} {tokens}");
            }
            let one = open.gain_of_one(tokens);
            assert!((closed.where_one_buys(one).unwrap() / tokens - 1.0).abs() < 1e-7);
            assert!((open.where_one_buys(one).unwrap() / tokens - 1.0).abs() < 1e-7);
        }
        assert_eq!(closed.where_loss_is(closed.floor), None);
    }

    #[test]
    fn without_a_token_term_there_is_no_curve() {
        let row = Row::new(1.0, 0.25, 2.0, 1.0);
        for (name, parameters) in [
            ("p2-one-size-one-rate-one-count", vec![0.5]),
            ("p2-one-size-one-rate-two-counts", vec![0.1, 0.5]),
        ] {
            let form = crate::form::by_name(name).unwrap();
            assert!(TokenCurve::of(form, &parameters, &row).is_none(), "{name}");
        }
    }

    #[test]
    fn tokens_that_buy_nothing_are_never_enough_and_the_floor_is_known() {
        let form = crate::form::by_name("p2-one-size-one-rate").unwrap();
        let parameters = [0.0, 0.5, 0.4];
        let curve = TokenCurve::of(form, &parameters, &Row::new(1.0, 0.25, 2.0, 1.0)).unwrap();
        assert_eq!((curve.floor, curve.gain_of_doubling(1.0)), (2.5, 0.0));
        let none =
            [curve.where_doubling_buys(0.01), curve.where_one_buys(0.01), curve.where_loss_is(2.6)];
        assert_eq!(none, [None; 3]);
    }
}
