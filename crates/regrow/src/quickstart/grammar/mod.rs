//! A small language whose entropy is known: every text comes with its exact probability.
//!
//! A text has sentences about what people do to things, and ends with `The end.`. There are about
//! 380 words, common and rare, and each has dozens of possible next words. A model therefore has
//! many small facts to learn instead of a few large ones. It learns them gradually, loses some when
//! it is pruned, and learns them again. A large model knows more of them than a small one. Only
//! `her` and `his` depend on a word further back, up to six words. Each text can be produced in one
//! way only. So the least possible loss on a text is minus the logarithm of its probability, in
//! nats.

mod chance;
mod language;
mod words;
mod write;

pub use self::language::{Grammar, GrammarText, LANGUAGE};
pub use self::write::{GrammarOptions, write};
