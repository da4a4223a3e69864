//! `regrow prune --cut`: a cut that was decided before, made again.

use std::path::Path;

use anyhow::bail;
use ledger::CutRecord;
use model::backend::cpu::Cpu;
use model::folder::ModelFolder;

use super::{Arguments, destination, report};
use crate::terminal::{Exit, Output};
use regrow::source::{PartName, Source};

pub(super) fn run(
    arguments: &Arguments,
    folder: &ModelFolder,
    cut: &Path,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let record = read(cut)?;
    let source = Source::open(&arguments.source, PartName::Train, folder, &mut output.listener())?;
    let destination = destination(arguments)?;
    let mut shown = None;
    let mut progress = |done: usize, of: usize| {
        let bar = shown.get_or_insert_with(|| output.progress("writing", of as u64, "parts"));
        bar.at(done as u64, "");
    };
    let source = source.as_ref().map(|source| prune::Source::Part(source.part()));
    prune::replay(&Cpu::<f32>::new(), folder, &record, source, &destination, &mut progress)?;
    drop(shown);
    report(arguments, &record, output)
}

/// The record of a pruned folder, or in a file of any name.
fn read(cut: &Path) -> anyhow::Result<CutRecord> {
    match prune::record_of(cut)? {
        Some(record) => Ok(record),
        None => bail!("`{}` holds no `cut.json`", cut.display()),
    }
}
