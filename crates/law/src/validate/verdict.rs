//! What a law is worth: one line for each question that people ask it.

use serde::{Deserialize, Serialize};

use super::contender::Best;
use super::holdout_curves::Holdout;
use crate::judge::Way;

/// What was asked of the law, and held out to find the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// More tokens: the last fifth of each run's range of `ln D`.
    Tokens,
    /// A larger model: the largest size.
    Size,
    /// A higher rate: the highest rate of every size.
    Rate,
    /// Another base: every base once.
    Base,
    /// Another run: every run once.
    Run,
}

/// How the law did on one question, beside the best prediction that needs no law.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    question: Question,
    /// How many points were held out, and for how many of them the law gave no number.
    points: usize,
    withheld: usize,
    /// The mean absolute error of the law's curve, nats per token. It counts where `predict` gives
    /// no number too: else a law could pass by answering what is easy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<f64>,
    /// The best baseline, and its error on the same points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rival: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rival_error: Option<f64>,
    /// `1 - error / rival_error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skill: Option<f64>,
    /// The share of held-out points that lie in their interval, and the share that should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<f64>,
    level: f64,
    /// The mean interval score of Gneiting and Raftery (2007), nats per token: the width, and
    /// `2 / (1 - level)` times the distance of a point that lies outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval_score: Option<f64>,
    /// The same for a person.
    sentence: String,
}

/// Intervals that hold so much less than they should are too narrow.
const TOO_NARROW: f64 = 0.1;
/// Intervals of which so few points lie outside, beside what should, are wider than needed.
const TOO_WIDE: f64 = 0.3;

impl Verdict {
    pub(super) fn new(way: Way, holdout: &Holdout, best: Option<&Best>) -> Self {
        let question = way.into();
        let mut verdict = Self {
            question,
            points: holdout.points,
            withheld: holdout.points,
            error: None,
            rival: best.map(|best| best.name.clone()),
            rival_error: None,
            skill: None,
            held: (holdout.banded > 0).then(|| holdout.inside as f64 / holdout.banded as f64),
            level: holdout.level,
            interval_score: None,
            sentence: String::new(),
        };
        let (mut known, mut error, mut of_rival) = (0, 0.0, 0.0);
        let (mut banded, mut score) = (0, 0.0);
        for (i, curve) in holdout.curves.iter().enumerate() {
            for (j, [tokens, loss]) in curve.held_out.iter().enumerate() {
                if let Some([low, high]) = curve.band_at(*tokens) {
                    let outside = (low - loss).max(0.0) + (loss - high).max(0.0);
                    score += high - low + 2.0 / (1.0 - holdout.level) * outside;
                    banded += 1;
                }
                // Curves are evaluated at every held-out count itself, so equality is safe.
                let Some([_, said]) = curve.curve.iter().find(|point| point[0] == *tokens) else {
                    continue;
                };
                known += 1;
                error += (said - loss).abs();
                if let Some(best) = best {
                    of_rival += (best.judged[i][j].predicted - loss).abs();
                }
            }
        }
        let mean = |sum: f64, count: usize| (count > 0).then(|| sum / count as f64);
        verdict.withheld -= holdout.curves.iter().map(|curve| curve.answers.len()).sum::<usize>();
        verdict.error = mean(error, known);
        verdict.rival_error = best.and_then(|_| mean(of_rival, known));
        let skill =
            verdict.error.zip(verdict.rival_error).map(|(error, rival)| 1.0 - error / rival);
        // A rival without any error gives no skill.
        verdict.skill = skill.filter(|skill| skill.is_finite());
        verdict.interval_score = mean(score, banded);
        verdict.sentence = verdict.say();
        verdict
    }

    fn say(&self) -> String {
        let what = self.question.held_out();
        let Some(error) = self.error else {
            return format!("{what}: the law gave no answer");
        };
        let mut parts = vec![match (self.skill, &self.rival) {
            (Some(skill), Some(rival)) => {
                let share = format!("{:.0} %", 100.0 * skill.abs());
                let (is_better, is_sure) = (skill > 0.0, 2 * self.withheld <= self.points);
                let worth = match (is_better, is_sure) {
                    (false, _) => "not worth it",
                    (true, true) => "worth it",
                    (true, false) => "of little use yet",
                };
                let side = if is_better { "smaller" } else { "larger" };
                format!("{worth}, its error is {share} {side} than that of `{rival}`")
            }
            _ => format!("its mean error is {error:.4} nats"),
        }];
        if let Some(held) = self.held {
            let off = if held < self.level - TOO_NARROW {
                ", too narrow"
            } else if 1.0 - held < TOO_WIDE * (1.0 - self.level) {
                ", wider than needed"
            } else {
                ""
            };
            parts.push(format!(
                "{:.0} % intervals hold {:.0} %{off}",
                100.0 * self.level,
                100.0 * held
            ));
        }
        if self.withheld > 0 {
            parts.push(format!(
                "too uncertain for a number at {} of {} points",
                self.withheld, self.points
            ));
        }
        format!("{what}: {}", parts.join("; "))
    }
}

impl From<Way> for Question {
    fn from(way: Way) -> Self {
        match way {
            Way::LastCheckpoints => Self::Tokens,
            Way::LargestSize => Self::Size,
            Way::HighestRate => Self::Rate,
            Way::Base => Self::Base,
            Way::Run => Self::Run,
        }
    }
}

impl Question {
    /// What was held out, for a person.
    pub fn held_out(self) -> &'static str {
        match self {
            Self::Tokens => "more tokens, the last fifth of each run",
            Self::Size => "a larger model, the largest size",
            Self::Rate => "a higher rate, the highest of each size",
            Self::Base => "another base, every base once",
            Self::Run => "another run, every run once",
        }
    }

    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Size => "size",
            Self::Rate => "rate",
            Self::Base => "base",
            Self::Run => "run",
        }
    }
}

impl Verdict {
    /// What was asked.
    pub fn question(&self) -> Question {
        self.question
    }

    /// How many points were held out.
    pub fn points(&self) -> usize {
        self.points
    }

    /// For how many of them the law gave no number.
    pub fn withheld(&self) -> usize {
        self.withheld
    }

    /// The mean absolute error of the law's curve, nats per token.
    pub fn error(&self) -> Option<f64> {
        self.error
    }

    /// The best baseline.
    pub fn rival(&self) -> Option<&str> {
        self.rival.as_deref()
    }

    /// The error of the best baseline on the same points, nats per token.
    pub fn rival_error(&self) -> Option<f64> {
        self.rival_error
    }

    /// `1 - error / rival_error`.
    pub fn skill(&self) -> Option<f64> {
        self.skill
    }

    /// The share of held-out points that lie in their interval.
    pub fn held(&self) -> Option<f64> {
        self.held
    }

    /// The share that should.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The mean interval score of Gneiting and Raftery (2007), nats per token.
    pub fn interval_score(&self) -> Option<f64> {
        self.interval_score
    }

    /// The same for a person.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}
