//! `trainer_state.json`, as the Hugging Face Trainer writes it.

use ledger::{Curve, Point, RunSpec};
use serde::Serialize;

/// Only fields that `TrainerState` of transformers has. It refuses unknown fields and fills in
/// missing ones.
#[derive(Serialize)]
pub(crate) struct TrainerState {
    #[serde(skip_serializing_if = "Option::is_none")]
    best_global_step: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_metric: Option<f64>,
    epoch: f64,
    global_step: u64,
    is_local_process_zero: bool,
    is_world_process_zero: bool,
    log_history: Vec<Entry>,
    max_steps: u64,
    num_input_tokens_seen: u64,
    num_train_epochs: u64,
    train_batch_size: usize,
}

/// One entry of the log. The Trainer logs training and held-out loss separately, even for one step.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Train {
        epoch: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        grad_norm: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        learning_rate: Option<f64>,
        loss: f64,
        num_input_tokens_seen: u64,
        step: u64,
    },
    HeldOut {
        epoch: f64,
        eval_loss: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        eval_kl: Option<f64>,
        num_input_tokens_seen: u64,
        step: u64,
    },
}

/// The state after `points`, for a run that ends at step `max_steps`.
pub(crate) fn trainer_state(points: &[Point], spec: &RunSpec, max_steps: u64) -> TrainerState {
    let last = points.last();
    let curve = Curve::from_points(points);
    let epoch = last.and_then(|point| point.epoch).unwrap_or_default();
    TrainerState {
        best_global_step: curve.best().map(|point| point.step),
        best_metric: curve.best().map(|point| point.loss.0),
        epoch,
        global_step: last.map_or(0, |point| point.step),
        is_local_process_zero: true,
        is_world_process_zero: true,
        log_history: points.iter().flat_map(entries).collect(),
        max_steps,
        num_input_tokens_seen: last.map_or(0, |point| point.tokens.0),
        // The Trainer counts epochs that were started.
        num_train_epochs: epoch.ceil() as u64,
        train_batch_size: spec.batch,
    }
}

fn entries(point: &Point) -> impl Iterator<Item = Entry> {
    let (step, num_input_tokens_seen) = (point.step, point.tokens.0);
    // Every point of our own has one.
    let epoch = point.epoch.unwrap_or_default();
    let (grad_norm, learning_rate) = (point.grad_norm, point.learning_rate);
    let train = point.loss.map(|loss| Entry::Train {
        epoch,
        grad_norm,
        learning_rate,
        loss,
        num_input_tokens_seen,
        step,
    });
    let held_out = point.eval_loss.map(|eval_loss| Entry::HeldOut {
        epoch,
        eval_loss,
        eval_kl: point.eval_kl,
        num_input_tokens_seen,
        step,
    });
    train.into_iter().chain(held_out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample::{point, spec};

    #[test]
    fn the_state_is_what_the_trainer_writes() {
        let points = [point(0), point(1), point(2)];
        let state = serde_json::to_value(trainer_state(&points, &spec(), 10)).unwrap();
        let (loss1, loss2) = (2.0, 4.0 / 3.0);
        let expected = json!({
            "best_global_step": 2,
            "best_metric": loss2 + 0.5,
            "epoch": 0.25,
            "global_step": 2,
            "is_local_process_zero": true,
            "is_world_process_zero": true,
            "log_history": [
                {"epoch": 0.0, "eval_loss": 4.5, "num_input_tokens_seen": 0, "step": 0},
                {"epoch": 0.125, "grad_norm": 0.75, "learning_rate": 3e-4, "loss": loss1,
                 "num_input_tokens_seen": 512, "step": 1},
                {"epoch": 0.25, "grad_norm": 0.75, "learning_rate": 3e-4, "loss": loss2,
                 "num_input_tokens_seen": 1024, "step": 2},
                {"epoch": 0.25, "eval_loss": loss2 + 0.5, "num_input_tokens_seen": 1024, "step": 2},
            ],
            "max_steps": 10,
            "num_input_tokens_seen": 1024,
            "num_train_epochs": 1,
            "train_batch_size": 8,
        });
        assert_eq!(state, expected);
    }

    #[test]
    fn an_empty_curve_has_no_best_metric() {
        let state = serde_json::to_value(trainer_state(&[], &spec(), 10)).unwrap();
        assert!(state.get("best_metric").is_none());
        assert_eq!(state["log_history"], json!([]));
    }
}
