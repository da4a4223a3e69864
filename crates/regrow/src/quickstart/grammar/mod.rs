//! A small language whose entropy is known: every text comes with its exact probability.
//!
//! A text tells what people do to things, one sentence each, until it says `The end.`. Some 380
//! words, common and rare ones, have dozens of possible next words each, likely and unlikely ones.
//! So there are many small things to learn instead of a few large ones: models learn them, lose
//! them and learn them again bit by bit, and a large model knows more of them than a small one.
//! Only `her` and `his` depend on a word that is further back, up to six words. Each text can be
//! made in one way only, so minus the logarithm of its probability is what the best possible reader
//! would pay for it, in nats.

mod chance;
mod language;
mod words;
mod write;

pub use self::language::{Grammar, GrammarText, LANGUAGE};
pub use self::write::{GrammarOptions, write};
