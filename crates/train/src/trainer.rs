//! The training loop.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use ledger::{EarlierRun, Phase, Point, RunSpec, Tokens};
use model::backend::{Backend, Mixture};
use model::batch::Batch;
use model::decoder::{Decoder, GradientTarget};
use model::evaluate::{Protocol, evaluate, evaluate_against, planned_tokens};
use model::mask::Masks;
use model::teacher::Teacher;
use model::workspace::Workspace;
use text::Corpus;

use crate::checkpoint::{self, Moment, ids};
use crate::error::{BoxError, Error, Result};
use crate::event::Event;
use crate::limit::Limit;
use crate::order::Order;
use crate::{Optimizer, milestones, schedule};

/// A held-out loss is a divergence above this many times the first one, or what guessing gives.
const DIVERGED: f64 = 2.0;

/// A training run to carry out.
pub struct Job<'a> {
    /// Everything that decides the result.
    pub spec: &'a RunSpec,
    /// The text.
    pub corpus: &'a Corpus,
    /// The weights that stay zero.
    pub masks: &'a Masks,
    /// Keep only the input of every block, and recompute the rest in the backward pass. This needs
    /// less memory and gives the same numbers.
    pub recompute: bool,
    /// Steps between two checkpoints. Another one is written whenever the held-out loss is the
    /// lowest so far. With `None`, a checkpoint is written only when the run stops.
    pub save_every: Option<u64>,
    /// The lowest held-out loss so far, if the run resumes.
    pub best: Option<f64>,
    /// The held-out loss before the first step, if the run resumes.
    pub first: Option<f64>,
    /// The time by which the run must have saved and stopped.
    pub limit: Option<Instant>,
    /// The folder for the checkpoint of a step.
    pub checkpoint: &'a (dyn Fn(u64) -> PathBuf + Sync),
    /// What the run was before it was extended, oldest first. It keeps its evaluations and its
    /// checkpoints from then.
    pub earlier: &'a [EarlierRun],
    /// Write a checkpoint of the end too, from which the run can be extended.
    pub keep_end: bool,
    /// Asked after a held-out point, once the listener has heard it: whether the run ends there.
    /// The argument is the step.
    pub is_enough: Option<&'a IsEnough<'a>>,
}

/// Whether a run ends after this step, before all tokens of its spec.
pub type IsEnough<'a> = dyn Fn(u64) -> Result<bool, BoxError> + Sync + 'a;

/// Where a run starts.
pub enum Begin<B: Backend> {
    /// At its first step, from these weights.
    Weights(B::Weights),
    /// After a step, from the checkpoint of that step.
    Checkpoint {
        /// Its folder.
        path: PathBuf,
        /// Steps taken.
        step: u64,
    },
}

/// How a run ended.
pub enum Outcome<B: Backend> {
    /// All tokens were seen, or fewer were enough.
    Finished {
        /// The healed weights, in the layout's order.
        weights: B::Weights,
        /// Steps taken.
        steps: u64,
        /// Seconds of training, without evaluations and interruptions.
        seconds: f64,
    },
    /// The run was asked to stop, and has saved a checkpoint.
    Interrupted {
        /// Steps taken.
        step: u64,
        /// Why it stopped.
        why: Why,
    },
}

/// Why a run stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The caller set the stop flag.
    Stop,
    /// The time is over, or would be over after another step and a checkpoint.
    Limit,
}

/// A teacher, for a run whose objective has one.
pub struct Lessons<'a, B: Backend> {
    /// What it says about training text.
    training: Teacher<'a, B>,
    /// What it says about held-out text, in full precision. Without it, no divergence is recorded.
    heldout: Option<Teacher<'a, B>>,
}

impl<'a, B: Backend> Lessons<'a, B> {
    /// A teacher of training text, and the same of held-out text in full precision.
    pub fn new(training: Teacher<'a, B>, heldout: Option<Teacher<'a, B>>) -> Self {
        Lessons { training, heldout }
    }
}

/// Receives every event. If it returns an error, the run ends.
pub type Listener<'a> = dyn FnMut(&Event) -> Result<(), BoxError> + Send + 'a;

