//! A teacher's distributions on disk: for every position of a corpus the most probable tokens, and
//! the share of all others.
//!
//! # Layout
//!
//! A cache is a folder with `cache.json` ([`CacheInfo`]) and files of rows, `train-00000.rows` and
//! so on for the training part, `heldout-00000.rows` for the held-out part. Every row has the same
//! length, and all files but the last of a part hold the same number of rows, `rows_per_file`.
//! Numbers are little-endian, without padding:
//!
//! | bytes | what |
//! |---|---|
//! | `top` x 2 (x 4 for a vocabulary above 65536) | token ids, the most probable first |
//! | `top` x 2 | ln p of these tokens at temperature 1, in f16 |
//! | 4 for each of `temperatures` | the probability of all other tokens at that temperature, f32 |
//!
//! Row `w * context + i` of the training part is the prediction after token `i` of window `w`: the
//! training part is cut into adjacent windows of `context` tokens, and the teacher reads each by
//! itself. Training cuts the same windows. The rows of the held-out part are the inputs of the
//! evaluator's windows, in its order.
//!
//! In Python: `numpy.memmap(file, numpy.dtype([("ids", "<u2", top), ("log_p", "<f2", top),
//! ("rest", "<f4", len(temperatures))]))`.

mod info;
mod read;
mod row;
mod write;

pub use info::{CacheInfo, FILE, PLAN, Wanted};
pub use read::TeacherCache;
pub use row::Chooser;
pub use write::{CacheWriter, PartWriter};
