//! The jobs of a sweep. Each is one `regrow` command with its own folder.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::base::{BaseOrigin, PlannedBase};
use super::command::RegrowCommand;
use super::cut::{PlannedCut, Removal};
use super::job::{Learning, PlannedTeacher, Purpose, SweepGroup, SweepJob, Trains, Workload};
use super::variant::Variant;
use crate::error::Result;
use crate::recipe::Recipe;
use crate::sweep::folder::SweepFolder;
use crate::sweep::recipe::{MethodKeys, Overrides, SweepKeys, TrainingKeys};

/// The job that makes the text to heal on, where it is another.
const HEAL_CORPUS: &str = "heal-corpus";

/// The file of a base's loss.
const LOSS: &str = "loss.json";

/// What all jobs have in common.
pub(super) struct JobMaker<'a> {
    pub(super) sweep: &'a SweepKeys,
    pub(super) folder: &'a SweepFolder,
    /// The program that the executor starts.
    pub(super) program: &'a OsStr,
}

/// One run: its id, what comes before it, and how it trains.
struct PlannedRun<'a> {
    id: String,
    after: Option<String>,
    base: &'a PlannedBase<'a>,
    variant: &'a Variant,
    learning: Learning,
    parameters: u64,
    config: &'a shape::config::ModelConfig,
}

