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
    /// Errors have heavy tails: Student's t with five degrees of freedom, of the same deviations.
    pub(crate) heavy: bool,
    /// The i-th size has only the i-th rate, as in an N:M pattern.
    pub(crate) paired: bool,
    /// What is added to the law's loss: size, rate and tokens in billions.
    pub(crate) bend: Bend,
}

/// What is added to a loss: of size, rate and tokens in billions.
pub(crate) type Bend = fn(f64, f64, f64) -> f64;

/// Ways in which the first truth can be of another form.
pub(crate) mod wrong {
    use super::World;

    /// The token term of the first truth, with a `beta` of its own.
    fn term(n0: f64, rate: f64, tokens: f64, beta: f64) -> f64 {
        let [_, d_c, _, _, _, gamma, delta] = World::new(&[], &[]).truth;
        d_c * rate.powf(-gamma) * n0.powf(-delta) * tokens.powf(-beta)
    }

    /// `tokens + by` instead of `tokens`, in billions.
    pub(crate) fn shifted(n0: f64, rate: f64, tokens: f64, by: f64) -> f64 {
        term(n0, rate, tokens + by, 0.5) - term(n0, rate, tokens, 0.5)
    }

    pub(crate) fn beta_grows_with_the_rate(n0: f64, rate: f64, tokens: f64) -> f64 {
        term(n0, rate, tokens, 0.5 + 0.3 * (rate / 0.25).ln()) - term(n0, rate, tokens, 0.5)
    }

    pub(crate) fn beta_grows_with_the_size(n0: f64, rate: f64, tokens: f64) -> f64 {
        term(n0, rate, tokens, 0.5 + 0.3 * (n0 / 1.5).ln()) - term(n0, rate, tokens, 0.5)
    }

    pub(crate) fn no_power_of_the_rate(n0: f64, rate: f64, tokens: f64) -> f64 {
        let excess = term(n0, rate, tokens, 0.5) + term(n0, rate, 1.0, 0.5);
        excess * ((0.4 * (rate / 0.25).ln().powi(2)).exp() - 1.0)
    }
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
            heavy: false,
            paired: false,
            bend: |_, _, _| 0.0,
        }
    }

    pub(crate) fn noisy(self) -> Self {
        Self { run: 0.002, point: 0.002, autocorrelation: 0.6, ..self }
    }

    /// A second truth: E below 0, tokens that work slowly, larger errors with heavy tails and less
    /// memory.
    pub(crate) fn second(sizes: &[f64], rates: &[f64]) -> Self {
        Self {
            truth: [0.3, 0.4, -0.05, 0.25, 0.3, -0.8, 0.1],
            run: 0.004,
            point: 0.003,
            autocorrelation: 0.3,
            heavy: true,
            ..Self::new(sizes, rates)
        }
    }

    pub(crate) fn loss0(n0: f64) -> f64 {
        2.2 - 0.2 * n0.ln()
    }

    pub(crate) fn p2() -> &'static dyn Form {
        form::by_name("p2").expect("p2 is registered")
    }

    /// The true mean loss, size and tokens in billions.
    pub(crate) fn loss(&self, n0: f64, rate: f64, tokens: f64) -> f64 {
        Self::p2().value(&self.truth, &Row::new(n0, rate, Self::loss0(n0), tokens))
            + (self.bend)(n0, rate, tokens)
    }

    /// Tokens from which doubling buys 0.01 nats in truth, by bisection in the logarithm, whatever
    /// the form.
    pub(crate) fn enough(&self, n0: f64, rate: f64) -> f64 {
        let gain = |tokens: f64| self.loss(n0, rate, tokens) - self.loss(n0, rate, 2.0 * tokens);
        let (mut low, mut high) = (1e-9_f64, 1e9_f64);
        for _ in 0..100 {
            let middle = (low * high).sqrt();
            if gain(middle) > 0.01 { low = middle } else { high = middle }
        }
        low * 1e9
    }

    /// The rates seen at the i-th size.
    fn rates_of(&self, i: usize) -> &[f64] {
        if self.paired { &self.rates[i..=i] } else { &self.rates }
    }

    /// The same world seen at one place only.
    pub(crate) fn at(&self, n0: f64, rate: f64, tokens: f64) -> Self {
        Self { sizes: vec![n0], rates: vec![rate], tokens: vec![tokens], paired: false, ..*self }
    }

    fn error(&self, random: &mut ChaCha8Rng) -> f64 {
        let error = normal(random);
        if !self.heavy {
            return error;
        }
        let square: f64 = (0..5).map(|_| normal(random).powi(2)).sum();
        // The variance of t with five degrees of freedom is 5/3.
        error / (square / 5.0).sqrt() * 0.6_f64.sqrt()
    }

    /// By how much the first run of such rows lies off the law.
    pub(crate) fn offset_of_first(&self, seed: u64) -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let of_base = self.base * self.error(&mut random);
        of_base + self.run * self.error(&mut random)
    }

    pub(crate) fn rows(&self, seed: u64) -> Vec<TableRow> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = Vec::new();
        for (i, &n0) in self.sizes.iter().enumerate() {
            let of_base = self.base * self.error(&mut random);
            for &rate in self.rates_of(i) {
                let of_run = self.run * self.error(&mut random);
                let mut error = self.error(&mut random);
                for &tokens in &self.tokens {
                    let noise = of_base + of_run + self.point * error;
                    error = self.autocorrelation * error
                        + (1.0 - self.autocorrelation.powi(2)).sqrt() * self.error(&mut random);
                    let run =
                        TableRow::run(&format!("{n0}-{rate}"), n0 * 1e9, rate, Self::loss0(n0));
                    let loss = self.loss(n0, rate, tokens) + noise;
                    rows.push(TableRow { tokens: tokens * 1e9, loss, zeroed: Some(false), ..run });
                }
            }
        }
        rows
    }

    pub(crate) fn table(&self, seed: u64) -> Table {
        Table::new(self.rows(seed)).expect("a simulated table is sound")
    }
}

pub(crate) fn normal(random: &mut ChaCha8Rng) -> f64 {
    let mut uniform = || ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
}
