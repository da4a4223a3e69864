//! From a recipe to jobs: every one an ordinary command line, with a folder of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use shape::config::ModelConfig;
use shape::count::Count;

use super::recipe::{Controls, Method, Series, Size, Sweep, Training};
use crate::executor::{Job, Resources};

/// Where things stand in the folder of a sweep.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) out: PathBuf,
}

/// A sweep, resolved: its jobs, and the files that have to be there before the first.
#[derive(Debug)]
pub(crate) struct Plan {
    /// In an order in which each comes after those it needs, and the long ones first.
    pub(crate) jobs: Vec<Planned>,
    /// Files to write, with their contents.
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
}

/// A job, and what the sweep knows about it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) job: Job,
    pub(crate) kind: Kind,
}

/// What a job is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, or its tokens.
    Corpus,
    /// A model from scratch; `settled` where it is pruned as it is then.
    Base { tokens: u64, parameters: u64, settled: bool },
    /// A smaller model.
    Cut,
    /// A run whose points are fitted or, for a control, shown.
    Run { tokens: u64, parameters: u64, group: Option<(String, String)> },
}

impl Plan {
    /// The jobs of one kind.
    pub(crate) fn only(&self, kind: &Kind) -> Self {
        let jobs = self.jobs.iter().filter(|planned| planned.kind == *kind).cloned().collect();
        Self { jobs, files: Vec::new() }
    }
}

impl Kind {
    /// Training tokens, and how long they take compared with those of other jobs.
    pub(crate) fn work(&self) -> Option<(u64, f64)> {
        match *self {
            Self::Corpus | Self::Cut => None,
            Self::Base { tokens, parameters, .. } | Self::Run { tokens, parameters, .. } => {
                Some((tokens, tokens as f64 * (parameters as f64 + PARAMETERS_OF_OVERHEAD)))
            }
        }
    }
}

/// What a token costs whatever the size, in parameters: measured on models of 40,000 to 200,000
/// parameters.
const PARAMETERS_OF_OVERHEAD: f64 = 100_000.0;

impl Layout {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    pub(crate) fn grammar(&self) -> PathBuf {
        self.out.join("text")
    }

    pub(crate) fn corpus(&self) -> PathBuf {
        self.out.join("corpus")
    }

    pub(crate) fn base(&self, id: &str) -> PathBuf {
        self.out.join("bases").join(id)
    }

    /// A base that has not settled yet.
    fn scratch(&self, id: &str) -> PathBuf {
        self.out.join("scratch").join(id)
    }

    pub(crate) fn run(&self, id: &str) -> PathBuf {
        self.out.join("runs").join(id)
    }
}

/// One base while its jobs are made.
struct Base<'a> {
    id: String,
    series: &'a Series,
    size: &'a Size,
    config: ModelConfig,
    parameters: u64,
    seed: u64,
    /// Whether it is also trained on unpruned.
    control: bool,
}