/// Trains until all tokens of the spec are seen, or `stop` is set.
///
/// The result depends only on the spec, the corpus and the initial weights. It does not depend on
/// the number of threads or on how often the run is interrupted.
///
/// # Errors
/// If a setting is impossible, a file or the listener fails, the loss is not finite or has
/// diverged, or the corpus changes meanwhile.
///
/// # Panics
/// If the objective has a teacher: see the function that takes one.
pub fn train<B: Backend>(
    decoder: &Decoder<B>,
    begin: Begin<B>,
    job: &Job<'_>,
    stop: &AtomicBool,
    listener: &mut Listener<'_>,
) -> Result<Outcome<B>> {
    train_against(decoder, begin, None, job, stop, listener)
}

/// As [`train`], with the teacher that the objective of the spec names.
///
/// # Errors
/// Those of [`train`], and if the teacher does not fit the model.
///
/// # Panics
/// If the objective has a teacher and none is given, or the other way round.
pub fn train_against<B: Backend>(
    decoder: &Decoder<B>,
    begin: Begin<B>,
    lessons: Option<Lessons<'_, B>>,
    job: &Job<'_>,
    stop: &AtomicBool,
    listener: &mut Listener<'_>,
) -> Result<Outcome<B>> {
    milestones::check(job.spec)?;
    let has_teacher = job.spec.objective.teacher().is_some();
    assert_eq!(lessons.is_some(), has_teacher, "a teacher is given if the objective has one");
    let fresh = matches!(begin, Begin::Weights(_));
    let mut run = TrainingLoop::new(decoder, begin, lessons, job)?;
    let (steps, evaluations) =
        (milestones::steps(job.spec), milestones::extended(job.spec, job.earlier));
    // A run that was extended is not asked again about the step where it ended before.
    let ended_before = job.earlier.last().map_or(0, |earlier| earlier.steps);
    let is_enough = |step: u64| match job.is_enough {
        Some(ask) if step > ended_before && step < steps && evaluations.contains(&step) => {
            ask(step).map_err(Error::Listener)
        }
        _ => Ok(false),
    };
    let mut tell = |event| listener(&event).map_err(Error::Listener);
    tell(Event::Started { step: run.optimizer.steps(), steps })?;
    // Point 0 of the curve is the loss before any training.
    if fresh {
        let mut point = Point::new(0, Tokens(0), 0.0, Phase::Warmup);
        run.evaluate(&mut point, &mut tell)?;
        run.first = point.eval_loss;
        run.is_best(&point);
        tell(Event::Point(point))?;
    }
    // A run that was killed after it was told to end is told so again.
    let mut enough = !fresh && is_enough(run.optimizer.steps())?;
    while !enough && run.optimizer.steps() < steps {
        let step = run.optimizer.steps();
        let stopped = stop.load(Ordering::Relaxed).then_some(Why::Stop);
        let evaluates = evaluations.binary_search(&(step + 1)).is_ok();
        if let Some(why) = stopped.or_else(|| run.limit.is_reached(evaluates).then_some(Why::Limit))
        {
            // The latest checkpoint may already be of this step.
            if run.saved != Some(step) {
                run.save(&mut tell)?;
            }
            return Ok(Outcome::Interrupted { step, why });
        }
        let mut point = run.step(&mut tell)?;
        if evaluates {
            run.evaluate(&mut point, &mut tell)?;
        }
        let (better, diverged) = (run.is_best(&point), run.diverged(&point));
        tell(Event::Point(point))?;
        // After the point, so that the curve shows what happened.
        if let Some(error) = diverged {
            return Err(error);
        }
        let begin = Instant::now();
        enough = evaluates && is_enough(step + 1)?;
        if evaluates {
            // An answer takes as long as the question, and belongs to the evaluation.
            run.limit.answered(begin.elapsed());
        }
        if let Some(every) = job.save_every {
            run.due = better || (step + 1).is_multiple_of(every.max(1)) || run.limit.wants_a_save();
        }
    }
    let steps = run.optimizer.steps();
    if job.keep_end && run.saved != Some(steps) {
        run.save(&mut tell)?;
    }
    Ok(Outcome::Finished { weights: run.weights, steps, seconds: run.seconds })
}

