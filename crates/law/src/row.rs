//! One point on the axes of a law.

/// The variables of one point, with their logarithms, which every power law needs.
///
/// The caller chooses the units. A law's constants belong to one choice of units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Parameters of the model before pruning.
    pub(crate) n0: f64,
    /// Realised pruning rate.
    pub(crate) rate: f64,
    /// Loss before pruning, nats per token.
    pub(crate) loss0: f64,
    /// Post-training tokens.
    pub(crate) tokens: f64,
    /// Logarithm of `n0`.
    pub(crate) ln_n0: f64,
    /// Logarithm of `rate`.
    pub(crate) ln_rate: f64,
    /// Logarithm of `tokens`.
    pub(crate) ln_tokens: f64,
    /// The logarithm of the share of parameters that is kept, `1 - rate`; the same in all units.
    pub(crate) ln_share: f64,
}

/// What the variables are divided by: units, or the gauge of a fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Parameters in one unit of size.
    pub n0: f64,
    /// The rate that counts as 1.
    pub rate: f64,
    /// Tokens in one unit.
    pub tokens: f64,
}

impl Row {
    /// A row from its variables.
    ///
    /// ```
    /// use law::{Row, Scale};
    /// let row = Row::new(8e9, 0.25, 2.0, 1e9);
    /// assert!((row.ln_kept().exp() / 6e9 - 1.0).abs() < 1e-12);
    /// let billions = row.divided_by(&Scale::BILLIONS);
    /// assert_eq!((billions.n0(), billions.tokens(), billions.at(2.0).tokens()), (8.0, 1.0, 2.0));
    /// assert_eq!(Scale::BILLIONS.relative_to(&Scale::COUNTS), Scale { n0: 1e9, rate: 1.0, tokens: 1e9 });
    /// ```
    pub fn new(n0: f64, rate: f64, loss0: f64, tokens: f64) -> Self {
        // `ln_1p` keeps the digits of a small rate.
        let (ln_n0, ln_rate, ln_tokens, ln_share) =
            (n0.ln(), rate.ln(), tokens.ln(), (-rate).ln_1p());
        Self { n0, rate, loss0, tokens, ln_n0, ln_rate, ln_tokens, ln_share }
    }

    /// The logarithm of the parameters that are kept after pruning.
    pub fn ln_kept(&self) -> f64 {
        self.ln_n0 + self.ln_share
    }

    /// The same point in other units.
    pub fn divided_by(&self, scale: &Scale) -> Self {
        let divided = Self::new(
            self.n0 / scale.n0,
            self.rate / scale.rate,
            self.loss0,
            self.tokens / scale.tokens,
        );
        // The share is taken from the true rate, not from a scaled one.
        Self { ln_share: self.ln_share, ..divided }
    }

    /// The same run after another number of tokens.
    pub fn at(&self, tokens: f64) -> Self {
        Self { tokens, ln_tokens: tokens.ln(), ..*self }
    }
}

impl Scale {
    /// Parameters and tokens counted one by one.
    pub const COUNTS: Self = Self { n0: 1.0, rate: 1.0, tokens: 1.0 };
    /// Parameters and tokens in billions.
    pub const BILLIONS: Self = Self { n0: 1e9, rate: 1.0, tokens: 1e9 };

    /// The gauge that makes a problem well conditioned: each variable is divided by its geometric
    /// mean.
    pub fn geometric_mean(rows: impl IntoIterator<Item = Row>) -> Self {
        let (mut n0, mut rate, mut tokens, mut rows_seen) = (0.0, 0.0, 0.0, 0.0_f64);
        for row in rows {
            n0 += row.ln_n0;
            rate += row.ln_rate;
            tokens += row.ln_tokens;
            rows_seen += 1.0;
        }
        // If a rate is 0 or an axis is not used, the mean does not exist: keep the unit.
        let mean = |sum: f64| {
            Some((sum / rows_seen.max(1.0)).exp()).filter(|x| x.is_normal()).unwrap_or(1.0)
        };
        Self { n0: mean(n0), rate: mean(rate), tokens: mean(tokens) }
    }

    /// How many units of `other` one unit of ours holds, for each axis.
    pub fn relative_to(&self, other: &Self) -> Self {
        Self {
            n0: self.n0 / other.n0,
            rate: self.rate / other.rate,
            tokens: self.tokens / other.tokens,
        }
    }
}

impl Row {
    /// Parameters of the model before pruning.
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

    /// Post-training tokens.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// Logarithm of `n0`.
    pub fn ln_n0(&self) -> f64 {
        self.ln_n0
    }

    /// Logarithm of `rate`.
    pub fn ln_rate(&self) -> f64 {
        self.ln_rate
    }

    /// Logarithm of `tokens`.
    pub fn ln_tokens(&self) -> f64 {
        self.ln_tokens
    }

    /// The logarithm of the share of parameters that is kept, `1 - rate`; the same in all units.
    pub fn ln_share(&self) -> f64 {
        self.ln_share
    }
}