/// Resolves a recipe. Nothing is written.
///
/// # Errors
/// Where a shape is no model, or a rate no cut of it, or two rates are the same cut.
pub(crate) fn plan(sweep: &Sweep, layout: &Layout) -> anyhow::Result<Plan> {
    let mut jobs = corpus_jobs(sweep, layout);
    let mut bases = Vec::new();
    for series in &sweep.series {
        for size in &series.sizes {
            let config = sweep.config(series, size)?;
            let parameters = Count::of(&config).total;
            let seeds = sweep.seeds(size);
            for &seed in seeds {
                let id = match seeds.len() {
                    1 => format!("{}-{}", series.name, size.name()),
                    _ => format!("{}-{}-seed{seed}", series.name, size.name()),
                };
                let control = match sweep.controls {
                    Controls::Every => true,
                    Controls::OneASize => seed == seeds[0],
                    Controls::None => false,
                };
                bases.push(Base {
                    id,
                    series,
                    size,
                    config: config.clone(),
                    parameters,
                    seed,
                    control,
                });
            }
        }
    }
    let keys = sweep.heal.keys.clone().over(sweep.base.keys.clone());
    let heal = Training { keys, ..sweep.heal.clone() };
    let mut files = vec![
        (layout.path("recipes/base.toml"), training_toml(&sweep.base)?),
        (layout.path("recipes/heal.toml"), training_toml(&heal)?),
    ];
    if let Some(settle) = &sweep.settle {
        let keys = settle.keys.clone().over(heal.keys.clone());
        files.push((
            layout.path("recipes/settle.toml"),
            training_toml(&Training { keys, ..settle.clone() })?,
        ));
    }
    let (mut trained, mut settled, mut cuts, mut runs) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for base in &bases {
        let config = layout.path(&format!("configs/{}.json", base.id));
        files.push((config.clone(), base.config.to_raw().to_json()));
        trained.push(base_job(sweep, layout, base, &config));
        settled.extend(sweep.settle.as_ref().map(|settle| settle_job(layout, base, settle)));
        if base.control {
            runs.push(run_job(sweep, layout, base, None, base.parameters));
        }
        for method in &sweep.methods {
            for cut in cuts_of(base, method)? {
                cuts.push(cut_job(sweep, layout, base, method, &cut));
                runs.push(run_job(sweep, layout, base, Some((method, &cut)), cut.parameters));
            }
        }
    }
    // Long ones first, so that no long one is left over at the end.
    for list in [&mut trained, &mut settled, &mut runs] {
        let cost = |planned: &Planned| planned.kind.work().map_or(0.0, |(_, cost)| cost);
        list.sort_by(|a, b| cost(b).total_cmp(&cost(a)));
    }
    jobs.extend(trained.into_iter().chain(settled).chain(cuts).chain(runs));
    Ok(Plan { jobs, files })
}

fn training_toml(training: &Training) -> anyhow::Result<Vec<u8>> {
    // Each job is told its own tokens.
    let mut keys = training.keys.clone();
    keys.tokens = None;
    Ok(keys.to_toml()?.into_bytes())
}

fn corpus_jobs(sweep: &Sweep, layout: &Layout) -> Vec<Planned> {
    let corpus = &sweep.corpus;
    let mut jobs = Vec::new();
    let mut line = Line::new("tokenize");
    if let Some(grammar) = &corpus.grammar {
        let folder = layout.grammar();
        let mut text = Line::new("grammar");
        text.flag("--documents", grammar.documents.to_string())
            .flag("--seed", grammar.seed.to_string())
            .flag("--out", &folder);
        jobs.push(text.job("text", folder.clone(), "grammar.json", &[], Kind::Corpus));
        line.word(folder.join("documents.jsonl"));
    }
    for input in &corpus.inputs {
        line.word(input);
    }
    if let Some(rule) = &corpus.documents {
        line.flag("--documents", rule);
    }
    if let Some(separator) = &corpus.separator {
        line.flag("--separator", separator);
    }
    line.flag("--vocabulary", corpus.vocabulary.to_string())
        .flag("--heldout-share", corpus.heldout_share.to_string())
        .flag("--out", layout.corpus());
    let after: &[&str] = if corpus.grammar.is_some() { &["text"] } else { &[] };
    jobs.push(line.job("corpus", layout.corpus(), "corpus.json", after, Kind::Corpus));
    jobs
}

fn base_job(sweep: &Sweep, layout: &Layout, base: &Base<'_>, config: &Path) -> Planned {
    let tokens = sweep.base.tokens(base.parameters);
    let mut line = Line::new("train");
    line.flag("--init", config).flag("--corpus", layout.corpus());
    line.flag("--recipe", layout.path("recipes/base.toml"));
    line.flag("--tokens", tokens.to_string())
        .flag("--seed", base.seed.to_string())
        .flag("--series", &base.series.name);
    if let Some(rate) = base.size.learning_rate {
        line.flag("--learning-rate", rate.to_string());
    }
    let (name, folder) = match sweep.settle {
        Some(_) => ("scratch", layout.scratch(&base.id)),
        None => ("base", layout.base(&base.id)),
    };
    line.flag("--out", &folder).word("--resume");
    let kind = Kind::Base { tokens, parameters: base.parameters, settled: sweep.settle.is_none() };
    line.job(&format!("{name}-{}", base.id), folder, "done.json", &["corpus"], kind)
}