struct TrainingLoop<'a, B: Backend> {
    decoder: &'a Decoder<B>,
    job: &'a Job<'a>,
    order: Order<'a>,
    weights: B::Weights,
    gradients: B::Buffer,
    optimizer: Optimizer<B>,
    space: Workspace<B>,
    /// Computes held-out loss in full precision, whatever precision the run trains in, so that
    /// losses of any two runs can be compared.
    evaluator: Decoder<B>,
    /// Separate from `space`, because every block of `space` would otherwise grow to the size of
    /// the evaluation batches.
    evaluation_space: Workspace<B>,
    lessons: Option<Lessons<'a, B>>,
    seconds: f64,
    best: Option<f64>,
    /// The held-out loss before the first step.
    first: Option<f64>,
    /// The step of the latest checkpoint.
    saved: Option<u64>,
    /// Whether the next step also writes a checkpoint, while it computes gradients.
    due: bool,
    limit: Limit,
}

type Tell<'a> = dyn FnMut(Event) -> Result<()> + 'a;

impl<'a, B: Backend> TrainingLoop<'a, B> {
    fn new(
        decoder: &'a Decoder<B>,
        begin: Begin<B>,
        lessons: Option<Lessons<'a, B>>,
        job: &'a Job<'a>,
    ) -> Result<Self> {
        let (backend, layout, spec) = (decoder.backend(), decoder.layout(), job.spec);
        let order = Order::new(job.corpus.train(), spec.context, spec.seed)?;
        let mut optimizer = Optimizer::new(backend, layout, &spec.optimizer)?;
        let (weights, seconds, saved) = match begin {
            Begin::Weights(weights) => (weights, 0.0, None),
            Begin::Checkpoint { path, step } => {
                let mut weights = backend.allocate_weights(layout.elements())?;
                let ids = ids(spec, job.earlier);
                let state =
                    checkpoint::load(&path, decoder, &mut weights, &mut optimizer, (&ids, step))?;
                (weights, state.seconds, Some(step))
            }
        };
        Ok(TrainingLoop {
            decoder,
            job,
            order,
            weights,
            gradients: backend.allocate(layout.elements())?,
            optimizer,
            space: if job.recompute {
                decoder.recomputing_workspace()?
            } else {
                decoder.workspace()?
            },
            evaluator: decoder.in_full_precision()?,
            evaluation_space: decoder.workspace()?,
            lessons,
            seconds,
            best: job.best,
            first: job.first,
            saved,
            due: false,
            limit: Limit::new(job.limit, layout.elements()),
        })
    }

    /// One optimiser step. The gradients of its micro-batches add up. If a checkpoint is due, it is
    /// written at the same time.
    fn step(&mut self, tell: &mut Tell<'_>) -> Result<Point> {
        let begin = Instant::now();
        let (spec, backend) = (self.job.spec, self.decoder.backend());
        let tokens = milestones::tokens_per_step(spec);
        let seen = Tokens(self.optimizer.steps() * tokens);
        let (share, phase) = schedule::at(
            &spec.schedule,
            seen,
            Tokens(tokens),
            Tokens(milestones::steps(spec) * tokens),
        );
        let learning_rate = spec.optimizer.learning_rate * share;

        let first = self.optimizer.steps() * spec.batch as u64;
        let (nats, waited) = if self.due {
            self.gradients_and_save(first, tell)?
        } else {
            (self.gradients(first)?, 0.0)
        };
        // Before the norm: gradients of pruned weights must not count when gradients are clipped.
        self.job.masks.apply(backend, &self.weights, &mut self.gradients)?;
        let loss = nats / tokens as f64;
        let norm = self.optimizer.norm(backend, &self.gradients)?;
        let number = self.optimizer.steps() + 1;
        for (what, found) in [("loss", loss), ("gradient norm", norm)] {
            if !found.is_finite() {
                let (gradient, tensor) = self.largest_gradient()?;
                return Err(Error::NotFinite {
                    what,
                    found,
                    step: number,
                    learning_rate,
                    gradient,
                    tensor,
                });
            }
        }
        self.optimizer.step(backend, &mut self.weights, &self.gradients, norm, learning_rate)?;
        // Waiting for the disk is not training time. The limit below counts it, since time passes
        // anyway.
        let elapsed = begin.elapsed().as_secs_f64() - waited;
        self.seconds += elapsed;
        self.limit.stepped(begin.elapsed());

        let read = first + spec.batch as u64;
        let repeated = read > self.order.epoch_length();
        // True for one step only, so the event is sent once.
        if repeated && first <= self.order.epoch_length() {
            tell(Event::SecondEpoch { step: number })?;
        }
        let epoch = read as f64 / self.order.epoch_length() as f64;
        let mut point = Point::new(number, Tokens(seen.0 + tokens), epoch, phase);
        point.loss = Some(loss);
        point.learning_rate = Some(learning_rate);
        point.grad_norm = Some(norm);
        point.tokens_per_second = Some(tokens as f64 / elapsed);
        point.repeated = repeated;
        Ok(point)
    }

