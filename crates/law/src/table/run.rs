//! One run and its points.

use crate::place::Place;
use crate::row::Row;

/// One run: its size, rate and loss before pruning, and its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its name.
    pub(crate) name: String,
    /// The model it was pruned from.
    pub(crate) base: String,
    /// Parameters before pruning.
    pub(crate) n0: f64,
    /// Realised pruning rate.
    pub(crate) rate: f64,
    /// Loss before pruning, nats per token.
    pub(crate) loss0: f64,
    /// The points, in ascending order of tokens.
    pub(crate) points: Vec<Point>,
}

/// One measured point of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Post-training tokens.
    pub tokens: f64,
    /// Held-out loss, nats per token.
    pub loss: f64,
    /// The weight of the squared residual.
    pub weight: f64,
}

impl Point {
    /// `[ln D, loss]`.
    pub(crate) fn place(&self) -> [f64; 2] {
        [self.tokens.ln(), self.loss]
    }
}

impl Run {
    /// A run of a base at a place. Its points are sorted by tokens.
    ///
    /// ```
    /// use law::{Place, Point, Run};
    /// let point = |tokens| Point { tokens, loss: 2.5, weight: 1.0 };
    /// let place = Place { n0: 1e9, rate: 0.25, loss0: 2.0 };
    /// let run = Run::new("a", "base", place, vec![point(2e6), point(1e6)]);
    /// assert_eq!(run.points()[0].tokens, 1e6);
    /// ```
    pub fn new(name: &str, base: &str, place: Place, mut points: Vec<Point>) -> Self {
        points.sort_by(|a, b| a.tokens.total_cmp(&b.tokens));
        let Place { n0, rate, loss0 } = place;
        Self { name: name.to_owned(), base: base.to_owned(), n0, rate, loss0, points }
    }

    /// Its size, rate and loss before pruning.
    pub fn place(&self) -> Place {
        Place { n0: self.n0, rate: self.rate, loss0: self.loss0 }
    }

    /// The row of this run after some tokens.
    pub fn row(&self, tokens: f64) -> Row {
        Row::new(self.n0, self.rate, self.loss0, tokens)
    }

    /// The rows of its points.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        // The logarithms of size and rate are the same for all points.
        let row = self.row(1.0);
        self.points.iter().map(move |point| row.at(point.tokens))
    }
}

impl Run {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model it was pruned from.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Parameters before pruning.
    pub fn n0(&self) -> f64 {
        self.n0
    }

    /// Realised pruning rate.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Loss before pruning, nats per token.
    pub fn loss0(&self) -> f64 {
        self.loss0
    }

    /// The points, in ascending order of tokens.
    pub fn points(&self) -> &[Point] {
        &self.points
    }
}