/// A base trained on as its pruned models will heal.
fn settle_job(layout: &Layout, base: &Base<'_>, settle: &Training) -> Planned {
    let tokens = settle.tokens(base.parameters);
    let mut line = Line::new("train");
    line.word(layout.scratch(&base.id).join("model")).flag("--corpus", layout.corpus());
    line.flag("--recipe", layout.path("recipes/settle.toml"));
    line.flag("--tokens", tokens.to_string())
        .flag("--seed", seed_of(&format!("settle {}", base.id), base.seed).to_string())
        .flag("--series", &base.series.name);
    if let Some(rate) = base.size.learning_rate {
        line.flag("--learning-rate", rate.to_string());
    }
    let folder = layout.base(&base.id);
    line.flag("--out", &folder).word("--resume");
    let kind = Kind::Base { tokens, parameters: base.parameters, settled: true };
    line.job(
        &format!("base-{}", base.id),
        folder,
        "done.json",
        &[&format!("scratch-{}", base.id)],
        kind,
    )
}

/// A cut that will be made: its short name, what `prune` is asked for, and what is left.
struct Wanted {
    name: String,
    asked: Asked,
    parameters: u64,
}

/// What `prune` is told to take away.
enum Asked {
    /// A share of all parameters.
    Rate(f64),
    /// These blocks, counted from 0.
    Drop(Vec<usize>),
}

fn cuts_of(base: &Base<'_>, method: &Method) -> anyhow::Result<Vec<Wanted>> {
    if prune::method(&method.name)?.takes().contains(&prune::Takes::Sizes) {
        return widths_of(base, method);
    }
    let layers = base.config.num_hidden_layers();
    let mut wanted: Vec<(usize, Wanted)> = Vec::new();
    for &blocks in &method.blocks {
        let legal = prune::legal_rates(&base.config);
        let Some(legal) = blocks.checked_sub(1).and_then(|at| legal.get(at)) else {
            bail!("`blocks` holds {blocks}, expected 1 to {} for `{}`", layers - 1, base.id);
        };
        let name = format!("{blocks}of{layers}");
        let asked = Asked::Rate(legal.rate.get());
        wanted.push((blocks, Wanted { name, asked, parameters: legal.parameters.0 }));
    }
    for &rate in &method.rates {
        let legal = prune::shapes::nearest(&base.config, rate, prune::TOLERANCE)?;
        let (name, asked) = (rate.to_string(), Asked::Rate(rate));
        wanted.push((legal.dropped, Wanted { name, asked, parameters: legal.parameters.0 }));
    }
    for list in &method.drop {
        let mut drop = list.clone();
        drop.sort_unstable();
        let cut = ledger::Cut::Depth { layers, drop: drop.clone() };
        cut.validate()
            .with_context(|| format!("`drop` holds {list:?}, which is no cut of `{}`", base.id))?;
        let legal = &prune::legal_rates(&base.config)[drop.len() - 1];
        let name = format!("{}of{layers}", drop.len());
        wanted.push((
            drop.len(),
            Wanted { name, asked: Asked::Drop(drop), parameters: legal.parameters.0 },
        ));
    }
    wanted.sort_by_key(|(dropped, _)| *dropped);
    if let Some(pair) = wanted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let (first, second) = (&pair[0].1.name, &pair[1].1.name);
        bail!(
            "`{first}` and `{second}` both drop {} of {layers} blocks of `{}`",
            pair[0].0,
            base.id
        );
    }
    Ok(wanted.into_iter().map(|(_, wanted)| wanted).collect())
}