    /// Computes the gradients of the batch that begins with sequence `first`, and returns the sum
    /// of its losses.
    fn gradients(&mut self, first: u64) -> Result<f64> {
        let Self { decoder, job, order, weights, gradients, space, lessons, .. } = self;
        let text = (order, lessons.as_mut().map(|lessons| &mut lessons.training));
        gradients_of(decoder, job.spec, text, weights, gradients, space, first)
    }

    /// As `gradients`, while a second thread writes the checkpoint of this step. Also returns the
    /// seconds that the step then waited for the writer.
    fn gradients_and_save(&mut self, first: u64, tell: &mut Tell<'_>) -> Result<(f64, f64)> {
        let step = self.optimizer.steps();
        tell(Event::Saving { step })?;
        let path = (self.job.checkpoint)(step);
        let Self {
            decoder,
            job,
            order,
            weights,
            gradients,
            optimizer,
            space,
            lessons,
            seconds,
            ..
        } = self;
        let text = (order, lessons.as_mut().map(|lessons| &mut lessons.training));
        let (decoder, weights, optimizer): (_, &B::Weights, &Optimizer<B>) =
            (decoder, weights, optimizer);
        let id = job.spec.id();
        let moment = Moment { decoder, weights, optimizer, id: &id, seconds: *seconds };
        let (found, waited, written, took) = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let begin = Instant::now();
                (checkpoint::save(&path, &moment), begin.elapsed())
            });
            let found = gradients_of(decoder, job.spec, text, weights, gradients, space, first);
            let begin = Instant::now();
            let (written, took) =
                // A panic of the writer goes on in this thread.
                writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (found, begin.elapsed().as_secs_f64(), written, took)
        });
        self.written(written, took)?;
        tell(Event::Saved { step, path })?;
        Ok((found?, waited))
    }

    /// Whether a point has the lowest held-out loss so far; if so, notes it.
    fn is_best(&mut self, point: &Point) -> bool {
        let better = point.eval_loss.filter(|&loss| self.best.is_none_or(|best| loss < best));
        self.best = better.or(self.best);
        better.is_some()
    }

    /// The error of a point whose held-out loss is far above both the first one and what guessing
    /// gives. Early in a run, a loss may well rise for a while.
    fn diverged(&self, point: &Point) -> Option<Error> {
        let found = point.eval_loss?;
        // Guessing every token of the vocabulary alike gives the logarithm of its size.
        let guessing = (self.decoder.config().vocab_size() as f64).ln();
        let most = DIVERGED * self.first.unwrap_or(0.0).max(guessing);
        let learning_rate = point.learning_rate.unwrap_or_default();
        (found > most).then_some(Error::Diverged { found, most, step: point.step, learning_rate })
    }

    /// Measures the held-out loss of a point, and the divergence from a teacher.
    fn evaluate(&mut self, point: &mut Point, tell: &mut Tell<'_>) -> Result<()> {
        let begin = Instant::now();
        let protocol = Protocol::from(&self.job.spec.evaluation);
        let part = self.job.corpus.heldout();
        let of = planned_tokens(part, &protocol);
        let mut heard = Ok(());
        let space = &mut self.evaluation_space;
        let mut hear = |tokens| {
            if heard.is_ok() {
                // The callback cannot return an error, so the first one is kept for after the
                // evaluation.
                heard = tell(Event::Evaluating { tokens, of });
            }
        };
        let (decoder, weights) = (&self.evaluator, &self.weights);
        let (found, divergence) =
            match self.lessons.as_mut().and_then(|lessons| lessons.heldout.as_mut()) {
                None => (evaluate(decoder, weights, space, part, &protocol, &mut hear)?, None),
                Some(teacher) => {
                    let sides = (weights, teacher);
                    let (found, divergence) =
                        evaluate_against(decoder, sides, space, part, &protocol, &mut hear)?;
                    (found, Some(divergence.0))
                }
            };
        heard?;
        self.limit.evaluated(begin.elapsed());
        // A loss of other text than the record names would spoil a law without a sign.
        self.job.corpus.require_unchanged()?;
        let loss = found.loss().0;
        let measured = [("held-out loss", Some(loss)), ("held-out divergence", divergence)];
        for (what, found) in measured {
            if let Some(found) = found.filter(|found| !found.is_finite()) {
                let step = self.optimizer.steps();
                let (gradient, tensor) = self.largest_gradient()?;
                let learning_rate = self.job.spec.optimizer.learning_rate;
                return Err(Error::NotFinite {
                    what,
                    found,
                    step,
                    learning_rate,
                    gradient,
                    tensor,
                });
            }
        }
        (point.eval_loss, point.eval_kl) = (Some(loss), divergence);
        Ok(())
    }

    fn save(&mut self, tell: &mut Tell<'_>) -> Result<()> {
        let step = self.optimizer.steps();
        tell(Event::Saving { step })?;
        let (path, id, begin) = ((self.job.checkpoint)(step), self.job.spec.id(), Instant::now());
        let Self { decoder, weights, optimizer, seconds, .. } = self;
        let moment = Moment { decoder, weights, optimizer, id: &id, seconds: *seconds };
        let written = checkpoint::save(&path, &moment);
        self.written(written, begin.elapsed())?;
        tell(Event::Saved { step, path })
    }

    /// Notes that the checkpoint of this step is complete, or turns weights that are not finite
    /// into an error.
    fn written(&mut self, written: Result<()>, took: std::time::Duration) -> Result<()> {
        let step = self.optimizer.steps();
        match written {
            // The loss was finite, but the last step left weights that are not.
            Err(Error::Model(error)) => {
                let Some((tensor, value)) = error.not_storable() else { return Err(error.into()) };
                Err(Error::NotFinite {
                    what: "weight",
                    found: f64::from(value),
                    step,
                    learning_rate: self.job.spec.optimizer.learning_rate,
                    gradient: self.largest_gradient()?.0,
                    tensor: tensor.to_owned(),
                })
            }
            Err(error) => Err(error),
            Ok(()) => {
                self.limit.saved(took);
                (self.saved, self.due) = (Some(step), false);
                Ok(())
            }
        }
    }

    /// The largest absolute gradient and its tensor. NaN counts as larger than any number.
    fn largest_gradient(&self) -> Result<(f64, String)> {
        let mut largest = (0.0_f64, String::new());
        let mut values = Vec::new();
        for (tensor, offset) in self.decoder.layout().tensors() {
            values.resize(tensor.len(), 0.0);
            self.decoder.backend().download(&self.gradients, *offset, &mut values)?;
            for value in values.iter().map(|value| f64::from(value.abs())) {
                if value.is_nan() {
                    return Ok((value, tensor.name.clone()));
                }
                if value > largest.0 || largest.1.is_empty() {
                    largest = (value, tensor.name.clone());
                }
            }
        }
        Ok(largest)
    }
}

