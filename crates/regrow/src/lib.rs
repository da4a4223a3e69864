//! Prunes a large language model, trains it back to health, and keeps the record.
//!
//! The library is the facade: every room under its short name, and the command line on top of them.
//!
//! ```
//! use regrow::model::catalog;
//! let entry = catalog::find("qwen2.5-7b").expect("it is in the catalog");
//! assert_eq!(entry.config().num_hidden_layers, 28);
//! ```

#![forbid(unsafe_code)]

pub use {disk, law, ledger, model, prune, store, text, train};

mod cli;
pub mod commands;
mod count;
pub mod executor;
mod free;
mod group;
mod hint;
mod hub;
mod known;
mod law_file;
mod lineage;
mod loaded;
mod number;
mod output;
mod place;
mod progress;
pub mod quickstart;
mod recipe;
mod source;
mod span;
mod sweep;
mod table;

pub use cli::{Cli, Color, Command, Globals};
pub use count::Count;
pub use law_file::table_row;
pub use output::{Exit, Output};
