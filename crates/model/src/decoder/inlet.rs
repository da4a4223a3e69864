//! The inputs of the linear layers of a block.

use shape::tensors::Role;

use crate::backend::{Backend, View};

/// An input of linear layers of a block, in the order of the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inlet {
    /// Query, key and value read the normed stream, `[tokens, hidden]`.
    Attention,
    /// The attention output reads the output of the heads, `[tokens, query]`.
    AttentionOutput,
    /// Gate and up read the normed stream, `[tokens, hidden]`.
    FeedForward,
    /// Down reads the output of the neurons, `[tokens, inner]`.
    Down,
}

impl Inlet {
    /// All inputs.
    pub const ALL: [Self; 4] =
        [Self::Attention, Self::AttentionOutput, Self::FeedForward, Self::Down];

    /// The linear layers that read it, in memory order.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Attention => &[Role::Query, Role::Key, Role::Value],
            Self::AttentionOutput => &[Role::AttentionOutput],
            Self::FeedForward => &[Role::Gate, Role::Up],
            Self::Down => &[Role::Down],
        }
    }
}

/// Receives the inputs of linear layers.
pub type Watch<'a, B> = dyn FnMut(Inlet, View<'_, <B as Backend>::Buffer>) + 'a;
