//! Runs that somebody has excluded: a file `excluded.json` in the folder says why.

use std::path::Path;

use ledger::Format;
use serde::{Deserialize, Serialize};

use crate::error::{Failure, Result};
use crate::files::{read_json, to_json};
use crate::names::looks_like_run;

const EXCLUDED: &str = "excluded.json";

/// The contents of `excluded.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclusion {
    format: Format<1>,
    reason: String,
}

/// Excludes the run at `path` from points tables, and says why. Nothing of the run is changed; a
/// run that is excluded already gets the new reason.
///
/// # Errors
/// Where `path` is no run folder, or cannot be written.
pub fn exclude(path: &Path, reason: &str) -> Result<()> {
    if !looks_like_run(path) {
        return Err(Failure::NoRuns { path: path.to_path_buf() }.into());
    }
    let file = path.join(EXCLUDED);
    let exclusion = Exclusion { format: Format::<1>, reason: reason.to_owned() };
    Ok(disk::write(&file, &to_json(&file, &exclusion)?)?)
}

/// Takes an exclusion back. `false` where the run was not excluded.
///
/// # Errors
/// Where `path` is no run folder, or cannot be written.
pub fn include(path: &Path) -> Result<bool> {
    if !looks_like_run(path) {
        return Err(Failure::NoRuns { path: path.to_path_buf() }.into());
    }
    match std::fs::remove_file(path.join(EXCLUDED)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(disk::io_error("remove", &path.join(EXCLUDED))(error).into()),
    }
}

/// Why the run at `path` is excluded, if it is.
pub(crate) fn exclusion(path: &Path) -> Result<Option<String>> {
    let file = path.join(EXCLUDED);
    if !file.exists() {
        return Ok(None);
    }
    read_json(&file, Format::<1>).map(|found: Exclusion| Some(found.reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{create, done, point};
    use crate::{RunState, run_points, runs};

    #[test]
    fn an_excluded_run_gives_no_points_until_it_is_included_again() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            let mut run = create(&root.path().join(name));
            (0..=8).for_each(|step| run.append(&point(step)).unwrap());
            run.finish(&done()).unwrap();
        }
        let b = root.path().join("b");
        let before = run_points(root.path()).unwrap();
        exclude(&b, "wrong learning rate").unwrap();
        exclude(&b, "the learning rate was a tenth").unwrap();
        let without = run_points(root.path()).unwrap();
        assert!(without.rows.iter().all(|row| row.run == "a"));
        assert_eq!(without.left_out.len(), 1);
        assert_eq!(without.left_out[0].path, b);
        assert_eq!(without.left_out[0].why, "it is excluded: the learning rate was a tenth");
        assert!(include(&b).unwrap());
        assert!(!include(&b).unwrap());
        assert_eq!(run_points(root.path()).unwrap().rows, before.rows);
    }

    #[test]
    fn a_broken_run_can_be_excluded_and_other_folders_cannot() {
        let root = tempfile::tempdir().unwrap();
        let mut good = create(&root.path().join("good"));
        (0..=8).for_each(|step| good.append(&point(step)).unwrap());
        good.finish(&done()).unwrap();
        let torn = root.path().join("torn");
        std::fs::create_dir(&torn).unwrap();
        std::fs::write(torn.join("metrics.jsonl"), "half a li").unwrap();
        assert!(run_points(root.path()).is_err());
        exclude(&torn, "half copied").unwrap();
        assert_eq!(run_points(root.path()).unwrap().left_out.len(), 1);
        let listed = runs(root.path()).unwrap();
        assert_eq!(listed[1].excluded(), Some("half copied"));
        assert!(matches!(listed[1].state(), RunState::Broken { .. }));

        let photos = root.path().join("photos");
        std::fs::create_dir(&photos).unwrap();
        assert!(exclude(&photos, "").unwrap_err().to_string().contains("holds no run folder"));
        assert!(include(&photos).is_err());
        std::fs::write(torn.join(EXCLUDED), r#"{"format":9}"#).unwrap();
        let RunState::Broken { why } = runs(root.path()).unwrap()[1].state().clone() else {
            panic!("an exclusion of another format is not understood")
        };
        assert!(why.contains("excluded.json` has format 9, expected 1"), "{why}");
    }
}
