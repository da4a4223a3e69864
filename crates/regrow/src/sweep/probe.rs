//! How fast this machine trains a model: a few steps on made-up text.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ledger::{Precision, RunSpec};
use model::backend::Backend;
use model::backend::cpu::Cpu;
use model::batch::Batch;
use model::decoder::{Decoder, GradientTarget};
use shape::config::ModelConfig;
use shape::count::Count;
use train::Optimizer;

use crate::error::{Error, Result};

/// How long the steps of one probe are timed at least, and how many steps at most.
const LONG_ENOUGH: Duration = Duration::from_millis(400);
const MOST_STEPS: usize = 50;

/// A step that would take longer than this at [`SLOW`] is not tried.
const PATIENCE: f64 = 5.0;

/// Operations a second of a slow core.
const SLOW: f64 = 5e9;

/// What decides the seconds of an operation: width, inner width, window, sequences at a time,
/// precision and threads.
type Kind = (usize, usize, usize, usize, bool, usize);

/// Probes each kind of training once.
#[derive(Debug, Default)]
pub(super) struct Prober {
    known: BTreeMap<Kind, Option<f64>>,
}

impl Prober {
    /// Seconds of one operation of training this model, of the operations that
    /// `training_flops_per_token` counts. `None` where a step takes too long, or more than half of
    /// the free memory.
    pub(super) fn seconds_per_operation(
        &mut self,
        config: &ModelConfig,
        spec: &RunSpec,
        threads: usize,
        memory: u64,
    ) -> Result<Option<f64>> {
        let bf16 = spec.precision == Precision::Bf16;
        let (hidden, inner) = (config.hidden_size(), config.intermediate_size());
        let kind = (hidden, inner, spec.context, spec.micro_batch, bf16, threads);
        if let Some(known) = self.known.get(&kind) {
            return Ok(*known);
        }
        let operations = Count::of(config).training_flops_per_token() as f64;
        let too_long = operations * (spec.micro_batch * spec.context) as f64 / SLOW > PATIENCE;
        let fits = crate::free::memory().is_none_or(|free| memory < free / 2);
        let found = match fits && !too_long {
            true => {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(threads)
                    .build()
                    .map_err(|error| Error::msg(format!("threads cannot be started: {error}")))?;
                Some(pool.install(|| seconds_per_token(config, spec))? / operations)
            }
            false => None,
        };
        self.known.insert(kind, found);
        Ok(found)
    }
}

/// Seconds of training a token, the median over some steps of one micro-batch. The optimiser's part
/// is shared by all micro-batches of a batch.
fn seconds_per_token(config: &ModelConfig, spec: &RunSpec) -> Result<f64> {
    let decoder = Decoder::new(Cpu::<f32>::with(spec.precision), config, spec.context)?;
    let backend = decoder.backend();
    let elements = decoder.layout().elements();
    let mut weights = backend.allocate(elements)?;
    backend.upload(&model::weights::initial(config, 1), &mut weights, 0)?;
    let mut gradients = backend.allocate(elements)?;
    let mut space = decoder.workspace()?;
    let mut optimizer = Optimizer::new(backend, decoder.layout(), &spec.optimizer)?;
    let mut batch = Batch::new();
    for number in 0..spec.micro_batch {
        // Which tokens they are hardly matters; they come from all over the vocabulary.
        let token = |at: usize| (number * 7919 + at * 104_729) % config.vocab_size();
        let window: Vec<u32> = (0..=spec.context).map(|at| token(at) as u32).collect();
        batch.push_window(&window)?;
    }
    let (mut products, mut updates) = (Vec::new(), Vec::new());
    let mut begun = Instant::now();
    // The first step allocates, and is not counted.
    while products.len() < 2 || (begun.elapsed() < LONG_ENOUGH && products.len() < MOST_STEPS) {
        if products.len() == 1 {
            begun = Instant::now();
        }
        let start = Instant::now();
        let target = GradientTarget::new(&mut gradients, false);
        decoder.gradients(&weights, &batch, 1e-3, target, &mut space)?;
        products.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let norm = optimizer.norm(backend, &gradients)?;
        optimizer.step(backend, &mut weights, &gradients, norm, 1e-5)?;
        updates.push(start.elapsed().as_secs_f64());
    }
    let median = |mut times: Vec<f64>| {
        times.remove(0);
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (product, update) = (median(products), median(updates));
    let of_batch = (spec.micro_batch * spec.context) as f64;
    Ok(product / of_batch + update / (spec.batch.max(spec.micro_batch) * spec.context) as f64)
}
