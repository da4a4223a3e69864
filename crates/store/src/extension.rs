//! Extending a run that is done to more tokens.
//!
//! The files of a run change one by one, so `extending.json` is written first and says what the run
//! becomes. From then on the run is the extended one: whoever reads the folder takes its spec and
//! record from there, and whoever writes it next finishes the step. Without that file, the run is
//! the one that was done.

use std::fs;
use std::path::Path;

use disk::io_error;
use ledger::{Format, RunRecord, RunSpec};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::files::{read_json, to_json, to_toml};
use crate::names::{DONE, EXTENDING, RECIPE, RECORD, SPEC};

/// `extending.json`: what a run becomes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Extending {
    format: Format<1>,
    pub(crate) spec: RunSpec,
    pub(crate) record: RunRecord,
    recipe: String,
}

impl Extending {
    pub(crate) fn new(spec: RunSpec, record: RunRecord, recipe: String) -> Self {
        Self { format: Format, spec, record, recipe }
    }
}

/// What the run in a folder is about to become, if it is being extended.
pub(crate) fn pending(path: &Path) -> Result<Option<Extending>> {
    let file = path.join(EXTENDING);
    match read_json(&file, Format::<1>) {
        Err(error) if error.as_disk().is_some_and(disk::Error::is_not_found) => Ok(None),
        read => Ok(Some(read?)),
    }
}

/// From here on the run in a folder is the extended one. The caller holds the lock, and the run is
/// done.
pub(crate) fn begin(path: &Path, new: &Extending) -> Result<()> {
    let file = path.join(EXTENDING);
    // Written now: a spec that no file can hold must not be found out halfway.
    to_toml(&path.join(SPEC), &new.spec)?;
    Ok(disk::write(&file, &to_json(&file, new)?)?)
}

/// Finishes what `extending.json` says, if it is there. The caller holds the lock.
pub(crate) fn finish(path: &Path) -> Result<()> {
    let Some(new) = pending(path)? else { return Ok(()) };
    STEPS.iter().try_for_each(|step| step(path, &new))
}

type Step = fn(&Path, &Extending) -> Result<()>;

/// Each can be done again. The last one ends the step.
const STEPS: [Step; 5] = [
    |path, new| Ok(disk::write(&path.join(RECIPE), new.recipe.as_bytes())?),
    |path, new| {
        let file = path.join(SPEC);
        Ok(disk::write(&file, &to_toml(&file, &new.spec)?)?)
    },
    |path, new| {
        let file = path.join(RECORD);
        Ok(disk::write(&file, &to_json(&file, &new.record)?)?)
    },
    |path, _| remove(path, DONE),
    |path, _| remove(path, EXTENDING),
];

fn remove(path: &Path, name: &str) -> Result<()> {
    let file = path.join(name);
    match fs::remove_file(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        // The order must last through a loss of power.
        removed => {
            Ok(removed.map_err(io_error("remove", &file)).and_then(|()| disk::sync_folder(path))?)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ledger::Tokens;

    use super::*;
    use crate::sample::{create, done, point, spec};
    use crate::{RunFolder, RunState, runs};

    fn longer() -> RunSpec {
        RunSpec { tokens: Tokens(3 * spec().tokens.0), ..spec() }
    }

    /// A run that is done.
    fn ended(root: &Path) -> PathBuf {
        let path = root.join("run");
        let mut run = create(&path);
        (0..3).for_each(|step| run.append(&point(step)).unwrap());
        fs::create_dir(run.checkpoint_path(10)).unwrap();
        run.finish(&done()).unwrap();
        path
    }

    fn is_extended(path: &Path) {
        let folder = RunFolder::open(path).unwrap();
        assert_eq!((folder.spec(), folder.is_done()), (&longer(), false));
        let earlier = &folder.record().extended_from()[0];
        assert_eq!((&earlier.id, earlier.tokens, earlier.steps), (&spec().id(), spec().tokens, 10));
        assert_eq!(folder.points().unwrap().len(), 3);
        assert_eq!(runs(path).unwrap()[0].state(), &RunState::Resumable { step: 10 });
    }

    #[test]
    fn a_run_that_is_done_is_extended_and_goes_on() {
        let root = tempfile::tempdir().unwrap();
        let path = ended(root.path());
        let run = RunFolder::extend(&path, &longer(), "# longer\n").unwrap();
        assert_eq!((run.spec(), run.last_step()), (&longer(), 2));
        assert!(RunFolder::extend(&path, &longer(), "").unwrap_err().as_disk().is_some());
        drop(run);
        is_extended(&path);
        assert_eq!(fs::read_to_string(path.join(RECIPE)).unwrap(), "# longer\n");
        assert!(!path.join(EXTENDING).exists() && !path.join(DONE).exists());
        // The same again is no second extension.
        drop(RunFolder::extend(&path, &longer(), "").unwrap());
        is_extended(&path);
        assert!(RunFolder::resume(&path, &spec()).unwrap_err().is_other_spec());
    }

    #[test]
    fn only_tokens_can_be_extended() {
        let root = tempfile::tempdir().unwrap();
        let path = ended(root.path());
        let other = RunSpec { seed: 8, ..longer() };
        let error = RunFolder::extend(&path, &other, "").unwrap_err().to_string();
        assert!(error.ends_with("another recipe: `seed` was 7, is 8"), "{error}");
        assert!(RunFolder::open(&path).unwrap().is_done());
    }

    #[test]
    fn a_kill_at_any_step_leaves_the_run_that_was_or_the_extended_one() {
        for done_steps in 0..=STEPS.len() {
            let root = tempfile::tempdir().unwrap();
            let path = ended(root.path());
            // Killed before its file had its name.
            fs::write(path.join(".extending.json.abcdef.aside"), "{").unwrap();
            assert!(RunFolder::open(&path).unwrap().is_done());
            let folder = RunFolder::open(&path).unwrap();
            let record = folder.record().clone().extended(&spec(), 10, &longer());
            let (spec_now, recipe) = (longer(), "# longer\n".to_owned());
            let new = Extending::new(spec_now, record, recipe);
            begin(&path, &new).unwrap();
            STEPS[..done_steps].iter().try_for_each(|step| step(&path, &new)).unwrap();
            // Whoever only reads sees the extended run, and changes nothing.
            is_extended(&path);
            assert_eq!(path.join(EXTENDING).exists(), done_steps < STEPS.len());
            assert!(RunFolder::resume(&path, &spec()).unwrap_err().is_other_spec());
            drop(RunFolder::resume(&path, &longer()).unwrap());
            is_extended(&path);
            assert!(!path.join(EXTENDING).exists() && !path.join(DONE).exists());
            assert_eq!(fs::read_to_string(path.join(RECIPE)).unwrap(), "# longer\n");
        }
    }

    #[test]
    fn a_damaged_journal_is_named_and_nothing_is_changed() {
        let root = tempfile::tempdir().unwrap();
        let path = ended(root.path());
        for (text, said) in [
            ("{\"format\":2}", "extending.json` has format 2, expected 1"),
            ("{\"format\":1}", "extending.json` cannot be understood"),
        ] {
            fs::write(path.join(EXTENDING), text).unwrap();
            for error in [
                RunFolder::open(&path).unwrap_err(),
                RunFolder::resume(&path, &spec()).unwrap_err(),
                RunFolder::extend(&path, &longer(), "").unwrap_err(),
            ] {
                assert!(error.to_string().contains(said), "{error}");
            }
            assert!(path.join(DONE).exists());
        }
        fs::remove_file(path.join(EXTENDING)).unwrap();
        assert!(RunFolder::open(&path).unwrap().is_done());
    }
}
