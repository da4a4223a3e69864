//! A made world: a known law, known noise, and tables drawn from it.

#![allow(dead_code)] // Each test file uses a part of it.

use law::form::{self, Form};
use law::{Row, Table, TableRow};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A law with noise, and the runs that are drawn from it.
pub(crate) struct World {
    /// Constants of `p2`, in billions.
    pub(crate) truth: [f64; 7],
    pub(crate) sizes: Vec<f64>,
    pub(crate) rates: Vec<f64>,
    pub(crate) tokens: Vec<f64>,
    /// Standard deviations, nats: of a run, a base and a point.
    pub(crate) run: f64,
    pub(crate) base: f64,
    pub(crate) point: f64,
    pub(crate) autocorrelation: f64,
}

impl World {
    pub(crate) fn new(sizes: &[f64], rates: &[f64]) -> Self {
        Self {
            truth: [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2],
            sizes: sizes.to_vec(),
            rates: rates.to_vec(),
            tokens: (0..15).map(|i| 0.05 * 20.0_f64.powf(f64::from(i) / 14.0)).collect(),
            run: 0.0,
            base: 0.0,
            point: 0.0,
            autocorrelation: 0.0,
        }
    }

    pub(crate) fn noisy(self) -> Self {
        Self { run: 0.002, point: 0.002, autocorrelation: 0.6, ..self }
    }

    pub(crate) fn loss0(n0: f64) -> f64 {
        2.2 - 0.2 * n0.ln()
    }

    pub(crate) fn p2() -> &'static dyn Form {
        form::by_name("p2").unwrap()
    }

    /// The true mean loss, size and tokens in billions.
    pub(crate) fn loss(&self, n0: f64, rate: f64, tokens: f64) -> f64 {
        Self::p2().value(&self.truth, &Row::new(n0, rate, Self::loss0(n0), tokens))
    }

    pub(crate) fn rows(&self, seed: u64) -> Vec<TableRow> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = Vec::new();
        for &n0 in &self.sizes {
            let of_base = self.base * normal(&mut random);
            for &rate in &self.rates {
                let of_run = self.run * normal(&mut random);
                let mut error = normal(&mut random);
                for &tokens in &self.tokens {
                    let noise = of_base + of_run + self.point * error;
                    error = self.autocorrelation * error
                        + (1.0 - self.autocorrelation.powi(2)).sqrt() * normal(&mut random);
                    let run = TableRow::run(&format!("{n0}-{rate}"), n0 * 1e9, rate, Self::loss0(n0));
                    let loss = self.loss(n0, rate, tokens) + noise;
                    rows.push(TableRow { tokens: tokens * 1e9, loss, ..run });
                }
            }
        }
        rows
    }

    pub(crate) fn table(&self, seed: u64) -> Table {
        Table::new(self.rows(seed)).unwrap()
    }
}

pub(crate) fn normal(random: &mut ChaCha8Rng) -> f64 {
    let mut uniform = || ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
}
