//! The answer to a question: what the command prints as JSON, and the same to look at.

use law::plan::{Candidate, Decided, Decisions, Limits, Wanted};
use law::{Foretold, GroupLaw, Law, Prediction, Wish};
use report::answered;
use serde::Serialize;

use crate::question::Question;
use crate::refused::Refused;

/// The answer to one question.
pub(crate) struct Answered<'a> {
    law: &'a Law,
    wanted: Wanted,
    tokens: Option<u64>,
    limits: Limits,
    wish: Wish,
    candidates: Vec<Candidate>,
}

/// What a page reads.
#[derive(Serialize)]
struct Answer<'a> {
    format: u32,
    /// Whether the data could tell.
    told: bool,
    /// The answer in a sentence.
    sentence: String,
    /// What `regrow plan` prints as JSON for this model and rate.
    plan: &'a Decisions<'a>,
    /// The same for all rates that the law's runs have at the nearest size.
    #[serde(skip_serializing_if = "Option::is_none")]
    rates: Option<&'a Decisions<'a>>,
    /// What `regrow predict` prints as JSON, where tokens are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction: Option<Foretold<'a>>,
    /// Parts of the page by the place where they stand, HTML. An absent one has nothing to show.
    parts: Parts,
}

#[derive(Default, Serialize)]
struct Parts {
    #[serde(skip_serializing_if = "Option::is_none")]
    enough: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curve: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    foretold: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cannot: Option<String>,
    /// Why there is no choice among rates, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_choice: Option<String>,
    /// Why there is no loss after the tokens, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_loss: Option<String>,
}

impl<'a> Answered<'a> {
    /// Reads what is asked.
    pub(crate) fn of(law: &'a Law, question: &Question) -> Result<Self, Refused> {
        let wanted = question.wanted()?;
        let candidates = wanted.candidates(law)?;
        Ok(Self {
            law,
            candidates,
            tokens: question.tokens()?.map(|count| count.0),
            limits: question.limits()?,
            wish: question.wish()?,
            wanted,
        })
    }

    /// The answer as JSON.
    pub(crate) fn json(&self) -> Result<String, Refused> {
        let found = self.decide(&self.candidates)?;
        let of_rates = self.rates();
        let choice = match &of_rates {
            Some(Ok(candidates)) => Some(self.decide(candidates)),
            Some(Err(refused)) => Some(Err(refused.clone())),
            None => None,
        };
        let prediction = self.prediction(&found);
        let told = prediction.as_ref().and_then(|found| found.as_ref().ok());
        let asked = |foretold: &'_ Foretold<'_>| foretold.prediction().clone();
        let asked: Option<(f64, Prediction)> =
            told.zip(self.tokens).map(|(foretold, tokens)| (tokens as f64, asked(foretold)));
        let mut parts = self.parts(&found, asked.as_ref());
        match &choice {
            Some(Ok(of_rates)) => parts.choice = Some(answered::choice(of_rates, "choice")),
            Some(Err(refused)) => parts.no_choice = Some(refused.text().to_owned()),
            None => parts.choice = Some(answered::choice(&found, "choice")),
        }
        if let Some(Err(refused)) = &prediction {
            parts.no_loss = Some(refused.text().to_owned());
        }
        let answer = Answer {
            format: 1,
            told: found.is_told(),
            sentence: sentence(&found),
            plan: &found,
            rates: choice.as_ref().and_then(|choice| choice.as_ref().ok()),
            prediction: prediction.and_then(Result::ok),
            parts,
        };
        let wrong = |error| Refused::of(format!("the answer cannot be written: {error}"));
        serde_json::to_string(&answer).map_err(wrong)
    }

    fn decide<'c>(&'c self, candidates: &'c [Candidate]) -> Result<Decisions<'c>, Refused> {
        self.law.decide(candidates, &self.limits, &self.wish, |_, _| Ok(None))
    }

    /// The candidates of all rates, where one rate was asked about.
    fn rates(&self) -> Option<Result<Vec<Candidate>, Refused>> {
        (!self.wanted.rates.is_empty()).then(|| {
            let all = Wanted { rates: Vec::new(), ..self.wanted.clone() };
            all.candidates(self.law).map_err(Refused::from)
        })
    }

    /// The loss after the tokens that there are.
    fn prediction<'c>(&self, found: &'c Decisions<'_>) -> Option<Result<Foretold<'c>, Refused>> {
        let tokens = self.tokens?;
        let decided = one(found)?;
        let (group, place) = (decided.group(), decided.candidate().place);
        let prediction = group.predict(place, tokens as f64);
        let foretold = |prediction| Foretold::new(group, place, tokens, prediction);
        Some(prediction.map(foretold).map_err(Refused::from))
    }

    fn parts(&self, found: &Decisions<'_>, asked: Option<&(f64, Prediction)>) -> Parts {
        let asked = asked.map(|(tokens, prediction)| (*tokens, prediction));
        let foretold = asked.map(|(tokens, told)| answered::foretold(tokens, told));
        match one(found) {
            Some(decided) => {
                let (group, plan) = (decided.group(), decided.plan());
                let told = asked.map(|(_, prediction)| prediction);
                Parts {
                    enough: Some(answered::enough(group, plan)),
                    curve: answered::curve(group, plan, asked),
                    numbers: Some(answered::numbers(group, plan)),
                    foretold,
                    cannot: Some(answered::cannot_tell(group, Some(plan), told)),
                    ..Parts::default()
                }
            }
            None => {
                let group: Option<&GroupLaw> = found.plans().first().map(Decided::group);
                let cannot = group.map(|group| answered::cannot_tell(group, None, None));
                Parts { cannot, ..Parts::default() }
            }
        }
    }
}

/// The only plan, if there is one.
fn one<'c>(found: &'c Decisions<'_>) -> Option<&'c Decided<'c>> {
    match found.plans() {
        [decided] => Some(decided),
        _ => None,
    }
}

fn sentence(found: &Decisions<'_>) -> String {
    match (one(found), found.allocation()) {
        (Some(decided), _) => decided.plan().enough().sentence().to_owned(),
        (None, Some(allocation)) => report::plan::best_offer(allocation),
        (None, None) => "the data cannot tell".to_owned(),
    }
}
