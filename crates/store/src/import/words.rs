//! What the names in other programs' logs mean.

use std::fmt;
use std::str::FromStr;

use ledger::Phase;

/// What a number of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// The optimiser step.
    Step,
    /// Training tokens seen so far.
    Tokens,
    /// Training tokens of the step alone.
    StepTokens,
    /// Sequences seen so far.
    Samples,
    /// Held-out loss.
    HeldOut,
    /// Training loss.
    Training,
    /// The learning rate.
    LearningRate,
    /// The norm of the gradient.
    GradNorm,
    /// Passes over the training text.
    Epoch,
    /// The phase of the learning rate.
    Phase,
    /// A held-out measure that is no loss in nats.
    OtherUnit(Unit),
}

/// What a loss is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Nats per token.
    #[default]
    Nats,
    /// Bits per token: nats over ln 2.
    Bits,
    /// The exponential of nats per token.
    Perplexity,
}

impl Unit {
    /// The units by name.
    pub const NAMES: [&str; 3] = ["nats", "bits", "perplexity"];

    /// A value of this unit in nats per token.
    pub(super) fn nats(self, value: f64) -> f64 {
        match self {
            Self::Nats => value,
            Self::Bits => value * std::f64::consts::LN_2,
            Self::Perplexity => value.ln(),
        }
    }
}

impl FromStr for Unit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "nats" => Ok(Self::Nats),
            "bits" => Ok(Self::Bits),
            "perplexity" => Ok(Self::Perplexity),
            _ => Err(format!("`{text}` is no unit; they are {}", Self::NAMES.join(", "))),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES[*self as usize])
    }
}

/// The keys of a mapping from our words to the names of a log.
const KEYS: [(&str, Word); 10] = [
    ("step", Word::Step),
    ("tokens", Word::Tokens),
    ("step_tokens", Word::StepTokens),
    ("samples", Word::Samples),
    ("loss", Word::HeldOut),
    ("training_loss", Word::Training),
    ("learning_rate", Word::LearningRate),
    ("grad_norm", Word::GradNorm),
    ("epoch", Word::Epoch),
    ("phase", Word::Phase),
];

impl Word {
    /// The keys that a mapping may use.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        KEYS.iter().map(|(key, _)| *key)
    }

    /// The word of a key of a mapping.
    pub fn of_key(key: &str) -> Option<Self> {
        KEYS.iter().find(|(known, _)| *known == key).map(|(_, word)| *word)
    }
}

/// Names of tokens seen so far, the best known first.
const TOKENS: [&str; 13] = [
    "num_input_tokens_seen",
    "n_tokens_seen",
    "num_tokens_seen",
    "tokens_seen",
    "consumed_tokens",
    "total_tokens",
    "total_tokens_seen",
    "tokens_trained",
    "trained_tokens",
    "num_tokens",
    "train_tokens",
    "token",
    "tokens",
];
const STEP: [&str; 10] = [
    "step",
    "_step",
    "steps",
    "global_step",
    "iteration",
    "iter",
    "current_steps",
    "train_step",
    "training_step",
    "iterations",
];
const SAMPLES: [&str; 5] =
    ["consumed_samples", "consumed_train_samples", "samples_seen", "samples", "sample"];
/// Parts of names that say that the text was held out.
const HELD_OUT: [&str; 10] = [
    "eval",
    "evaluation",
    "val",
    "valid",
    "validation",
    "validate",
    "validator",
    "heldout",
    "dev",
    "test",
];
/// Parts of names of numbers about a loss that are not the loss.
const ASIDE: [&str; 27] = [
    "scale",
    "scaler",
    "scaling",
    "max",
    "min",
    "std",
    "var",
    "aux",
    "kd",
    "ce",
    "mtp",
    "z",
    "balancing",
    "balance",
    "runtime",
    "second",
    "sec",
    "time",
    "samples",
    "best",
    "ratio",
    "count",
    "weight",
    "spike",
    "router",
    "reg",
    "sum",
];

/// How far down a name stands among those of its kind; the least is the best known.
pub(super) fn rank(name: &str) -> usize {
    let last = last_part(&plain(name)).to_owned();
    TOKENS.iter().position(|known| *known == last).unwrap_or(TOKENS.len())
}

/// Whether a loss is the training loss under its usual name.
pub(super) fn is_usual_training_loss(name: &str) -> bool {
    ["loss", "train/loss", "lm loss", "loss/train/total"].contains(&name)
}

/// Whether a held-out loss is of a final test rather than of an evaluation on the way.
pub(super) fn is_test(name: &str) -> bool {
    let plain = plain(name);
    let mut parts = parts(&plain);
    parts.clone().any(|part| part == "test")
        && !parts.any(|part| part != "test" && HELD_OUT.contains(&part))
}

