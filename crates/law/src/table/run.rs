//! One run and its points.

use crate::row::Row;

/// One run: a place on the axes of size and rate, and its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// The model it was pruned from.
    pub base: String,
    /// Parameters before pruning.
    pub n0: f64,
    /// Realised pruning rate.
    pub rate: f64,
    /// Loss before pruning, nats per token.
    pub loss0: f64,
    /// In ascending order of tokens.
    pub points: Vec<Point>,
}

/// One measured point of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Post-training tokens.
    pub tokens: f64,
    /// Held-out loss, nats per token.
    pub loss: f64,
    /// How much the squared residual counts.
    pub weight: f64,
}

impl Run {
    /// The run's place after some tokens.
    pub fn row(&self, tokens: f64) -> Row {
        Row::new(self.n0, self.rate, self.loss0, tokens)
    }

    /// The places of its points.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let row = self.row(1.0);
        self.points.iter().map(move |point| row.at(point.tokens))
    }
}
