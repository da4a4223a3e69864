//! What was known when a run began, and how it ended.

use serde::{Deserialize, Serialize};

use crate::curve::Phase;
use crate::finite;
use crate::format::Format;
use crate::spec::Start;
use crate::units::{Nats, Params, Rate, Tokens};

/// What `record.json` holds, written at the start of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The format of the file.
    pub format: Format<1>,
    /// The id of the run's [`crate::RunSpec`].
    pub id: String,
    /// The model series.
    pub series: String,
    /// The pruning method; `none` for controls and training from scratch.
    pub method: String,
    /// The name of the model before pruning.
    pub base: String,
    /// Parameters before pruning.
    pub n0: Params,
    /// Parameters of the model that is trained.
    pub parameters: Params,
    /// The realised pruning rate.
    pub rate: Rate,
    /// The realised pruning rate, embeddings aside.
    pub rate_without_embedding: Rate,
    /// Held-out loss of the model before pruning, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss0: Option<Nats>,
    /// The phase of the learning rate in which that model was left, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss0_phase: Option<Phase>,
    /// SHA-256 of the training text.
    pub corpus: String,
    /// SHA-256 of the held-out text.
    pub heldout: String,
    /// SHA-256 of the tokenizer.
    pub tokenizer: String,
    /// What the run starts from.
    pub start: Start,
    /// The seed.
    pub seed: u64,
    /// What ran it.
    pub provenance: Provenance,
}

/// What ran a run: explains a difference, decides nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of regrow.
    pub regrow: String,
    /// The model of the CPU.
    pub machine: String,
    /// How many threads worked.
    pub threads: usize,
    /// The arithmetic kernel that was chosen.
    pub kernel: String,
}

/// What `done.json` holds, written last: its presence says that the run is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The format of the file.
    pub format: Format<1>,
    /// Optimiser steps taken.
    pub steps: u64,
    /// Training tokens seen.
    pub tokens: Tokens,
    /// Held-out loss before the first step: of the freshly pruned model, if it was pruned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_pruned: Option<Nats>,
    /// Held-out loss after the last step.
    pub eval_loss: Nats,
    /// The least held-out loss on the way.
    pub best_eval_loss: Nats,
    /// What the last quarter of the tokens took off the held-out loss; unknown where no point lies
    /// before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_quarter: Option<Nats>,
    /// What the last doubling of the tokens took off the held-out loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_doubling: Option<Nats>,
    /// Time that training took, interruptions aside.
    #[serde(with = "finite")]
    pub seconds: f64,
    /// Speed, held-out evaluation aside.
    #[serde(with = "finite")]
    pub tokens_per_second: f64,
    /// SHA-256 of the final weights.
    pub weights: String,
}

impl RunRecord {
    /// The format that this version writes and reads.
    pub const FORMAT: Format<1> = Format;
}

impl Done {
    /// The format that this version writes and reads.
    pub const FORMAT: Format<1> = Format;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> RunRecord {
        RunRecord {
            format: RunRecord::FORMAT,
            id: "0123456789abcdef".into(),
            series: "stories".into(),
            method: "none".into(),
            base: "stories260K".into(),
            n0: Params(260_032),
            parameters: Params(260_032),
            rate: Rate::NONE,
            rate_without_embedding: Rate::NONE,
            loss0: None,
            loss0_phase: None,
            corpus: "a".into(),
            heldout: "b".into(),
            tokenizer: "c".into(),
            start: Start::Weights { hash: "d".into(), sparsity: None },
            seed: 7,
            provenance: Provenance {
                regrow: "0.1.0".into(),
                machine: "any".into(),
                threads: 2,
                kernel: "f32".into(),
            },
        }
    }

    fn done() -> Done {
        Done {
            format: Done::FORMAT,
            steps: 10,
            tokens: Tokens(5120),
            loss_pruned: Some(Nats(3.5)),
            eval_loss: Nats(2.5),
            best_eval_loss: Nats(2.25),
            last_quarter: Some(Nats(0.125)),
            last_doubling: None,
            seconds: 1.5,
            tokens_per_second: 3413.3,
            weights: "e".into(),
        }
    }

    #[test]
    fn records_come_back_and_leave_out_what_is_unknown() {
        let text = serde_json::to_string(&record()).unwrap();
        assert!(!text.contains("null") && !text.contains("loss0"), "{text}");
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), record());
        let known =
            RunRecord { loss0: Some(Nats(1.25)), loss0_phase: Some(Phase::Decay), ..record() };
        let text = serde_json::to_string(&known).unwrap();
        assert!(text.contains(r#""loss0":1.25,"loss0_phase":"decay""#), "{text}");
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), known);
        let text = serde_json::to_string(&done()).unwrap();
        assert_eq!(serde_json::from_str::<Done>(&text).unwrap(), done());
    }

    #[test]
    fn other_formats_and_impossible_rates_are_refused() {
        let text = serde_json::to_string(&record()).unwrap();
        for (from, to) in [(r#""format":1"#, r#""format":2"#), (r#""rate":0.0"#, r#""rate":1.0"#)] {
            assert!(text.contains(from), "{text}");
            assert!(serde_json::from_str::<RunRecord>(&text.replace(from, to)).is_err(), "{to}");
        }
        assert!(serde_json::to_string(&Done { seconds: f64::NAN, ..done() }).is_err());
        assert!(serde_json::to_string(&Done { eval_loss: Nats(f64::INFINITY), ..done() }).is_err());
    }
}
