//! What the linear layers of a block read.

use shape::tensors::Role;

use crate::backend::{Backend, View};

/// Which linear layers of a block read something; in the order in which a block comes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inlet {
    /// Query, key and value read the normed stream, `[tokens, hidden]`.
    Attention,
    /// The attention output reads what the heads give, `[tokens, query]`.
    AttentionOutput,
    /// Gate and up read the normed stream, `[tokens, hidden]`.
    FeedForward,
    /// Down reads what the neurons give, `[tokens, inner]`.
    Down,
}

impl Inlet {
    /// All of them.
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

/// Looks at what linear layers read.
pub type Watch<'a, B> = dyn FnMut(Inlet, View<'_, <B as Backend>::Buffer>) + 'a;
