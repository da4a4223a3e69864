//! Training into a run folder: healing a pruned model, or training a base from random weights.

mod account;
mod attempt;
mod check;
mod ended;
mod extend;
mod finish;
mod options;
mod origin;
mod prepared;
mod record;
mod scribe;
mod stop_rule;
mod teacher;
mod torch;
mod written;

use std::path::Path;

use ledger::Trainer;
use store::RunFolder;

pub use self::account::{OperationTime, StepAccount};
pub use self::ended::{Ended, Interruption};
pub use self::options::{HealOptions, RunMode, ShowAccount, StartingPoint};
pub use self::prepared::HealPreview;
use self::prepared::Prepared;
pub use self::stop_rule::StopRule;
use crate::error::{Error, ErrorKind, Result};
use crate::observer::{Event, Observer};
use crate::stop::Stop;

/// Reports what a run would do, and the memory it needs. Nothing is written.
///
/// # Errors
/// Where the options are not valid.
pub fn preview(options: &HealOptions, observer: &mut dyn Observer) -> Result<HealPreview> {
    Prepared::new(options, None, observer)?.preview(options)
}

/// Trains into the run folder `out`.
///
/// Once `stop` is requested, the run saves a checkpoint and ends. With [`RunMode::Resume`] it
/// continues from there, and its final weights are the same as without the interruption. A run that
/// is done is extended if more tokens are asked of it, and gets the weights of the longer run.
///
/// # Errors
/// Where the options are not valid, `out` contains another run, a file cannot be read or written,
/// or the loss becomes NaN.
pub fn heal(
    options: &HealOptions,
    out: impl AsRef<Path>,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Ended> {
    let out = out.as_ref();
    if options.folder == RunMode::New && out.symlink_metadata().is_ok() {
        // Checked first, before any long computation.
        let error = disk::Error::exists(out);
        return Err(Error::passed_as(ErrorKind::RunExists, error));
    }
    if options.folder == RunMode::Replace {
        disk::kinds::RUN.check(out, disk::Existing::Replace, &options.inputs())?;
    }
    let begun_with = extend::begun_with(options, out);
    let prepared = Prepared::new(options, begun_with, observer)?;
    let is_outside = prepared.spec().trainer == Trainer::Torch;
    check::ending(options, prepared.spec(), observer)?;
    if is_outside {
        torch::check(options, prepared.spec(), observer)?;
    } else {
        // Before `load`, which reads the corpus and allocates the network.
        prepared.check_memory(options)?;
    }
    let run = prepared.load(options)?;
    observer.hear(&Event::Detail(&format!("run {}, kernel {}", run.spec().id(), run.kernel())));
    let resume = options.folder == RunMode::Resume;
    let ended = resume.then(|| RunFolder::open(out).ok()).flatten();
    let ended = ended.filter(RunFolder::is_done);
    let is_extended = match &ended {
        Some(folder) => extend::is_asked(options, &run, folder)?,
        None => false,
    };
    if ended.is_some() && !is_extended {
        if is_outside {
            return torch::already_done(&run, out, observer);
        }
        return finish::already_done(options, &run, out, observer);
    }
    // `Resume` also starts a run that does not exist yet, so that the same call can be repeated.
    let mut writer = if let Some(folder) = ended {
        extend::extend(&run, &folder, observer)?
    } else if resume && out.symlink_metadata().is_ok() {
        if is_outside {
            torch::resume(out, &run, observer)?
        } else {
            RunFolder::resume(out, run.spec())?
        }
    } else {
        record::begin(options, &run, out, observer)?
    };
    if !writer.is_locked() {
        observer.hear(&Event::Warning(&crate::locks::without_locks(out)));
    }
    check::room(run.origin(), out, writer.checkpoints()?.len(), observer)?;
    if is_outside {
        return torch::train(options, run, writer, stop, observer);
    }
    let attempt = attempt::train_from_newest(options, &run, &mut writer, stop, observer)?;
    finish::finish(options, &run, writer, attempt, observer)
}