/// Computes the gradients of the batch that begins with sequence `first`, and returns the sum of
/// its losses.
fn gradients_of<B: Backend>(
    decoder: &Decoder<B>,
    spec: &RunSpec,
    (order, mut teacher): (&mut Order<'_>, Option<&mut Teacher<'_, B>>),
    weights: &B::Weights,
    gradients: &mut B::Buffer,
    space: &mut Workspace<B>,
    first: u64,
) -> Result<f64> {
    let (mut batch, mut window, mut nats) = (Batch::new(), Vec::new(), 0.0);
    let mut rows = Vec::new();
    for start in (0..spec.batch).step_by(spec.micro_batch) {
        batch.clear();
        rows.clear();
        for sequence in start..spec.batch.min(start + spec.micro_batch) {
            order.read(first + sequence as u64, &mut window)?;
            batch.push_window(&window)?;
            rows.push(order.rows(first + sequence as u64));
        }
        // Divides by the tokens of the whole step, so that micro-batches add up to the mean.
        let scale = 1.0 / milestones::tokens_per_step(spec) as f64;
        let target = GradientTarget::new(&mut *gradients, start > 0);
        nats += match &mut teacher {
            None => decoder.gradients(weights, &batch, scale, target, space)?,
            Some(teacher) => {
                let (weight, temperature) = (spec.objective.weight(), spec.objective.temperature());
                let mut lesson = teacher.training(&rows, temperature)?;
                let taught = (&mut lesson, Mixture::new(weight, temperature));
                decoder.taught_gradients(weights, &batch, taught, scale, target, space)?
            }
        };
    }
    Ok(nats)
}