/// What a name of a log means to us, if anything.
pub(super) fn meaning(name: &str) -> Option<Word> {
    let plain = plain(name);
    let last = last_part(&plain);
    let held_out = parts(&plain).any(|part| HELD_OUT.contains(&part));
    let has = |words: &[&str]| parts(&plain).any(|part| words.contains(&part));
    if !held_out {
        if TOKENS.contains(&last) {
            return Some(Word::Tokens);
        }
        if STEP.contains(&last) {
            return Some(Word::Step);
        }
        if SAMPLES.contains(&last) {
            return Some(Word::Samples);
        }
        match last {
            "num_tokens_per_step" | "tokens_per_step" | "step_tokens" => {
                return Some(Word::StepTokens);
            }
            "learning_rate" | "lr" => return Some(Word::LearningRate),
            "grad_norm" => return Some(Word::GradNorm),
            "epoch" => return Some(Word::Epoch),
            "phase" => return Some(Word::Phase),
            _ => {}
        }
        // As Composer names it: `lr-DecoupledAdamW/group0`.
        if plain.starts_with("lr_") && last == "group0" {
            return Some(Word::LearningRate);
        }
    }
    if has(&ASIDE) {
        return None;
    }
    if has(&["ppl", "perplexity", "languageperplexity"]) {
        return held_out.then_some(Word::OtherUnit(Unit::Perplexity));
    }
    // Bits of a byte or a character are of no token.
    if has(&["bpb", "bpc", "byte", "char"]) {
        return None;
    }
    if has(&["bits", "bpt"]) {
        return held_out.then_some(Word::OtherUnit(Unit::Bits));
    }
    let is_loss = has(&["loss", "nll", "crossentropy", "languagecrossentropy"])
        || plain.contains("cross_entropy");
    // Megatron's TensorBoard has each loss twice, once against samples.
    if !is_loss || plain.contains("_vs_") || plain.contains("accuracy") {
        return None;
    }
    Some(if held_out { Word::HeldOut } else { Word::Training })
}

/// A phase as a number, so that it can stand in a column.
pub(super) fn phase_code(text: &str) -> Option<f64> {
    let phases = [Phase::Warmup, Phase::Constant, Phase::Decay];
    phases.iter().position(|phase| phase.to_string() == text).map(|code| code as f64)
}

/// The phase of a number.
pub(super) fn phase_of(code: f64) -> Option<Phase> {
    [Phase::Warmup, Phase::Constant, Phase::Decay].get(code as usize).copied()
}

/// A name in small letters, with one mark between its words.
fn plain(name: &str) -> String {
    let letter = |letter: char| match letter {
        '-' | ' ' | '.' | ':' | '(' | ')' => '_',
        letter => letter.to_ascii_lowercase(),
    };
    name.trim().chars().take(200).map(letter).collect()
}

fn last_part(plain: &str) -> &str {
    plain.rsplit('/').next().unwrap_or(plain)
}

fn parts(plain: &str) -> impl Iterator<Item = &str> + Clone {
    plain.split(['/', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_programs_are_understood() {
        use Word::*;
        for (name, word) in [
            ("loss", Some(Training)),
            ("train/loss", Some(Training)),
            ("eval_loss", Some(HeldOut)),
            ("eval/loss", Some(HeldOut)),
            ("eval_wikitext_loss", Some(HeldOut)),
            ("val_loss", Some(HeldOut)),
            ("validation_metrics/loss", Some(HeldOut)),
            ("lm loss", Some(Training)),
            ("lm loss validation", Some(HeldOut)),
            ("lm loss validation vs samples", None),
            ("lm loss vs samples", None),
            ("loss/train/total", Some(Training)),
            ("metrics/eval/LanguageCrossEntropy", Some(HeldOut)),
            ("metrics/eval/LanguagePerplexity", Some(OtherUnit(Unit::Perplexity))),
            ("loss_metrics/global_avg_loss", Some(Training)),
            ("loss_metrics/global_max_loss", None),
            ("loss scale", None),
            ("loss-scale", None),
            ("eval_runtime", None),
            ("eval/samples_per_second", None),
            ("learning-rate", Some(LearningRate)),
            ("lr", Some(LearningRate)),
            ("lr-DecoupledAdamW/group0", Some(LearningRate)),
            ("train/num_input_tokens_seen", Some(Tokens)),
            ("n_tokens_seen", Some(Tokens)),
            ("time/token", Some(Tokens)),
            ("num_tokens_per_step", Some(StepTokens)),
            ("consumed samples", Some(Samples)),
            ("grad norm", Some(GradNorm)),
            ("train/epoch", Some(Epoch)),
            ("train/global_step", Some(Step)),
            ("_step", Some(Step)),
            ("eval/bits_per_token", Some(OtherUnit(Unit::Bits))),
            ("eval/bits_per_byte", None),
            ("eval_accuracy", None),
            ("tokens_per_second", None),
            ("", None),
        ] {
            assert_eq!(meaning(name), word, "{name}");
        }
    }

    #[test]
    fn a_value_becomes_nats() {
        assert_eq!("bits".parse::<Unit>().unwrap().nats(1.0), std::f64::consts::LN_2);
        assert_eq!(Unit::Perplexity.nats(1.0), 0.0);
        assert!("percent".parse::<Unit>().is_err());
    }
}
