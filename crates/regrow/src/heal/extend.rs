//! Taking up a run that is done, because more tokens are asked of it than it has seen.

use std::path::Path;

use ledger::count::grouped;
use ledger::{Done, Phase, RunSpec, Tokens, Trainer};
use store::{RunFolder, RunWriter};
use train::{milestones, schedule};

use super::options::{HealOptions, RunMode};
use super::prepared::PreparedRun;
use crate::error::{Context, Error, ErrorKind, Result, bail};
use crate::observer::{Event, Observer};

/// The tokens that a run was begun with, if it is there already. Defaults that follow from the
/// tokens keep their values when it is extended.
pub(super) fn begun_with(options: &HealOptions, out: &Path) -> Option<Tokens> {
    let folder = Some(out).filter(|_| options.folder == RunMode::Resume)?;
    let folder = RunFolder::open(folder).ok()?;
    let first = folder.record().extended_from().first();
    Some(first.map_or(folder.spec().tokens, |was| was.tokens))
}

/// Whether more is asked of a run that is done than it has seen.
pub(super) fn is_asked(
    options: &HealOptions,
    run: &PreparedRun,
    folder: &RunFolder,
) -> Result<bool> {
    let (was, asked) = (folder.spec(), run.spec());
    let done = folder.done()?.context("`done.json` has gone")?;
    match &was.differences(asked)[..] {
        // The same run. If a rule ended it, it goes on unless the same rule is given again.
        [] => Ok(done
            .ended_early()
            .is_some_and(|end| options.stop_when.is_none_or(|rule| rule.to_string() != end.rule))),
        [one] => Ok(one.key() == "tokens" && milestones::steps(asked) > done.steps()),
        _ => Ok(false),
    }
}

/// Extends the run in a folder, and says so.
///
/// # Errors
/// Where it would not become the run that the tokens asked for would have given from the beginning.
pub(super) fn extend(
    run: &PreparedRun,
    folder: &RunFolder,
    observer: &mut dyn Observer,
) -> Result<RunWriter> {
    let (path, was, asked) = (folder.path(), folder.spec(), run.spec());
    let done = folder.done()?.context("`done.json` has gone")?;
    check(run, folder, &done)?;
    let mut writer = RunFolder::extend(path, asked, run.recipe())?;
    let text = format!(
        "`{}` ended after {} tokens and is extended from {} to {}",
        path.display(),
        grouped(done.tokens().0),
        grouped(was.tokens.0),
        grouped(asked.tokens.0)
    );
    observer.hear(&Event::Note(&text));
    writer.log(&text)?;
    Ok(writer)
}

fn check(run: &PreparedRun, folder: &RunFolder, done: &Done) -> Result<()> {
    let (path, was, asked) = (folder.path(), folder.spec(), run.spec());
    let shown = path.display();
    if was.trainer != Trainer::Regrow {
        bail!(
            "`{shown}` cannot be extended: PyTorch trained it, expected a run of regrow's own trainer"
        );
    }
    if was.tokens != asked.tokens
        && let Some(spec) = [was, asked].into_iter().find(|spec| has_fallen(spec, done.steps()))
    {
        bail!(
            "`{shown}` cannot be extended: in a run of {} tokens the learning rate falls over the last {}, so the longer run \
             would have had other rates before; expected a constant rate after the warm-up",
            grouped(spec.tokens.0),
            grouped(spec.schedule.decay.0)
        );
    }
    let checkpoint = folder.checkpoint_path(done.steps());
    let name = checkpoint.file_name().unwrap_or_default().display();
    if !checkpoint.is_dir() {
        let message = format!(
            "`{shown}` cannot be extended: the state of its optimiser is gone, it has no `{name}`"
        );
        return Err(Error::new(ErrorKind::NoState, message));
    }
    // A run that is done must not be given up for one that would begin anew.
    let earlier = folder.record().extended_from();
    match train::verify_checkpoint(&checkpoint, (was, earlier), done.steps()) {
        Err(train::Error::Checkpoint { reason, .. }) => {
            let message =
                format!("`{shown}` cannot be extended: its `{name}` cannot be used: {reason}");
            Err(Error::new(ErrorKind::NoState, message))
        }
        found => Ok(found?),
    }
}

/// Whether the learning rate had begun to fall by this step.
fn has_fallen(spec: &RunSpec, step: u64) -> bool {
    let tokens = milestones::tokens_per_step(spec);
    let seen = Tokens((step - 1) * tokens);
    let total = Tokens(milestones::steps(spec) * tokens);
    schedule::at(&spec.schedule, seen, Tokens(tokens), total).1 == Phase::Decay
}
