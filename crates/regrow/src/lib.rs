//! Prunes a large language model, trains it back to health, and keeps the record.
//!
//! This crate is the facade: it re-exports every other crate under its short name, and adds what
//! needs several of them. It never writes to a terminal; callers hear of progress through an
//! [`Observer`].
//!
//! ```
//! use regrow::shape::catalog;
//! let entry = catalog::find("qwen2.5-7b").expect("it is in the catalog");
//! assert_eq!(entry.config().num_hidden_layers(), 28);
//! ```

#![forbid(unsafe_code)]

pub use ledger::count::{self, Count};
pub use {disk, law, ledger, model, planner, prune, report, shape, store, text, train};

mod base_loss;
pub mod error;
pub mod executor;
mod free;
pub mod generate;
pub mod heal;
pub mod hub;
pub mod inspect;
pub mod law_file;
mod lineage;
mod loaded;
mod locks;
pub mod machine;
pub mod measure;
mod observer;
pub mod pruning;
mod public;
pub mod publish;
pub mod quickstart;
mod recipe;
mod shell;
pub mod source;
pub mod span;
mod stop;
pub mod sweep;
mod teach;
mod tokenize;
pub mod trainer;

pub use error::{Error, ErrorKind, Result};
pub use loaded::{default_context, open as open_model};
pub use observer::{Event, Observer, Silent};
pub use public::public_model;
pub use recipe::{ObjectiveName, Recipe};
pub use stop::Stop;
pub use teach::{Taught, TeachOptions, teach};
pub use tokenize::tokenize;

/// The version, with the commit that it was built from, if known.
pub const VERSION: &str = env!("REGROW_VERSION");
