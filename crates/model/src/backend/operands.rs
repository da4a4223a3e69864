//! Operands other than matrices.

/// A target that does not count in the loss.
pub const IGNORED: u32 = u32::MAX;

/// Heads of grouped-query attention: `query` heads share `key_value` heads of `dim` channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads; it divides `query`.
    pub key_value: usize,
    /// Channels of a head.
    pub dim: usize,
}

impl Heads {
    /// Columns of the joint query, key and value matrix.
    pub fn width(&self) -> usize {
        (self.query + 2 * self.key_value) * self.dim
    }
}

/// The constants of one AdamW step (Loshchilov and Hutter 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWStep {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the square root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay of this range.
    pub weight_decay: f64,
    /// Number of this step, counted from 1, for the bias corrections.
    pub step: u64,
    /// Factor on the gradients before anything else (clipping, averaging).
    pub gradient_scale: f64,
}

/// How a teacher's distribution enters a loss: `weight` times the divergence from it, and
/// `1 - weight` times the next-token loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixture {
    pub(crate) weight: f64,
    pub(crate) temperature: f64,
}

impl Mixture {
    /// The divergence alone, at temperature 1.
    pub const DIVERGENCE: Self = Mixture { weight: 1.0, temperature: 1.0 };

    /// A share of 0 to 1 for the divergence, at a temperature above 0.
    ///
    /// # Panics
    /// Outside these ranges.
    pub fn new(weight: f64, temperature: f64) -> Self {
        assert!((0.0..=1.0).contains(&weight) && temperature > 0.0 && temperature.is_finite());
        Mixture { weight, temperature }
    }
}

/// The most probable tokens of a teacher.
#[derive(Clone, Copy)]
pub struct TopShares<'a, Buffer, Ids> {
    /// Their ids, `[rows, count]`.
    pub(crate) ids: &'a Ids,
    /// Their probabilities, and last that of all other tokens together, `[rows, count + 1]`.
    pub(crate) shares: &'a Buffer,
    /// Tokens of a row.
    pub(crate) count: usize,
}

/// Rotary positions: a table of angles, and the position of every row in its sequence.
#[derive(Clone, Copy)]
pub struct Rotation<'a, Buffer, Ids> {
    /// Cosines, `[position, dim / 2]`.
    pub(crate) cosines: &'a Buffer,
    /// Sines, `[position, dim / 2]`.
    pub(crate) sines: &'a Buffer,
    /// Position of every row.
    pub(crate) positions: &'a Ids,
    /// Whether to rotate backwards, which is the gradient of rotating forwards.
    pub(crate) inverse: bool,
}

/// The rows of each sequence.
#[derive(Clone, Copy)]
pub struct SequenceRows<'a, Ids> {
    /// For each sequence, its first row and the row after its last.
    pub(crate) bounds: &'a Ids,
    /// Number of sequences.
    pub(crate) count: usize,
    /// Number of pairs of a row and a row that it sees, including itself.
    pub(crate) pairs: f64,
}