/// As [`cuts_of`], for methods that make layers narrower.
fn widths_of(base: &Base<'_>, method: &Method) -> anyhow::Result<Vec<Wanted>> {
    if !method.blocks.is_empty() {
        bail!("`{}` takes no `blocks`, it keeps them all: give `rates`", method.name);
    }
    let mut wanted: Vec<Wanted> = Vec::new();
    for &rate in &method.rates {
        let best =
            prune::choices(&base.config, rate, prune::TOLERANCE, &prune::Options::default(), 1)?;
        let parameters = best[0].parameters.0;
        if let Some(other) = wanted.iter().find(|other| other.parameters == parameters) {
            bail!("`{}` and `{rate}` make the same shape of `{}`", other.name, base.id);
        }
        wanted.push(Wanted { name: rate.to_string(), asked: Asked::Rate(rate), parameters });
    }
    Ok(wanted)
}

fn cut_job(
    sweep: &Sweep,
    layout: &Layout,
    base: &Base<'_>,
    method: &Method,
    cut: &Wanted,
) -> Planned {
    let id = format!("{}-{}-{}", base.id, method.name, cut.name);
    let folder = layout.path("models").join(&id);
    let mut line = Line::new("prune");
    line.word(layout.base(&base.id).join("model"));
    line.flag("--method", &method.name);
    match &cut.asked {
        Asked::Rate(rate) => {
            line.flag("--rate", rate.to_string()).flag("--corpus", layout.corpus());
            line.flag("--samples", sweep.calibration.samples.to_string())
                .flag("--length", sweep.calibration.length.to_string());
        }
        Asked::Drop(blocks) => {
            let list: Vec<String> = blocks.iter().map(ToString::to_string).collect();
            line.flag("--drop", list.join(","));
        }
    }
    line.flag("--seed", base.seed.to_string()).flag("--out", &folder);
    line.job(&format!("cut-{id}"), folder, "cut.json", &[&format!("base-{}", base.id)], Kind::Cut)
}

fn run_job(
    sweep: &Sweep,
    layout: &Layout,
    base: &Base<'_>,
    cut: Option<(&Method, &Wanted)>,
    parameters: u64,
) -> Planned {
    let own = layout.base(&base.id).join("model");
    let tokens = sweep.heal.tokens(base.parameters);
    let mut line = Line::new("train");
    let (id, after, group) = match cut {
        None => {
            line.word(&own);
            (format!("{}-none", base.id), format!("base-{}", base.id), None)
        }
        Some((method, cut)) => {
            let id = format!("{}-{}-{}", base.id, method.name, cut.name);
            line.word(layout.path("models").join(&id)).flag("--base", &own);
            let group = (base.series.name.clone(), method.name.clone());
            (id.clone(), format!("cut-{id}"), Some(group))
        }
    };
    line.flag("--corpus", layout.corpus()).flag("--recipe", layout.path("recipes/heal.toml"));
    line.flag("--tokens", tokens.to_string())
        .flag("--seed", seed_of(&id, base.seed).to_string())
        .flag("--series", &base.series.name);
    if let Some(rate) = base.size.learning_rate {
        line.flag("--learning-rate", rate.to_string());
    }
    let folder = layout.run(&id);
    line.flag("--out", &folder).word("--resume");
    line.job(
        &format!("run-{id}"),
        folder,
        "done.json",
        &[&after],
        Kind::Run { tokens, parameters, group },
    )
}

/// Every run reads the text in an order of its own: an order that all shared would be one more
/// thing that all have in common, and intervals from whole runs would not see it.
fn seed_of(id: &str, seed: u64) -> u32 {
    (ledger::Sha256::of(format!("{seed} {id}")).leading_u64() >> 32) as u32
}

/// A command line in the making.
struct Line(Vec<OsString>);

impl Line {
    fn new(command: &str) -> Self {
        Self(vec![command.into()])
    }

    fn word(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.0.push(word.into());
        self
    }

    fn flag(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.word(name).word(value.as_ref())
    }

    fn job(
        mut self,
        id: &str,
        folder: PathBuf,
        result: &str,
        after: &[&str],
        kind: Kind,
    ) -> Planned {
        let resources = Resources { threads: 1 };
        self.flag("--threads", resources.threads.to_string());
        let result = folder.join(result);
        let after = after.iter().map(ToString::to_string).collect();
        Planned {
            job: Job { id: id.to_owned(), folder, result, argv: self.0, after, resources },
            kind,
        }
    }
}
