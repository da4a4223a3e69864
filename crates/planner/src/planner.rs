//! A law that answers questions.

use law::Law;
use ledger::{Format, FormatHeader};

use crate::about::About;
use crate::answer::Answered;
use crate::question::Question;
use crate::refused::Refused;

/// A law that answers questions.
#[derive(Clone, Debug)]
pub struct Planner {
    law: Law,
}

impl Planner {
    /// Reads a law from the text of its file.
    ///
    /// # Errors
    /// If the text is no law, or a law of another format.
    pub fn open(text: &str) -> Result<Self, Refused> {
        let no_law = |error| Refused::of(format!("this is not a law file: {error}"));
        let header: FormatHeader = serde_json::from_str(text).map_err(no_law)?;
        // Format 1 is read too: it only lacks levels.
        if let Err(other) = header.require(Law::FORMAT).or_else(|_| header.require(Format::<1>)) {
            let (found, expected) = (other.found(), Law::FORMAT);
            return Err(Refused::of(format!(
                "the law has format {found}, expected {expected}, or 1"
            )));
        }
        Ok(Self::of(serde_json::from_str(text).map_err(no_law)?))
    }

    /// A planner of a law that was read before.
    pub fn of(law: Law) -> Self {
        Self { law }
    }

    /// What a page must know to ask: groups, models, devices, and a first question. JSON.
    pub fn about(&self) -> String {
        // Numbers and texts have no way to fail.
        serde_json::to_string(&About::of(&self.law)).unwrap_or_default()
    }

    /// The answer to a question, or why there is none. Both are JSON.
    pub fn answer(&self, question: &str) -> String {
        let answer = Question::read(question).and_then(|question| self.answer_to(&question));
        answer.unwrap_or_else(|refused| refused.json())
    }

    fn answer_to(&self, question: &Question) -> Result<String, Refused> {
        match question.zeroed()? {
            Some(zeroed) => {
                let mut law = self.law.clone();
                law.say_zeroed(zeroed)?;
                Answered::of(&law, question)?.json()
            }
            None => Answered::of(&self.law, question)?.json(),
        }
    }
}
