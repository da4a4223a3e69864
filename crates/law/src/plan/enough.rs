//! How many tokens are enough.
//!
//! With `A = D_C rho^-gamma N0^-delta`, the tokens' share of the loss is `A D^-beta`:
//! doubling from `D` buys `A D^-beta (1 - 2^-beta)`, one more token buys `beta A D^-(beta + 1)`, and a target loss
//! is met where `A D^-beta` is what it lies above the floor.

use serde::{Deserialize, Serialize};

use crate::form::Form;
use crate::law::{GroupLaw, Law};
use crate::predict::Place;
use crate::{Error, Result};

/// What a plan should answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Enough is where doubling the tokens buys less than this, nats.
    pub doubling_gain: f64,
    /// Enough is where a million more tokens buy less than this, nats.
    pub min_gain: Option<f64>,
    /// Tokens for this loss, nats per token.
    pub target_loss: Option<f64>,
}

/// How many tokens are enough at one place, by each rule asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The pruned model.
    #[serde(flatten)]
    pub place: Place,
    /// The loss that no number of tokens gets below, nats per token.
    pub floor: Answer,
    /// The doubling rule's gain, nats.
    pub doubling_gain: f64,
    /// Tokens after which doubling buys less than `doubling_gain`.
    pub enough: Answer,
    /// The loss after these tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_then: Option<f64>,
    /// The gain rule's gain, nats per million tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_gain: Option<f64>,
    /// Tokens after which a million more buy less than `min_gain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enough_by_gain: Option<Answer>,
    /// The wanted loss, nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_loss: Option<f64>,
    /// Tokens for the wanted loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_target: Option<Answer>,
    /// What each doubling buys, around the tokens that are enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doublings: Vec<Doubling>,
}

/// A number, how sure it is, and what speaks against it. What is unknown is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Between these lie the laws that the data cannot tell apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hull: Option<[f64; 2]>,
    /// Kebab-case ids of what speaks against trusting it.
    pub code: Vec<String>,
    /// All this for a person.
    pub sentence: String,
}

/// What going from some tokens to twice as many buys.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubling {
    /// Tokens before.
    pub from: f64,
    /// Nats that doubling them buys.
    pub gain: f64,
}

impl Default for Wish {
    fn default() -> Self {
        Self { doubling_gain: 0.01, min_gain: None, target_loss: None }
    }
}

impl Wish {
    fn check(&self) -> Result<()> {
        let positive = [("doubling-gain", Some(self.doubling_gain)), ("min-gain", self.min_gain)];
        for (name, found) in positive {
            if let Some(found) = found.filter(|x| !(*x > 0.0 && x.is_finite())) {
                return Err(Error::Setting { name, found, expected: "a positive number" });
            }
        }
        match self.target_loss.filter(|x| !x.is_finite()) {
            Some(found) => Err(Error::Setting { name: "target-loss", found, expected: "a finite number" }),
            None => Ok(()),
        }
    }
}

impl Law {
    /// How many tokens are enough at a place; series and method may be left open where the law holds one group.
    pub fn plan(
        &self,
        series: Option<&str>,
        method: Option<&str>,
        place: Place,
        wish: &Wish,
    ) -> Result<Plan> {
        self.group(series, method)?.plan(place, wish)
    }
}

impl GroupLaw {
    /// How many tokens are enough at a place.
    pub fn plan(&self, place: Place, wish: &Wish) -> Result<Plan> {
        wish.check()?;
        let place = Place::new(place.n0, place.rate, place.loss0)?;
        let asker = Asker { law: self, form: self.form()?, place };
        let million = 1e6 / self.scale().tokens;
        let enough = asker.tokens(|term| term.where_doubling_buys(wish.doubling_gain));
        let around = enough.value.or(enough.interval.map(|[low, high]| (low * high).sqrt()));
        Ok(Plan {
            place,
            floor: asker.floor(),
            doubling_gain: wish.doubling_gain,
            loss_then: enough.value.and_then(|tokens| asker.loss(tokens)),
            doublings: around.map(|tokens| asker.doublings(tokens)).unwrap_or_default(),
            enough,
            min_gain: wish.min_gain,
            enough_by_gain: wish
                .min_gain
                .map(|gain| asker.tokens(|term| term.where_one_buys(gain / million))),
            target_loss: wish.target_loss,
            for_target: wish.target_loss.map(|target| asker.target(target)),
        })
    }
}

/// What a form says of the tokens at one place, in the law's units: `floor + amplitude D^-beta`.
struct TokenTerm {
    floor: f64,
    amplitude: f64,
    beta: f64,
}

impl TokenTerm {
    fn gain_of_doubling(&self, tokens: f64) -> f64 {
        self.amplitude * tokens.powf(-self.beta) * (1.0 - (-self.beta).exp2())
    }

    fn where_doubling_buys(&self, gain: f64) -> f64 {
        (self.amplitude * (1.0 - (-self.beta).exp2()) / gain).powf(1.0 / self.beta)
    }

    fn where_one_buys(&self, gain: f64) -> f64 {
        (self.beta * self.amplitude / gain).powf(1.0 / (self.beta + 1.0))
    }

    fn where_loss_is(&self, target: f64) -> f64 {
        (self.amplitude / (target - self.floor)).powf(1.0 / self.beta)
    }
}

/// A question to a law about one place.
struct Asker<'a> {
    law: &'a GroupLaw,
    form: &'static dyn Form,
    place: Place,
}

