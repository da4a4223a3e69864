//! What operations take besides matrices.

/// Marks a target that does not enter the loss.
pub const IGNORED: u32 = u32::MAX;

/// Heads of grouped-query attention: `query` heads share `key_value` heads of `dim` channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads; divides `query`.
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
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay of this range.
    pub weight_decay: f64,
    /// One-based count of this step, for the bias corrections.
    pub step: u64,
    /// Gradients are multiplied by this first (clipping, averaging).
    pub gradient_scale: f64,
}

/// Rotary positions: a table of angles and the place of every row in its sequence.
#[derive(Clone, Copy)]
pub struct Rotation<'a, Buffer, Ids> {
    /// Cosines, `[position, dim / 2]`.
    pub(crate) cosines: &'a Buffer,
    /// Sines, `[position, dim / 2]`.
    pub(crate) sines: &'a Buffer,
    /// Position of every row.
    pub(crate) positions: &'a Ids,
    /// Rotate backwards, which is the gradient of rotating forwards.
    pub(crate) inverse: bool,
}

/// Which rows belong to one sequence.
#[derive(Clone, Copy)]
pub struct SequenceRows<'a, Ids> {
    /// The first row of each sequence and the row after its last, in turn.
    pub(crate) bounds: &'a Ids,
    /// How many sequences there are.
    pub(crate) count: usize,
    /// Pairs of a row and a row that it sees, itself among them.
    pub(crate) pairs: f64,
}
