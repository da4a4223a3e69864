//! Writes what a teacher says about a corpus into a cache, from which training reads it.

use std::path::{Path, PathBuf};

use disk::kinds::CACHE;
use ledger::count::Count;
use ledger::{Convention, Evaluation, Precision, Tokens};
use model::batch::Batch;
use model::decoder::Decoder;
use model::evaluate::{Protocol, batches, planned_rows};
use model::teacher_cache::{
    CacheInfo, CacheWriter, Chooser, PLAN, PartWriter, TeacherCache, Wanted,
};
use model::workspace::Workspace;
use rayon::prelude::*;
use shape::config::ModelConfig;
use text::Corpus;

use crate::error::{Error, Result, bail};
use crate::loaded;
use crate::machine::{HostMachine, HostWeights, unaccounted};
use crate::observer::{Event, Observer};
use crate::recipe::EVAL_TOKENS;
use crate::source::open_corpus;
use crate::stop::Stop;

/// Tokens that go through the teacher together, at most; one window if that is longer.
const BATCH: usize = 4096;

/// What a cache is made of.
#[derive(Clone, Debug)]
pub struct TeachOptions {
    model: PathBuf,
    corpus: PathBuf,
    top: usize,
    temperatures: Vec<f64>,
    precision: Precision,
    context: Option<Count>,
    eval_tokens: Option<Count>,
    eval_context: Option<Count>,
    eval_stride: Option<Count>,
    eval_convention: Convention,
}

/// A cache that is finished, or that was stopped and can be resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taught {
    rows: (u64, u64),
    row_bytes: usize,
    is_done: bool,
}

impl TeachOptions {
    /// The `top` most probable tokens that a model says at each position of a corpus.
    pub fn new(model: impl AsRef<Path>, corpus: impl AsRef<Path>, top: usize) -> Self {
        Self {
            model: model.as_ref().to_path_buf(),
            corpus: corpus.as_ref().to_path_buf(),
            top,
            temperatures: Vec::new(),
            precision: Precision::F32,
            context: None,
            eval_tokens: None,
            eval_context: None,
            eval_stride: None,
            eval_convention: Convention::Documents,
        }
    }

    /// Temperatures that runs may ask for, besides 1.
    #[must_use]
    pub fn temperatures(mut self, temperatures: &[f64]) -> Self {
        self.temperatures = temperatures.to_vec();
        self
    }

    /// What the teacher's products compute in.
    #[must_use]
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Tokens of a training window: the `context` of the runs that will read the cache.
    #[must_use]
    pub fn context(mut self, context: Option<Count>) -> Self {
        self.context = context;
        self
    }

    /// How held-out text is read: the same settings as those of the runs that will read the cache.
    #[must_use]
    pub fn evaluation(
        mut self,
        convention: Convention,
        tokens: Option<Count>,
        context: Option<Count>,
        stride: Option<Count>,
    ) -> Self {
        (self.eval_convention, self.eval_tokens) = (convention, tokens);
        (self.eval_context, self.eval_stride) = (context, stride);
        self
    }

    /// The settings of the cache, with every default filled in as a run fills it in.
    fn wanted(&self, config: &ModelConfig, corpus: &Corpus) -> Result<Wanted> {
        let size = |count: Option<Count>, default: usize| {
            count.map_or(default, |Count(number)| usize::try_from(number).unwrap_or(usize::MAX))
        };
        let longest = config.max_position_embeddings();
        let context = size(self.context, loaded::default_context(config));
        let window = size(self.eval_context, context);
        let stride = size(self.eval_stride, window);
        for (name, found) in [("context", context), ("eval_context", window)] {
            if !(1..=longest).contains(&found) {
                bail!("`{name}` is {found}, the teacher has positions for 1 to {longest} tokens");
            }
        }
        if !(1..=window).contains(&stride) {
            bail!("`eval_stride` is {stride}, expected 1 to the window of {window} tokens");
        }
        let asked = self.eval_tokens.map_or(EVAL_TOKENS, |count| count.0);
        if asked == 0 {
            bail!("`eval_tokens` is 0, expected 1 or more");
        }
        let evaluation = Evaluation {
            points: 1,
            first: Tokens(1),
            convention: self.eval_convention,
            context: window,
            stride,
            tokens: Tokens(asked.min(corpus.info().heldout().tokens())),
        };
        Ok(Wanted::new(self.top, &self.temperatures, self.precision, context, evaluation))
    }
}

impl Taught {
    /// Training and held-out positions.
    pub fn rows(&self) -> (u64, u64) {
        self.rows
    }

    /// Bytes a position.
    pub fn row_bytes(&self) -> usize {
        self.row_bytes
    }

    /// Whether the cache is finished.
    pub fn is_done(&self) -> bool {
        self.is_done
    }
}

