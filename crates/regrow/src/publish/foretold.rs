//! What a law expected of a run, beside what was measured.

use law::levels::Subject;
use law::{GroupLaw, Law, Place};
use ledger::Done;
use serde::Serialize;
use store::RunFolder;

use crate::error::{Result, bail};

/// What a law expected of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Foretold {
    /// Whether the law was fitted to this very run: then it foretold nothing.
    fitted_to_it: bool,
    /// Whether the law has seen the model before pruning.
    base_seen: bool,
    /// Held-out loss, nats per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<f64>,
    /// Where a measured point is expected with the probability `level`, nats per token.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<[f64; 2]>,
    level: f64,
    measured: f64,
    sentence: String,
}

impl Foretold {
    /// Asks the law about the end of a run that is done; `name` is that of the run's folder.
    pub(super) fn of(law: &Law, run: &RunFolder, name: &str, done: &Done) -> Result<Self> {
        let group = group_of(law, run)?;
        let tokens = done.tokens().0 as f64;
        let fitted_to_it = group.place_of(name).is_ok();
        let base_seen = group.levels().is_some_and(|levels| knows(levels.bases(), run));
        let place = place_of(run)?;
        let found = match (fitted_to_it, base_seen) {
            (true, _) => group.predict_run(name, tokens)?,
            (false, true) => group.predict_base(run.record().base(), place, tokens)?,
            (false, false) => group.predict(place, tokens)?,
        };
        Ok(Self {
            fitted_to_it,
            base_seen,
            loss: found.loss(),
            interval: found.new_run(),
            level: found.level(),
            measured: measured(done),
            sentence: found.sentence().to_owned(),
        })
    }

    /// Whether the law was fitted to this very run.
    pub fn fitted_to_it(&self) -> bool {
        self.fitted_to_it
    }

    /// What the law says, in words.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// Expected held-out loss, nats per token; `None` where the law cannot tell one number.
    pub fn loss(&self) -> Option<f64> {
        self.loss
    }

    /// Where a measured point is expected, nats per token.
    pub fn interval(&self) -> Option<[f64; 2]> {
        self.interval
    }

    /// The probability of the interval.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Whether the measured loss lies in the interval.
    pub fn holds(&self) -> Option<bool> {
        self.interval.map(|[low, high]| (low..=high).contains(&self.measured))
    }

    /// What the law's curve for this run is asked with. A curve that was fitted to the run is drawn
    /// as its base's.
    pub(super) fn curve<'a>(
        &self,
        law: &'a Law,
        run: &'a RunFolder,
    ) -> Option<(&'a GroupLaw, Subject<'a>, Place)> {
        let subject = match self.base_seen {
            true => Subject::KnownBase(run.record().base()),
            false => Subject::NewBase,
        };
        Some((group_of(law, run).ok()?, subject, place_of(run).ok()?))
    }
}

fn group_of<'a>(law: &'a Law, run: &RunFolder) -> Result<&'a GroupLaw> {
    let record = run.record();
    let objective = run.spec().objective.name();
    Ok(law.group_for(Some(record.series()), Some(record.method()), Some(objective))?)
}

fn knows(bases: &[String], run: &RunFolder) -> bool {
    bases.iter().any(|base| base == run.record().base())
}

fn place_of(run: &RunFolder) -> Result<Place> {
    let record = run.record();
    let Some(loss0) = record.loss0() else {
        bail!(
            "`{}` does not know the loss before pruning, and a law needs it",
            run.path().display()
        );
    };
    Ok(Place::new(record.n0().0 as f64, record.rate().get(), loss0.0)?)
}

/// The held-out loss of the model as it is written, nats per token.
pub(super) fn measured(done: &Done) -> f64 {
    done.written_loss().unwrap_or(done.eval_loss()).0
}
