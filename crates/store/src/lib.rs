//! Run folders and points tables. No other crate reads or writes them.
//!
//! ```text
//! spec.toml            what the run is, resolved; its hash is the run's id
//! recipe.toml          what was asked, as written
//! record.json          what was known at the start
//! cut.json             what was pruned away before, if anything was
//! metrics.jsonl        the curve; grows by whole lines
//! events.out.tfevents.regrow   the same for TensorBoard
//! log.txt              what was said on the way
//! checkpoint-<step>/   where it can go on
//! model/               the final weights
//! best/                the weights with the least held-out loss, where those are others
//! trainer_state.json   the curve once more, for tools that read the Hugging Face Trainer's
//! done.json            written last: the run is done
//! extending.json       what it becomes, while a run that was done is extended
//! torch.json           what an outside trainer was told, where one trains
//! torch.log            what it printed
//! stopped.json         why it stopped, where it can go on
//! excluded.json        why somebody left it out of tables, where somebody did
//! ```
//!
//! A run of another program, imported from its log, has a `record.json` of the kind `imported` and
//! a `metrics.jsonl`, and nothing else: see [`import`].
//!
//! A run is either done or resumable, never half-written. The folder appears complete, the curve
//! grows by whole lines, and every other file is written under another name and then renamed. One
//! process at a time may write; it holds `.lock`.

#![forbid(unsafe_code)]

mod candidates;
mod curve_file;
mod error;
mod exclusion;
mod extension;
mod files;
mod folder;
pub mod import;
mod names;
mod outside;
mod parquet;
mod points;
mod run_points;
#[cfg(test)]
mod sample;
mod summary;
mod tfevents;
mod tfrecord;
mod trainer_state;
mod writer;

pub use candidates::{CandidateRow, read_candidates};
pub use disk::Existing;
pub use error::{Error, Result};
pub use exclusion::{exclude, include};
pub use folder::RunFolder;
pub use ledger::PointRow;
pub use outside::CurveTail;
pub use parquet::{Column, parquet};
pub use points::{
    PointTable, points_csv, points_parquet, read_columns, read_points, read_stdin_columns,
};
pub use run_points::{LeftOutRun, RunPoints, points_of_runs, run_points};
pub use summary::{RunState, RunSummary, runs};
pub use writer::RunWriter;
