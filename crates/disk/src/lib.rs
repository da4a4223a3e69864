//! The one place that knows how files fail.
//!
//! Everything that must not be half-written is written aside, synced and renamed; everything that
//! is read is bounded; every error names the path.
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
mod folder;
mod free_space;
mod hash;
mod hidden;
mod lock;
#[allow(unsafe_code)]
mod map;
mod paths;
mod read;
mod scratch;
mod sync;

pub use atomic::{Aside, copy, write};
pub use error::{Error, Result, io_error};
pub use folder::{Existing, NewFolder, remove_leftovers};
pub use free_space::free_space;
pub use hash::sha256;
pub use lock::Lock;
pub use map::Map;
pub use paths::inside;
pub use read::{read, read_to_string};
pub use scratch::ScratchFile;
pub use sync::sync_folder;
