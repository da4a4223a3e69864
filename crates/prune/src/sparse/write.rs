//! The folder of a sparse model.

use std::path::Path;

use disk::Existing;
use ledger::{CutRecord, Params, Rate};
use model::folder::{FolderWriter, ModelFolder};
use model::safetensors::Planned;
use model::sparsity::{self, Sparsity};
use shape::tensors::{block_tensors, tensors};

use super::run::{Ran, run};
use super::{SparsePlan, Sparsify};
use crate::apply::{RECORD, record_json};
use crate::calibration::Sequences;
use crate::card;
use crate::error::{Error, Result};

/// What is to be written, and how.
pub(crate) struct Writing<'a> {
    pub(crate) plan: &'a SparsePlan,
    pub(crate) score: &'a dyn Sparsify,
    pub(crate) sequences: Option<&'a Sequences>,
    pub(crate) spill: Option<&'a Path>,
    pub(crate) out: &'a Path,
    pub(crate) existing: Existing,
    /// Most bytes of tensors in one file.
    pub(crate) shard_limit: u64,
    /// What has to come out, where it was made before.
    pub(crate) again: Option<&'a CutRecord>,
}

/// Prunes and writes; returns the record with what only running it tells, as `finish` has it then.
/// The folder appears only when it is whole.
pub(crate) fn write(
    folder: &ModelFolder,
    record: CutRecord,
    writing: &Writing<'_>,
    progress: &mut dyn FnMut(usize, usize),
    finish: impl FnOnce(CutRecord) -> Result<CutRecord>,
) -> Result<CutRecord> {
    let &Writing { plan, score, sequences, spill, out, existing, shard_limit, again } = writing;
    let config = folder.config();
    let mut planned = Vec::new();
    for tensor in tensors(config) {
        planned.push(Planned::new(&tensor, folder.tensor(&tensor)?.dtype));
    }
    // What was sparse before and is not touched now stays so.
    let mut sparse = Sparsity::of(folder.path())?;
    for layer in 0..config.num_hidden_layers() {
        let pruned = block_tensors(config, layer).into_iter().filter(|tensor| plan.has(tensor));
        sparse.tensors.extend(pruned.map(|tensor| (tensor.name, plan.zeros.pattern())));
    }
    let mut writer =
        FolderWriter::create(out, existing, folder.raw_config(), planned, shard_limit)?;
    let ran = run(folder, plan, score, sequences, spill, &mut writer, progress)?;
    let record = with_what_ran(record, ran);
    if let Some(expected) = again.filter(|&expected| *expected != record) {
        let (path, found) = (folder.path().to_path_buf(), expected.parameters.0);
        return Err(Error::OtherCount { path, found, expected: record.parameters.0 });
    }
    let record = finish(record)?;
    writer.copy_companions(folder.path())?;
    writer.add_file(sparsity::FILE, &sparse.to_json())?;
    writer.add_file(RECORD, &record_json(&record))?;
    writer.add_file("README.md", card::card(folder, &record).as_bytes())?;
    writer.commit()?;
    Ok(record)
}

/// The record with the zeros that stand there, which may be more than the pattern asks for: where
/// weights were zero before, or read nothing but zeros.
fn with_what_ran(record: CutRecord, ran: Ran) -> CutRecord {
    let left = |before: Params| Params(before.0 - ran.zeros.0);
    let rate = |before: Params| {
        Rate::realised(before, left(before)).expect("norms stay, so less than all goes")
    };
    let (all, inner) = (record.n0, record.n0_without_embedding);
    CutRecord {
        parameters: left(all),
        parameters_without_embedding: left(inner),
        rate: rate(all),
        rate_without_embedding: rate(inner),
        already_zero: (ran.already_zero.0 > 0).then_some(ran.already_zero),
        fallbacks: ran.fallbacks,
        ..record
    }
}

#[cfg(test)]
mod tests {
    use model::folder::SHARD_LIMIT;

    use super::*;
    use crate::error::Result;
    use crate::methods::{Target, method};
    use crate::score::magnitude::Magnitude;
    use crate::sparse::{Linear, LinearStats, Outcome, Statistics, Zeros};
    use crate::{Request, record_of};

    /// Magnitude that says it had to damp more.
    struct Damped;

    impl Sparsify for Damped {
        fn name(&self) -> &'static str {
            "damped"
        }

        fn summary(&self) -> &'static str {
            "for this test"
        }

        fn paper(&self) -> Option<&'static str> {
            None
        }

        fn needs(&self) -> Statistics {
            Statistics::Nothing
        }

        fn sparsify(
            &self,
            weights: &mut Vec<f32>,
            linears: &[Linear],
            stats: LinearStats,
            zeros: Zeros,
        ) -> Result<Outcome> {
            Magnitude.sparsify(weights, linears, stats, zeros)?;
            Ok(Outcome { damping: Some(0.1), instead: None })
        }
    }

    #[test]
    fn more_damping_is_recorded_for_its_tensors_and_stands_on_the_card() {
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parity/qwen2-tied");
        let folder = ModelFolder::open(&base).unwrap();
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let request = Request::new("2:4-magnitude", Target::Pattern);
        let record = crate::decide(&folder, &request, &mut |_| ()).unwrap().record;
        let linear = [shape::tensors::Role::Query, shape::tensors::Role::Key];
        let sparse = method("2:4-magnitude").unwrap();
        let plan =
            crate::sparse::plan(folder.config(), &sparse, &Target::Pattern, &linear).unwrap();
        let writing = Writing {
            plan: &plan,
            score: &Damped,
            sequences: None,
            spill: None,
            out: &out,
            existing: Existing::Refuse,
            shard_limit: SHARD_LIMIT,
            again: None,
        };
        let record = write(&folder, record, &writing, &mut |_, _| (), Ok).unwrap();
        assert_eq!(record.fallbacks.len(), folder.config().num_hidden_layers());
        let first = &record.fallbacks[0];
        assert_eq!(
            first.tensors,
            ["model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight"]
        );
        assert_eq!((first.damping, &first.score), (Some(0.1), &None));
        assert_eq!(record_of(&out).unwrap().unwrap(), record);
        let card = std::fs::read_to_string(out.join("README.md")).unwrap();
        let line = "`model.layers.0.self_attn.k_proj.weight`: damped by 0.1 of the Hessian's mean diagonal\n";
        assert!(card.contains(line), "{card}");
    }
}