/// Makes the cache `out`, or with `resume` goes on with one that was interrupted.
///
/// Once `stop` is requested, it ends at the next batch. Rows that stand in whole files are kept.
///
/// # Errors
/// If the teacher and the corpus do not belong together, the vocabulary is smaller than the number
/// of tokens to keep, or `out` holds anything else.
pub fn teach(
    options: &TeachOptions,
    out: &Path,
    resume: bool,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Taught> {
    let folder = loaded::open(&options.model, observer)?;
    let corpus = open_corpus(&options.corpus, &folder, observer)?;
    let config = folder.config();
    let wanted = options.wanted(config, &corpus)?;
    if config.vocab_size() < corpus.info().vocabulary() {
        bail!(
            "the teacher has a vocabulary of {}, expected at least the corpus's of {}",
            config.vocab_size(),
            corpus.info().vocabulary()
        );
    }
    let info = CacheInfo::new(&wanted, &folder.weights_hash()?, config, &corpus)?;
    if !resume && out.symlink_metadata().is_ok() {
        return Err(disk::Error::exists(out).into());
    }
    // Only what an interrupted process of ours left is gone on with.
    CACHE.check(out, disk::Existing::Replace, &[&options.model, &options.corpus])?;
    if resume && out.exists() && !out.join(PLAN).exists() {
        let cache = TeacherCache::open(out)?;
        cache.require(&info)?;
        cache.verify()?;
        observer.hear(&Event::Note(&format!("`{}` is already done", out.display())));
        let row_bytes = cache.info().row_bytes();
        return Ok(Taught { rows: cache.rows(), row_bytes, is_done: true });
    }
    corpus.verify()?;
    let protocol = Protocol::from(info.evaluation());
    let rows = (info.train_rows(&corpus), planned_rows(corpus.heldout(), &protocol));
    if rows.0 == 0 {
        bail!(
            "the corpus is shorter than one context: {} training tokens, expected more than {}",
            corpus.train().tokens(),
            info.context()
        );
    }
    let longest = info.context().max(info.evaluation().context);
    let decoder = Decoder::new(unaccounted(options.precision), config, longest)?;
    let weights = model::weights::load(&folder, model::decoder::Decoder::backend(&decoder))?;
    let writer = CacheWriter::begin(out, info)?;
    let row_bytes = writer.info().row_bytes();
    let space = decoder.workspace()?;
    let mut lecture =
        Lecture { decoder: &decoder, weights: &weights, space, writer: &writer, stop };
    let is_done = {
        observer.hear(&Event::Begun {
            stage: "teaching",
            total: rows.0 + rows.1,
            unit: "tokens",
            done: 0,
        });
        let done = lecture.train(&corpus, rows.0, observer);
        let done = match done {
            Ok(true) => lecture.heldout(&corpus, &protocol, rows, observer),
            other => other,
        };
        observer.hear(&Event::Ended);
        done?
    };
    if is_done {
        corpus.require_unchanged()?;
        writer.finish(rows.0, rows.1)?;
    }
    Ok(Taught { rows, row_bytes, is_done })
}

/// A teacher at work.
struct Lecture<'a> {
    decoder: &'a Decoder<HostMachine>,
    weights: &'a HostWeights,
    space: Workspace<HostMachine>,
    writer: &'a CacheWriter,
    stop: &'a Stop,
}

impl Lecture<'_> {
    /// The training part; false if it was stopped.
    fn train(&mut self, corpus: &Corpus, rows: u64, observer: &mut dyn Observer) -> Result<bool> {
        let mut part = self.writer.train(rows)?;
        let context = self.writer.info().context() as u64;
        // Whole windows, and whole batches from the first row that is missing.
        let mut row = part.written() / context * context;
        let per_batch = (BATCH as u64 / context).max(1) * context;
        let (mut batch, mut window) = (Batch::new(), vec![0; context as usize + 1]);
        while row < rows && !part.is_whole() {
            if self.stop.is_requested() {
                return Ok(false);
            }
            batch.clear();
            let end = rows.min(row + per_batch);
            for start in (row..end).step_by(context as usize) {
                corpus.train().read(start, &mut window)?;
                batch.push_window(&window)?;
            }
            self.write(&batch, row, &mut part)?;
            row = end;
            observer.hear(&Event::Progress { done: row, message: "" });
        }
        Ok(true)
    }

    /// The held-out part; false if it was stopped.
    fn heldout(
        &mut self,
        corpus: &Corpus,
        protocol: &Protocol,
        (before, rows): (u64, u64),
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let mut part = self.writer.heldout(rows)?;
        let (mut row, mut is_done) = (0, true);
        batches(corpus.heldout(), protocol, &mut |batch| {
            let end = row + batch.tokens().len() as u64;
            if end > part.written() && is_done {
                is_done = !self.stop.is_requested();
                if is_done {
                    self.write(batch, row, &mut part)?;
                }
            }
            row = end;
            observer.hear(&Event::Progress { done: before + row, message: "" });
            Ok::<(), Error>(())
        })?;
        Ok(is_done)
    }

    /// Writes the rows of a batch, which begin at `first`.
    fn write(&mut self, batch: &Batch, first: u64, part: &mut PartWriter<'_>) -> Result<()> {
        let info = self.writer.info();
        let (chooser, length, vocabulary) =
            (Chooser::new(info), info.row_bytes(), info.vocabulary());
        let mut row = first;
        let mut bytes = Vec::new();
        self.decoder.visit_logits(self.weights, batch, &mut self.space, &mut |logits| {
            bytes.resize(logits.len() / vocabulary * length, 0);
            logits
                .par_chunks_exact_mut(vocabulary)
                .zip(bytes.par_chunks_exact_mut(length))
                .try_for_each_init(Vec::new, |order, (logits, out)| {
                    chooser.row(logits, order, out)
                })?;
            part.push(row, &bytes)?;
            row += (logits.len() / vocabulary) as u64;
            Ok::<(), Error>(())
        })
    }
}
