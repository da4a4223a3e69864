//! What the small sweep of `recipes/quickstart.toml` reads when there is no text at hand.

pub mod grammar;
