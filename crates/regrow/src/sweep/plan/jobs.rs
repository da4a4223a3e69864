//! The jobs of a sweep. Each is one `regrow` command with its own folder.

use std::ffi::OsStr;
use std::path::Path;

use super::base::PlannedBase;
use super::command::RegrowCommand;
use super::cut::{PlannedCut, Removal};
use super::job::{Purpose, SweepGroup, SweepJob, Workload};
use crate::error::Result;
use crate::sweep::folder::SweepFolder;
use crate::sweep::recipe::{MethodKeys, SweepKeys, TrainingKeys};

/// What all jobs have in common.
pub(super) struct JobMaker<'a> {
    pub(super) sweep: &'a SweepKeys,
    pub(super) folder: &'a SweepFolder,
    /// The program that the executor starts.
    pub(super) program: &'a OsStr,
}

impl JobMaker<'_> {
    /// Generates the text, if it is not the user's own, and tokenises it.
    pub(super) fn corpus(&self) -> Result<Vec<SweepJob>> {
        let corpus = &self.sweep.corpus;
        let mut jobs = Vec::new();
        let mut tokenize = RegrowCommand::new("tokenize");
        if let Some(grammar) = &corpus.grammar {
            let folder = self.folder.grammar();
            let mut command = RegrowCommand::new("grammar");
            command
                .flag("--documents", grammar.documents.to_string())
                .flag("--seed", grammar.seed.to_string())
                .flag("--out", &folder);
            tokenize.word(folder.join("documents.jsonl"));
            let place = ("text", folder, "grammar.json");
            jobs.push(command.job(self.program, place, None, Purpose::Corpus)?);
        }
        for input in &corpus.inputs {
            tokenize.word(input);
        }
        if let Some(rule) = &corpus.documents {
            tokenize.flag("--documents", rule);
        }
        if let Some(separator) = &corpus.separator {
            tokenize.flag("--separator", separator);
        }
        tokenize
            .flag("--vocabulary", corpus.vocabulary.to_string())
            .flag("--heldout-share", corpus.heldout_share.to_string())
            .flag("--out", self.folder.corpus());
        let after = corpus.grammar.is_some().then_some("text");
        let place = ("corpus", self.folder.corpus(), "corpus.json");
        jobs.push(tokenize.job(self.program, place, after, Purpose::Corpus)?);
        Ok(jobs)
    }

    /// Trains a base from scratch, with the shape in the file `config`.
    pub(super) fn base(&self, base: &PlannedBase<'_>, config: &Path) -> Result<SweepJob> {
        let mut command = RegrowCommand::new("train");
        command.flag("--init", config).flag("--corpus", self.folder.corpus());
        let tokens = self.sweep.base.tokens(base.parameters);
        self.trains(&mut command, "recipes/base.toml", tokens, base.seed, base);
        // With `settle`, this run is only the first part, and its folder is not the base.
        let settled = self.sweep.settle.is_none();
        let (name, folder) = if settled {
            ("base", self.folder.base(&base.id))
        } else {
            ("scratch", self.folder.scratch(&base.id))
        };
        command.flag("--out", &folder).word("--resume");
        let training = Workload { tokens, parameters: base.parameters };
        let place = (&*format!("{name}-{}", base.id), folder, "done.json");
        command.job(self.program, place, Some("corpus"), Purpose::Base { training, settled })
    }

    /// Trains a base further, with the settings that its pruned models will heal with.
    pub(super) fn settle(&self, base: &PlannedBase<'_>, settle: &TrainingKeys) -> Result<SweepJob> {
        let mut command = RegrowCommand::new("train");
        let scratch = self.folder.scratch(&base.id).join("model");
        command.word(scratch).flag("--corpus", self.folder.corpus());
        let tokens = settle.tokens(base.parameters);
        // Not the base's own seed: the second run would read the same texts in the same order
        // again.
        let seed = seed_of(&format!("settle {}", base.id), base.seed);
        self.trains(&mut command, "recipes/settle.toml", tokens, seed.into(), base);
        let folder = self.folder.base(&base.id);
        command.flag("--out", &folder).word("--resume");
        let training = Workload { tokens, parameters: base.parameters };
        let place = (&*format!("base-{}", base.id), folder, "done.json");
        let after = format!("scratch-{}", base.id);
        command.job(self.program, place, Some(&after), Purpose::Base { training, settled: true })
    }

    /// Prunes a base.
    pub(super) fn cut(
        &self,
        base: &PlannedBase<'_>,
        method: &MethodKeys,
        cut: &PlannedCut,
    ) -> Result<SweepJob> {
        let id = cut_id(base, method, cut);
        let folder = self.folder.model(&id);
        let mut command = RegrowCommand::new("prune");
        command.word(self.folder.base(&base.id).join("model"));
        command.flag("--method", &method.name);
        match &cut.removal {
            Removal::Rate(rate) => {
                let calibration = &self.sweep.calibration;
                command
                    .flag("--rate", rate.to_string())
                    .flag("--corpus", self.folder.corpus())
                    .flag("--samples", calibration.samples.to_string())
                    .flag("--length", calibration.length.to_string());
            }
            Removal::Blocks(blocks) => {
                let list: Vec<String> = blocks.iter().map(ToString::to_string).collect();
                command.flag("--drop", list.join(","));
            }
        }
        command.flag("--seed", base.seed.to_string()).flag("--out", &folder);
        let place = (&*format!("cut-{id}"), folder, "cut.json");
        command.job(self.program, place, Some(&format!("base-{}", base.id)), Purpose::Cut)
    }

    /// Heals a pruned model.
    pub(super) fn heal(
        &self,
        base: &PlannedBase<'_>,
        method: &MethodKeys,
        cut: &PlannedCut,
    ) -> Result<SweepJob> {
        let id = cut_id(base, method, cut);
        let mut command = RegrowCommand::new("train");
        let own = self.folder.base(&base.id).join("model");
        command.word(self.folder.model(&id)).flag("--base", own);
        let group = SweepGroup { series: base.series.name.clone(), method: method.name.clone() };
        let purpose = |training| Purpose::Heal { training, group };
        self.run(command, &id, base, (&format!("cut-{id}"), cut.parameters), purpose)
    }

    /// Trains an unpruned base further, with as many tokens as its pruned models.
    pub(super) fn control(&self, base: &PlannedBase<'_>) -> Result<SweepJob> {
        let mut command = RegrowCommand::new("train");
        command.word(self.folder.base(&base.id).join("model"));
        let purpose = |training| Purpose::Control { training };
        let id = format!("{}-none", base.id);
        self.run(command, &id, base, (&format!("base-{}", base.id), base.parameters), purpose)
    }

    /// A run `id` of a model with `parameters` parameters, which the job `after` makes.
    fn run(
        &self,
        mut command: RegrowCommand,
        id: &str,
        base: &PlannedBase<'_>,
        (after, parameters): (&str, u64),
        purpose: impl FnOnce(Workload) -> Purpose,
    ) -> Result<SweepJob> {
        // The base's parameters, not the pruned model's: all cuts of a base and its control get the
        // same number of tokens.
        let tokens = self.sweep.heal.tokens(base.parameters);
        let seed = seed_of(id, base.seed);
        command.flag("--corpus", self.folder.corpus());
        self.trains(&mut command, "recipes/heal.toml", tokens, seed.into(), base);
        let folder = self.folder.run(id);
        command.flag("--out", &folder).word("--resume");
        let place = (&*format!("run-{id}"), folder, "done.json");
        command.job(self.program, place, Some(after), purpose(Workload { tokens, parameters }))
    }

    /// The flags of every training of a base or of its pruned models.
    fn trains(
        &self,
        command: &mut RegrowCommand,
        recipe: &str,
        tokens: u64,
        seed: u64,
        base: &PlannedBase<'_>,
    ) {
        command
            .flag("--recipe", self.folder.join(recipe))
            .flag("--tokens", tokens.to_string())
            .flag("--seed", seed.to_string())
            .flag("--series", &base.series.name);
        if let Some(rate) = base.size.learning_rate {
            command.flag("--learning-rate", rate.to_string());
        }
    }
}

fn cut_id(base: &PlannedBase<'_>, method: &MethodKeys, cut: &PlannedCut) -> String {
    format!("{}-{}-{}", base.id, method.name, cut.name)
}

/// Gives every run its own order of the text. A shared order would shift all curves together, and
/// intervals from resampled runs would not include that error.
fn seed_of(id: &str, seed: u64) -> u32 {
    (ledger::Sha256::of(format!("{seed} {id}")).leading_u64() >> 32) as u32
}