impl JobMaker<'_> {
    /// Generates the text, if it is not the user's own, and tokenises it. Nothing where the recipe
    /// names a corpus.
    pub(super) fn corpus(&self) -> Result<Vec<SweepJob>> {
        let corpus = &self.sweep.corpus;
        let mut jobs = Vec::new();
        if corpus.folder.is_some() {
            return Ok(jobs);
        }
        let mut tokenize = self.command("tokenize");
        if let Some(grammar) = &corpus.grammar {
            let folder = self.folder.grammar();
            let mut command = self.command("grammar");
            command
                .flag("--documents", grammar.documents.to_string())
                .flag("--seed", grammar.seed.to_string())
                .flag("--out", &folder);
            tokenize.word(folder.join("documents.jsonl"));
            let place = ("text", folder, "grammar.json");
            jobs.push(command.job(self.program, place, None, Purpose::Corpus, None)?);
        }
        self.words_of_text(&mut tokenize, &corpus.inputs);
        match (&corpus.tokenizer, corpus.vocabulary, self.sweep.models().next()) {
            (Some(path), ..) => tokenize.flag("--tokenizer", path),
            (None, Some(vocabulary), _) => tokenize.flag("--vocabulary", vocabulary.to_string()),
            (None, None, Some(model)) => tokenize.flag("--tokenizer", model.place()),
            // The recipe's check has refused this.
            (None, None, None) => &mut tokenize,
        };
        if let Some(share) = corpus.heldout_share {
            tokenize.flag("--heldout-share", share.to_string());
        }
        tokenize.flag("--out", self.folder.corpus());
        let after = corpus.grammar.is_some().then_some("text");
        let place = ("corpus", self.folder.corpus(), "corpus.json");
        jobs.push(tokenize.job(self.program, place, after, Purpose::Corpus, None)?);
        if !corpus.heal_inputs.is_empty() {
            let mut tokenize = self.command("tokenize");
            self.words_of_text(&mut tokenize, &corpus.heal_inputs);
            tokenize.flag("--tokenizer", self.folder.corpus());
            if let Some(share) = corpus.heldout_share {
                tokenize.flag("--heldout-share", share.to_string());
            }
            tokenize.flag("--out", self.folder.heal_corpus());
            let place = (HEAL_CORPUS, self.folder.heal_corpus(), "corpus.json");
            jobs.push(tokenize.job(self.program, place, Some("corpus"), Purpose::Corpus, None)?);
        }
        Ok(jobs)
    }

    pub(super) fn command(&self, subcommand: &str) -> RegrowCommand<'_> {
        RegrowCommand::new(subcommand, &self.sweep.executor)
    }

    /// The files of a text, and where its documents end.
    fn words_of_text(&self, command: &mut RegrowCommand<'_>, inputs: &[PathBuf]) {
        for input in inputs {
            command.word(input);
        }
        if let Some(rule) = &self.sweep.corpus.documents {
            command.flag("--documents", rule);
        }
        if let Some(separator) = &self.sweep.corpus.separator {
            command.flag("--separator", separator);
        }
    }

    /// The job that makes the text, if there is one.
    fn text(&self) -> Option<&'static str> {
        self.sweep.corpus.folder.is_none().then_some("corpus")
    }

    /// Trains a base from scratch, with the shape in the file `config`.
    pub(super) fn base(&self, base: &PlannedBase<'_>, config: &Path) -> Result<SweepJob> {
        let mut command = self.command("train");
        command.flag("--init", config).flag("--corpus", self.folder.corpus_of(self.sweep));
        let keys = &self.sweep.base_training()?.0;
        let tokens = keys.tokens(base.parameters);
        let own = Overrides::default().or_learning_rate(base.learning_rate);
        self.trains(&mut command, "recipes/base.toml", (tokens, base.seed), base, &own)?;
        // With `settle`, this run is only the first part, and its folder is not the base.
        let settled = self.sweep.settle.is_none();
        let (name, folder) = if settled {
            ("base", self.folder.base(&base.id))
        } else {
            ("scratch", self.folder.scratch(&base.id))
        };
        command.flag("--out", &folder).word("--resume");
        let training = Workload { tokens, parameters: base.parameters, teacher: 0 };
        let place = (&*format!("{name}-{}", base.id), folder, "done.json");
        let purpose = Purpose::Base { training, settled };
        let (config, keys) = (base.config.clone(), own.over(keys));
        let trains = Trains { config, keys, teacher: None };
        command.job(self.program, place, self.text(), purpose, Some(trains))
    }

    /// Trains a base further, with the settings that its pruned models will heal with.
    pub(super) fn settle(&self, base: &PlannedBase<'_>, settle: &TrainingKeys) -> Result<SweepJob> {
        let mut command = self.command("train");
        let scratch = self.folder.scratch(&base.id).join("model");
        command.word(scratch).flag("--corpus", self.folder.corpus_of(self.sweep));
        let tokens = settle.0.tokens(base.parameters);
        // Not the base's own seed: the second run would read the same texts in the same order
        // again.
        let seed = seed_of(&format!("settle {}", base.id), base.seed);
        let own = Overrides::default().or_learning_rate(base.learning_rate);
        self.trains(&mut command, "recipes/settle.toml", (tokens, seed.into()), base, &own)?;
        let folder = self.folder.base(&base.id);
        command.flag("--out", &folder).word("--resume");
        let training = Workload { tokens, parameters: base.parameters, teacher: 0 };
        let place = (&*format!("base-{}", base.id), folder, "done.json");
        let after = format!("scratch-{}", base.id);
        let purpose = Purpose::Base { training, settled: true };
        let keys = own.over(&settle.0).over(&self.sweep.healing()).taught(Recipe::default());
        let trains = Trains { config: base.config.clone(), keys, teacher: None };
        command.job(self.program, place, Some(after.as_str()), purpose, Some(trains))
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
        let mut command = self.command("prune");
        command.word(self.model_of(base));
        command.flag("--method", &method.name);
        match &cut.removal {
            Removal::Rate(rate) => {
                command.flag("--rate", rate.to_string());
            }
            Removal::Blocks(blocks) => {
                let list: Vec<String> = blocks.iter().map(ToString::to_string).collect();
                command.flag("--drop", list.join(","));
            }
            Removal::Pattern => {}
        }
        if prune::method(&method.name)?.reads_text() {
            let calibration = &self.sweep.calibration;
            command
                .flag("--corpus", self.folder.corpus_of(self.sweep))
                .flag("--samples", calibration.samples.to_string())
                .flag("--length", calibration.length.to_string());
        }
        if matches!(base.origin, BaseOrigin::Exists(_)) {
            // A run says its series itself; the folder of a model does not.
            command.flag("--series", &base.series.name);
        }
        command.flag("--seed", base.seed.to_string()).flag("--out", &folder);
        let place = (&*format!("cut-{id}"), folder, "cut.json");
        let after = self.made_by(base);
        command.job(self.program, place, after.as_deref(), Purpose::Cut, None)
    }

    /// Measures the loss of a base that exists, as every run of the sweep measures. A base that
    /// the sweep trains is small, and each of its runs measures it itself.
    pub(super) fn measure(&self, base: &PlannedBase<'_>) -> Result<SweepJob> {
        let keys = self.sweep.healing().or_context(self.sweep.context).keys();
        let context = usize::try_from(self.sweep.context.0).unwrap_or(usize::MAX);
        let evaluation = keys.evaluation(0, context, u64::MAX);
        let mut command = self.command("eval");
        command
            .word(self.model_of(base))
            .flag("--corpus", self.folder.heal_corpus_of(self.sweep))
            .flag("--convention", evaluation.convention.name())
            .flag("--context", evaluation.context.to_string())
            .flag("--stride", evaluation.stride.to_string())
            .flag("--tokens", evaluation.tokens.0.to_string())
            .flag("--out", self.loss_of(base));
        let place = (&*measure_name(base), self.folder.loss(&base.id), LOSS);
        let made_by = self.made_by(base);
        let after = made_by.as_deref().into_iter().chain(self.heal_text());
        command.job(self.program, place, after, Purpose::Measure, None)
    }

    /// The file with the loss of a base that exists.
    fn loss_of(&self, base: &PlannedBase<'_>) -> PathBuf {
        self.folder.loss(&base.id).join(LOSS)
    }

    /// Heals a pruned model.
    pub(super) fn heal(
        &self,
        base: &PlannedBase<'_>,
        method: &MethodKeys,
        cut: &PlannedCut,
        variant: &Variant,
        learning: Learning,
    ) -> Result<SweepJob> {
        let id = cut_id(base, method, cut);
        let mut command = self.command("train");
        command.word(self.folder.model(&id));
        match base.origin {
            BaseOrigin::Scratch => command.flag("--base", self.model_of(base)),
            BaseOrigin::Exists(_) => command.flag("--base-loss", self.loss_of(base)),
        };
        let group = SweepGroup {
            series: base.series.name.clone(),
            method: method.name.clone(),
            objective: learning.word.unwrap_or(ledger::Objective::LM),
        };
        let purpose = |training| Purpose::Heal { training, group };
        let after = Some(format!("cut-{id}"));
        let (parameters, config) = (cut.parameters, &cut.config);
        let run = PlannedRun { id, after, base, variant, learning, parameters, config };
        self.run(command, run, purpose)
    }

    /// Trains an unpruned base further on the text, with as many tokens as its pruned models.
    pub(super) fn control(&self, base: &PlannedBase<'_>, variant: &Variant) -> Result<SweepJob> {
        let mut command = self.command("train");
        command.word(self.model_of(base));
        if let BaseOrigin::Exists(_) = base.origin {
            command.flag("--base-loss", self.loss_of(base));
        }
        let purpose = |training| Purpose::Control { training };
        let (id, after) = (format!("{}-none", base.id), self.made_by(base));
        let (parameters, config) = (base.parameters, &base.config);
        let learning = Learning::default();
        let run = PlannedRun { id, after, base, variant, learning, parameters, config };
        self.run(command, run, purpose)
    }

    fn run(
        &self,
        mut command: RegrowCommand<'_>,
        run: PlannedRun<'_>,
        purpose: impl FnOnce(Workload) -> Purpose,
    ) -> Result<SweepJob> {
        let PlannedRun { base, variant, learning, .. } = run;
        let id = variant.id(&match learning.word {
            None => run.id.clone(),
            Some(word) => format!("{}-{word}", run.id),
        });
        let keys = variant.keys().over(&self.sweep.healing()).taught(learning.keys.clone());
        // The base's parameters, not the pruned model's: all cuts of a base and its control get the
        // same number of tokens.
        let tokens = keys.tokens(base.parameters);
        // A further run of another kind reads the same text in the same order, one of another seed
        // does not. Runs of several objectives read alike, so that they differ by nothing else.
        let seed = match variant.seed() {
            None => seed_of(&run.id, base.seed),
            Some(seed) => seed_of(&format!("{} seed {seed}", run.id), base.seed),
        };
        command.flag("--corpus", self.folder.heal_corpus_of(self.sweep));
        let mut own = variant.keys().or_learning_rate(base.learning_rate).taught(learning.keys);
        if matches!(base.origin, BaseOrigin::Exists(_)) {
            // Models that exist could look back on more.
            own = own.or_context(self.sweep.context);
        }
        self.trains(&mut command, "recipes/heal.toml", (tokens, seed.into()), base, &own)?;
        let folder = self.folder.run(&id);
        command.flag("--out", &folder).word("--resume");
        let place = (&*format!("run-{id}"), folder, "done.json");
        let teacher = learning.teacher;
        let beside = teacher.as_ref().map_or(0, PlannedTeacher::parameters);
        let trains = Trains { config: run.config.clone(), keys: own.over(&keys), teacher };
        let purpose = purpose(Workload { tokens, parameters: run.parameters, teacher: beside });
        let after = run.after.as_deref().into_iter().chain(self.heal_text());
        let loss = matches!(base.origin, BaseOrigin::Exists(_)).then(|| measure_name(base));
        let after = after.chain(learning.after.as_deref()).chain(loss.as_deref());
        command.job(self.program, place, after, purpose, Some(trains))
    }

    /// The flags of every training of a base or of its pruned models.
    fn trains(
        &self,
        command: &mut RegrowCommand<'_>,
        recipe: &str,
        (tokens, seed): (u64, u64),
        base: &PlannedBase<'_>,
        own: &Overrides,
    ) -> Result<()> {
        command
            .flag("--recipe", self.folder.join(recipe))
            .flag("--tokens", tokens.to_string())
            .flag("--seed", seed.to_string())
            .flag("--series", &base.series.name);
        for (key, value) in own.keys().words()? {
            command.flag(&format!("--{}", key.replace('_', "-")), value);
        }
        let trainer = match recipe {
            "recipes/heal.toml" => own.over(&self.sweep.healing()).trainer(),
            "recipes/settle.toml" => {
                let settle = self.sweep.settle.as_ref().map(|settle| &settle.0);
                settle.map_or_else(|| own.clone(), |settle| own.over(settle)).trainer()
            }
            _ => own.trainer(),
        };
        // regrow itself needs no word.
        if let Some(trainer) = trainer.filter(|trainer| *trainer != ledger::Trainer::Regrow) {
            command.flag("--trainer", trainer.name());
        }
        Ok(())
    }

    /// The job that makes the text to heal on, where it is another.
    pub(super) fn heal_text(&self) -> Option<&'static str> {
        (!self.sweep.corpus.heal_inputs.is_empty()).then_some(HEAL_CORPUS)
    }

    /// The folder of a base's model.
    pub(super) fn model_of(&self, base: &PlannedBase<'_>) -> OsString {
        match base.origin {
            BaseOrigin::Scratch => self.folder.base(&base.id).join("model").into_os_string(),
            BaseOrigin::Exists(model) => model.place().into_os_string(),
        }
    }

    /// The job after which a base is there.
    pub(super) fn made_by(&self, base: &PlannedBase<'_>) -> Option<String> {
        match base.origin {
            BaseOrigin::Scratch => Some(format!("base-{}", base.id)),
            BaseOrigin::Exists(_) => self.text().map(str::to_owned),
        }
    }
}

/// The name of the job that measures a base.
pub(super) fn measure_name(base: &PlannedBase<'_>) -> String {
    format!("loss-{}", base.id)
}

fn cut_id(base: &PlannedBase<'_>, method: &MethodKeys, cut: &PlannedCut) -> String {
    match &*cut.name {
        "" => format!("{}-{}", base.id, method.name),
        name => format!("{}-{}-{name}", base.id, method.name),
    }
}

/// Gives every run its own order of the text. A shared order would shift all curves together, and
/// intervals from resampled runs would not include that error.
fn seed_of(id: &str, seed: u64) -> u32 {
    (ledger::Sha256::of(format!("{seed} {id}")).leading_u64() >> 32) as u32
}
