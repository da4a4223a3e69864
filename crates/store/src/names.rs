//! The names of the files in a run folder.

use std::path::Path;

pub(crate) const SPEC: &str = "spec.toml";
pub(crate) const RECIPE: &str = "recipe.toml";
pub(crate) const RECORD: &str = "record.json";
pub(crate) const METRICS: &str = "metrics.jsonl";
pub(crate) const DONE: &str = "done.json";
/// What a run that is being extended becomes.
pub(crate) const EXTENDING: &str = "extending.json";
pub(crate) const CUT: &str = "cut.json";
pub(crate) const LOCK: &str = ".lock";

/// Whether a folder is a run, whole or broken.
pub(crate) fn looks_like_run(path: &Path) -> bool {
    // Any one of them: a run that lost a file must be shown as broken, not be left out.
    [SPEC, RECORD, METRICS, DONE].iter().any(|name| path.join(name).exists())
}
