//! Records the trainer's events in the run folder, and shows them.

use std::path::PathBuf;

use ledger::{Curve, Point, RunSpec};
use store::RunWriter;
use train::Event;

use crate::error::Result;
use crate::observer::{self, Observer};
use ledger::count::grouped;

/// Checkpoints that are kept, besides the one with the least held-out loss: the last one, and one
/// more in case the last is damaged.
const KEPT: usize = 2;

/// Records the trainer's events in the run folder, and shows them.
pub(super) struct Scribe<'a> {
    writer: &'a mut RunWriter,
    /// Whether the curve already has the point before the first step.
    begun: bool,
    held_out: Option<f64>,
    tokens_per_step: u64,
    /// The step of the least held-out loss so far, and the loss.
    best: Option<(u64, f64)>,
    observer: &'a mut dyn Observer,
}

impl<'a> Scribe<'a> {
    pub(super) fn new(
        writer: &'a mut RunWriter,
        spec: &RunSpec,
        observer: &'a mut dyn Observer,
    ) -> Result<Self> {
        let points = writer.points()?;
        let tokens_per_step = train::milestones::tokens_per_step(spec);
        let held_out = points.iter().rev().find_map(|point| point.eval_loss);
        let best = Curve::from_points(&points).best().map(|point| (point.step, point.loss.0));
        Ok(Self { writer, begun: !points.is_empty(), held_out, tokens_per_step, best, observer })
    }

    pub(super) fn hear(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Started { step, steps } => {
                let version = crate::VERSION;
                self.writer.log(&format!("regrow {version}: step {step} of {steps}"))?;
                self.observer.hear(&observer::Event::Begun {
                    stage: "training",
                    total: steps * self.tokens_per_step,
                    unit: "tokens",
                    done: step * self.tokens_per_step,
                });
                if *step > 0 {
                    self.note(&format!(
                        "resuming after step {} of {}",
                        grouped(*step),
                        grouped(*steps)
                    ));
                }
            }
            Event::Evaluating { .. } => {}
            Event::Point(point) => self.point(point)?,
            Event::SecondEpoch { step } => {
                let text = format!("from step {step} on, text is read a second time");
                self.writer.log(&text)?;
                self.note(&text);
            }
            // Before each checkpoint, so that no checkpoint is ever newer than the curve on disk.
            Event::Saving { .. } => self.writer.sync()?,
            Event::Saved { step, .. } => {
                self.writer.log(&format!("saved after step {step}"))?;
                self.tidy(*step)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, text: &str) {
        self.observer.hear(&observer::Event::Note(text));
    }

    fn point(&mut self, point: &Point) -> Result<()> {
        // The trainer measures step 0 again when it restarts from the beginning.
        if point.step > 0 || !self.begun {
            self.writer.append(point)?;
        }
        if let Some(loss) = point.eval_loss {
            self.held_out = Some(loss);
            if self.best.is_none_or(|(_, best)| loss < best) {
                self.best = Some((point.step, loss));
            }
            let text = in_words(point);
            self.writer.log(&text)?;
            self.note(&text);
        }
        let held_out = self.held_out.map_or_else(String::new, |loss| format!("held-out {loss:.4}"));
        let message = progress(point, &held_out);
        self.observer.hear(&observer::Event::Measured(point));
        self.observer.hear(&observer::Event::Progress { done: point.tokens.0, message: &message });
        Ok(())
    }

    /// Removes the checkpoints that are no longer needed after `step`. Checkpoints of later steps
    /// could not be used for the resume, so they are removed too.
    fn tidy(&mut self, step: u64) -> Result<()> {
        // Sorted by step, so the last `KEPT` of these are the newest.
        let (so_far, mut gone): (Vec<_>, Vec<_>) =
            self.writer.checkpoints()?.into_iter().partition(|(of, _)| *of <= step);
        let old = &so_far[..so_far.len().saturating_sub(KEPT)];
        let best = self.best.map(|(step, _)| step);
        gone.extend(old.iter().filter(|(of, _)| Some(*of) != best).cloned());
        self.remove(&gone);
        Ok(())
    }

    /// Removes checkpoints. A failure is only a warning: a checkpoint that stays takes disk space
    /// and does no other harm.
    fn remove(&mut self, checkpoints: &[(u64, PathBuf)]) {
        for (_, path) in checkpoints {
            if let Err(error) = std::fs::remove_dir_all(path) {
                let text = format!("`{}` cannot be removed: {error}", path.display());
                self.observer.hear(&observer::Event::Warning(&text));
            }
        }
    }
}

impl Drop for Scribe<'_> {
    fn drop(&mut self) {
        self.observer.hear(&observer::Event::Ended);
    }
}

/// What progress says at a point, beside the last held-out loss.
pub(super) fn progress(point: &Point, held_out: &str) -> String {
    match (point.loss, point.tokens_per_second) {
        (Some(loss), Some(speed)) => {
            format!("loss {loss:.4}  {held_out}  {} tokens/s", grouped(speed.round() as u64))
        }
        _ => held_out.to_owned(),
    }
}

fn in_words(point: &Point) -> String {
    let number = |name: &str, number: Option<f64>| {
        number.map_or_else(String::new, |number| format!("  {name} {number:.4}"))
    };
    format!(
        "step {}  tokens {}{}{}",
        grouped(point.step),
        grouped(point.tokens.0),
        number("loss", point.loss),
        number("held-out", point.eval_loss)
    )
}
