//! Documents from files of plain text, JSONL and Parquet, one at a time.

mod content;
mod delimited;
mod file_kind;
mod input;
mod json_text;
mod jsonl;
mod open_file;
mod parquet;
mod reading;
mod sources;
mod stream;
mod txt;

pub use self::reading::{Documents, Reading};
pub use self::sources::Sources;
pub use self::stream::{Counts, Reader};
