//! The one place that knows how files fail.
//!
//! Everything that must not be half-written is written aside, synced and renamed; everything that
//! is read is bounded; every error names the path. A forced replacement touches only what this tool
//! made.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("law.json");
//! disk::write(&path, b"{\"format\":1}")?;
//! assert_eq!(disk::read_to_string(&path, 1024)?, "{\"format\":1}");
//! assert!(disk::read(&path, 4).unwrap_err().to_string().contains("is 12 bytes, expected at most 4"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(unsafe_code)]

mod atomic;
mod error;
mod existing;
mod file_kind;
mod folder;
mod free_space;
mod hash;
mod hidden;
pub mod kinds;
mod leftovers;
mod live;
mod lock;
#[allow(unsafe_code)]
mod map;
mod mark;
mod paths;
mod read;
mod scratch;
mod sync;
mod wall;

pub use atomic::{Aside, copy, write};
pub use error::{Error, Result, io_error};
pub use existing::Existing;
pub use file_kind::FileKind;
pub use folder::NewFolder;
pub use free_space::free_space;
pub use hash::sha256;
pub use hidden::is_hidden;
pub use leftovers::{clear_leftovers, remove_leftovers, take_leftovers};
pub use live::abandon;
pub use lock::Lock;
pub use map::{Map, name_lost_maps};
pub use paths::inside;
pub use read::{is_pointer, read, read_stdin, read_to_string};
pub use scratch::ScratchFile;
pub use sync::sync_folder;
pub use wall::guarded;
