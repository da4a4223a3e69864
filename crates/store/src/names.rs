//! The names of the files in a run folder.

pub(crate) const SPEC: &str = "spec.toml";
pub(crate) const RECORD: &str = "record.json";
pub(crate) const METRICS: &str = "metrics.jsonl";
pub(crate) const DONE: &str = "done.json";
pub(crate) const CUT: &str = "cut.json";
pub(crate) const LOCK: &str = ".lock";
