//! Prunes a large language model, trains it back to health, and keeps the record.
//!
//! The library is the facade: every room under its short name, and on top of them what needs
//! several of them. It has no terminal: who calls it hears of its progress as an [`Observer`].
//!
//! ```
//! use regrow::shape::catalog;
//! let entry = catalog::find("qwen2.5-7b").expect("it is in the catalog");
//! assert_eq!(entry.config().num_hidden_layers(), 28);
//! ```

#![forbid(unsafe_code)]

pub use {disk, law, ledger, model, prune, report, shape, store, text, train};

pub mod count;
mod error;
pub mod executor;
pub mod free;
pub mod hinted;
pub mod hub;
pub mod law_file;
pub mod lineage;
#[allow(missing_docs)]
pub mod loaded;
mod observer;
pub mod quickstart;
#[allow(missing_docs)]
pub mod recipe;
#[allow(missing_docs)]
pub mod source;
pub mod sweep;

pub use count::Count;
pub use error::{Error, ErrorKind, Result};
pub use observer::{Event, Observer, Silent};

/// The version, with the commit it was built from where that is known.
pub const VERSION: &str = env!("REGROW_VERSION");

/// What is said where nothing keeps two processes apart.
pub fn without_locks(folder: &std::path::Path) -> String {
    format!(
        "the file system of `{}` has no locks: nothing keeps a second process from writing in this folder",
        folder.display()
    )
}