impl Asker<'_> {
    fn term(&self, form: &dyn Form, parameters: &[f64]) -> Option<TokenTerm> {
        let beta = parameters[form.token_exponent()?];
        let row = self.law.row(&self.place.row(self.law.scale().tokens));
        let floor = form.value(parameters, &row.at(f64::INFINITY));
        Some(TokenTerm { floor, amplitude: form.value(parameters, &row) - floor, beta })
    }

    fn own_term(&self) -> Option<TokenTerm> {
        self.term(self.form, &self.law.parameters(self.form))
    }

    fn loss(&self, tokens: f64) -> Option<f64> {
        let reach = self.law.reach(self.form, &self.place, None);
        let row = self.law.row(&self.place.row(tokens));
        reach.is_known().then(|| self.form.value(&self.law.parameters(self.form), &row))
    }

    fn doublings(&self, tokens: f64) -> Vec<Doubling> {
        let unit = self.law.scale().tokens;
        let Some(term) = self.own_term() else { return Vec::new() };
        let at = |power: i32| tokens * 2.0_f64.powi(power);
        let doubling = |from: f64| Doubling { from, gain: term.gain_of_doubling(from / unit) };
        (-3..=3).map(at).map(doubling).filter(|d| d.gain.is_finite() && d.from.is_finite()).collect()
    }

    fn floor(&self) -> Answer {
        let floor = |form: &dyn Form, parameters: &[f64]| self.term(form, parameters).map(|term| term.floor);
        let mut answer = self.ask(floor, false, |x| x, |x| x);
        answer.sentence =
            answer.say("nats per token that no number of tokens gets below:", |x| format!("{x:.4}"));
        answer
    }

    fn target(&self, target: f64) -> Answer {
        let reachable = |term: &TokenTerm| target > term.floor && term.amplitude > 0.0;
        match self.own_term() {
            Some(term) if !reachable(&term) => {
                let floor = self.floor();
                Answer {
                    code: vec!["below-floor".to_owned()],
                    sentence: format!("{target} nats cannot be reached; {}", floor.sentence),
                    ..Answer::default()
                }
            }
            _ => self.tokens(|term| term.where_loss_is(target)),
        }
    }

    /// A number of tokens, on the logarithmic scale.
    fn tokens(&self, tokens: impl Fn(&TokenTerm) -> f64) -> Answer {
        let unit = self.law.scale().tokens;
        let quantity = |form: &dyn Form, parameters: &[f64]| {
            self.term(form, parameters).map(|term| tokens(&term) * unit).filter(|tokens| *tokens > 0.0)
        };
        let mut answer = self.ask(quantity, true, f64::ln, f64::exp);
        if self.law.warnings.iter().any(|warning| warning.code == "lack-of-fit") {
            answer.code.push("lack-of-fit".to_owned());
            answer.value = None;
        }
        let [min, max] = self.law.ranges["tokens"];
        if let Some(tokens) = answer.value {
            let factor = (min / tokens).max(tokens / max);
            if factor > 1.0 {
                answer.code.push("extrapolation".to_owned());
            }
            if factor > 10.0 {
                answer.value = None;
            }
        }
        answer.sentence = answer.say("enough tokens:", shown);
        answer
    }

    /// A quantity with its interval, on a scale where its errors are nearly symmetric.
    fn ask(
        &self,
        quantity: impl Fn(&dyn Form, &[f64]) -> Option<f64>,
        open_is_known: bool,
        to: fn(f64) -> f64,
        from: fn(f64) -> f64,
    ) -> Answer {
        let mut answer = Answer::default();
        let reach = self.law.reach(self.form, &self.place, None);
        reach.describe(&mut answer.code, &mut Vec::new());
        if !reach.unknown.is_empty() {
            return answer;
        }
        if !reach.open.is_empty() {
            answer.hull = self.law.hull(&quantity);
            // What tokens buy depends on the size through delta alone, which two sizes do tell.
            if !open_is_known {
                return answer;
            }
        }
        let spread = self.law.spread(self.form, |parameters| quantity(self.form, parameters).map(to));
        let Some((value, half)) = spread else {
            answer.code.push("tokens-untold".to_owned());
            return answer;
        };
        answer.interval =
            half.map(|half| [from(value - half), from(value + half)]).filter(|ends| ends[1].is_finite());
        if answer.interval.is_none() {
            answer.code.push("no-interval".to_owned());
        }
        answer.value = (reach.is_known() && !reach.is_far()).then_some(from(value));
        answer
    }
}

impl Answer {
    fn say(&self, what: &str, show: impl Fn(f64) -> String) -> String {
        match (self.value, self.interval, self.hull) {
            (Some(x), Some([low, high]), _) => {
                format!("{what} {}, between {} and {}", show(x), show(low), show(high))
            }
            (Some(x), None, _) => format!("{what} {}", show(x)),
            (None, Some([low, high]), _) | (None, None, Some([low, high])) => {
                format!("{what} anything from {} to {}", show(low), show(high))
            }
            (None, None, None) => format!("{what} the data cannot tell"),
        }
    }
}

/// Tokens as people write them; far beyond any run only the power of ten.
fn shown(tokens: f64) -> String {
    match tokens {
        x if x < 1e18 => ledger::Tokens(x.round() as u64).to_string().replace(" tokens", ""),
        x => format!("{x:.0e}"),
    }
}
