//! Which model to prune, how, by what rate, and for how many tokens to post-train it, within
//! limits.
//!
//! Candidates are ranked by their loss after post-training. Their order before it is often another
//! one. The result is a Pareto front of loss, size and cost: no other offer beats one on it in all
//! three.

use std::collections::BTreeSet;

use ledger::{MethodId, MethodKind, Objective, short_count};

use super::cost::{Bill, held_parameters};
use super::front::front;
use super::offer::{Allocation, Candidate, Limits, Offer, PrunedModel, Refusal};
use super::question::Wish;
use crate::code::Code;
use crate::error::{Fault, Result};
use crate::law::{GroupLaw, Law};
use crate::parallel;
use crate::place::Place;
use crate::prediction::{FARTHEST, Prediction};
use crate::warning::{Notice, Warning};

/// Keeps a product below a bound that rounding could lift it over.
const ROUNDING: f64 = 1.0 - 1e-12;

impl Law {
    /// Finds the best offers, and the front of loss against size and cost.
    ///
    /// Each candidate is offered at the most tokens that the limits and the law allow. It is also
    /// offered at halves, quarters and so on, down to the fewest measured. Without a limit on
    /// tokens or cost, the doubling rule gives the most. Every unpruned model is offered too.
    ///
    /// # Errors
    /// If there are no candidates, if this law has no group for one, if it is unknown whether its
    /// method removes weights, or if a number lies outside its range.
    ///
    /// ```
    /// use law::plan::{Candidate, Limits};
    /// use law::{Place, Settings, Table, TableRow, Wish};
    /// let row = |tokens: f64| TableRow { loss: 2.3 + 40.0 * tokens.powf(-0.5), tokens, method: "depth-list".into(), ..TableRow::run("a", 1e9, 0.25, 2.0) };
    /// let law = law::fit(&Table::new([1e4, 1e5, 1e6, 1e7].map(row))?, &Settings::default())?;
    /// let candidate = Candidate {
    ///     model: None, series: "unnamed".into(), method: "depth-list".into(),
    ///     objective: None, place: Place::new(1e9, 0.25, 2.0)?, embedding: 0.0,
    /// };
    /// let limits = Limits { parameters: Some(8e8), flops: Some(6.0 * 7.5e8 * 4e6), ..Limits::default() };
    /// let found = law.allocate(&[candidate], &limits, &Wish::default())?;
    /// assert_eq!(found.best()[0].tokens(), 4e6);
    /// assert!((found.best()[0].loss() - 2.32).abs() < 1e-6);
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn allocate(
        &self,
        candidates: &[Candidate],
        limits: &Limits,
        wish: &Wish,
    ) -> Result<Allocation> {
        if candidates.is_empty() {
            return Err(Fault::NoCandidates.into());
        }
        limits.check()?;
        let priced: Result<Vec<PricedCandidate<'_>>> =
            candidates.iter().map(|candidate| self.price(candidate, wish)).collect();
        let answers = parallel::map(&priced?, |candidate| candidate.answer(limits, wish));
        let unpruned = as_they_are(candidates, limits, &wish.bill);
        let (mut offers, mut best, mut refused) = (unpruned.clone(), Vec::new(), Vec::new());
        for answer in answers {
            match answer? {
                Outcome::Offers(found) => {
                    best.extend(found.iter().min_by(|a, b| a.loss.total_cmp(&b.loss)).cloned());
                    offers.extend(found);
                }
                Outcome::Refusal(refusal) => refused.push(refusal),
                Outcome::AsItIs => {}
            }
        }
        best.sort_by(|a, b| a.loss.total_cmp(&b.loss));
        for offer in &mut best {
            let beats = |sibling: &Offer| {
                sibling.parameters <= offer.parameters && sibling.loss <= offer.loss
            };
            // An unpruned model that is no larger and no worse makes this pruning pointless.
            if unpruned.iter().any(beats) {
                offer.code.push(Code::SiblingIsBetter);
            }
        }
        // The first offer overlaps with itself and is counted.
        let tied = best.iter().filter(|offer| overlap(&best[0], offer)).count();
        Ok(Allocation {
            limits: *limits,
            tied,
            warnings: warnings(&best),
            front: front(offers),
            best,
            refused,
        })
    }

    fn price<'a>(&'a self, candidate: &'a Candidate, wish: &Wish) -> Result<PricedCandidate<'a>> {
        let Place { n0, rate, loss0 } = candidate.place;
        let is_pruned = rate != 0.0;
        // An unpruned model belongs to no law, but its other numbers are still checked.
        Place::new(n0, if is_pruned { rate } else { 0.5 }, loss0)?;
        let group = match is_pruned {
            true => Some(self.group_for(
                Some(&candidate.series),
                Some(&candidate.method),
                candidate.objective.as_deref(),
            )?),
            false => None,
        };
        let bill = wish.bill.with_embedding(candidate.embedding);
        let kind = match group {
            Some(group) => group.known_kind()?,
            // Nothing is removed from an unpruned model.
            None => MethodKind::Removes,
        };
        let flops_per_token = bill.flops_per_token(
            &candidate.place,
            kind,
            group.map_or(Objective::LM, GroupLaw::objective),
        )?;
        let parameters = held_parameters(&candidate.place, kind);
        Ok(PricedCandidate { candidate, group, bill, parameters, flops_per_token })
    }
}

/// One candidate with its law and its price.
struct PricedCandidate<'a> {
    candidate: &'a Candidate,
    /// `None` for an unpruned model.
    group: Option<&'a GroupLaw>,
    bill: Bill,
    /// Parameters after pruning, including zeroed ones.
    parameters: f64,
    flops_per_token: f64,
}

enum Outcome {
    Offers(Vec<Offer>),
    Refusal(Refusal),
    AsItIs,
}

impl PricedCandidate<'_> {
    fn answer(&self, limits: &Limits, wish: &Wish) -> Result<Outcome> {
        let Some(group) = self.group else { return Ok(Outcome::AsItIs) };
        let place = self.candidate.place;
        let parameters = self.parameters;
        if limits.parameters.is_some_and(|most| parameters > most) {
            let sentence =
                format!("it keeps {} parameters, more than allowed", short_count(parameters));
            return Ok(self.refuse(vec![Code::TooLarge], sentence));
        }
        let Some(&[fewest, most]) = group.ranges.get("tokens") else {
            let sentence = "the law was fitted to points without tokens".to_owned();
            return Ok(self.refuse(vec![Code::TokensUntold], sentence));
        };
        let paid = limits.flops.map(|flops| flops / self.flops_per_token);
        let wanted = match (limits.tokens, paid) {
            (None, None) => group.plan(place, wish)?.enough.value.unwrap_or(most),
            (tokens, paid) => tokens.unwrap_or(f64::INFINITY).min(paid.unwrap_or(f64::INFINITY)),
        };
        // A form that does not fit its own data says nothing outside them.
        let reach = if group.misfit().is_some() { 1.0 } else { FARTHEST };
        let wanted = wanted.min(most * reach * ROUNDING).floor();
        // Fewer tokens than this would be too far below the data.
        if wanted < (fewest / reach).max(1.0) {
            let (wanted, fewest) = (short_count(wanted), short_count(fewest));
            let sentence =
                format!("the limits leave it {wanted} tokens, the data begin at {fewest}");
            return Ok(self.refuse(vec![Code::TooFewTokens], sentence));
        }
        let mut offers = Vec::new();
        let mut last = None;
        for tokens in levels(wanted, [fewest, most]) {
            let prediction = group.predict(place, tokens)?;
            match told(&prediction) {
                Some(loss) => offers.push(self.offer(tokens, loss, prediction)),
                None => last = Some(prediction),
            }
        }
        // The reason of the last prediction only matters if there is no offer at all.
        match last {
            Some(prediction) if offers.is_empty() => {
                Ok(self.refuse(prediction.code, prediction.sentence))
            }
            _ => Ok(Outcome::Offers(offers)),
        }
    }

    fn offer(&self, tokens: f64, loss: f64, prediction: Prediction) -> Offer {
        Offer {
            pruned: self.candidate.into(),
            parameters: self.parameters,
            tokens,
            cost: self.bill.cost(tokens * self.flops_per_token),
            loss,
            mean: prediction.mean,
            new_run: prediction.new_run,
            code: prediction.code,
        }
    }

    fn refuse(&self, code: Vec<Code>, sentence: String) -> Outcome {
        Outcome::Refusal(Refusal { pruned: self.candidate.into(), code, sentence })
    }
}

/// The tokens to offer: the most, its halves down to the fewest measured, and both ends of the
/// data. A form with two token counts knows only these ends.
fn levels(wanted: f64, [fewest, most]: [f64; 2]) -> Vec<f64> {
    let halves = std::iter::successors(Some(wanted), |tokens| Some((tokens / 2.0).floor()));
    let mut levels: Vec<f64> = halves.take_while(|tokens| *tokens >= fewest.max(1.0)).collect();
    levels.extend([wanted, fewest, most].into_iter().filter(|tokens| *tokens <= wanted));
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
}

/// The loss to rank by. If the interval is too wide for a single number, its middle still ranks the
/// offer.
fn told(prediction: &Prediction) -> Option<f64> {
    let far = prediction.outside.iter().any(|outside| outside.factor > FARTHEST);
    let adrift = !prediction.outside.is_empty() && prediction.code.contains(&Code::LackOfFit);
    let middle = prediction.mean.map(|[low, high]| 0.5 * (low + high));
    prediction.loss.or(middle.filter(|_| !far && !adrift))
}

/// Every model within the limits, before any pruning: no tokens, no cost.
fn as_they_are(candidates: &[Candidate], limits: &Limits, bill: &Bill) -> Vec<Offer> {
    let mut seen = BTreeSet::new();
    let mut offers = Vec::new();
    for Candidate { model, series, place, .. } in candidates {
        // Several candidates may be prunings of one model.
        let is_new = seen.insert((model, series, place.n0.to_bits(), place.loss0.to_bits()));
        if is_new && limits.parameters.is_none_or(|most| place.n0 <= most) {
            offers.push(Offer {
                pruned: PrunedModel {
                    model: model.clone(),
                    series: series.clone(),
                    method: MethodId::NONE.to_owned(),
                    objective: None,
                    place: Place { rate: 0.0, ..*place },
                },
                parameters: place.n0,
                tokens: 0.0,
                cost: bill.cost(0.0),
                loss: place.loss0,
                mean: None,
                new_run: None,
                code: Vec::new(),
            });
        }
    }
    offers
}

/// Whether the intervals of two offers overlap. An offer without one counts as a point.
fn overlap(a: &Offer, b: &Offer) -> bool {
    let ends = |offer: &Offer| offer.mean.unwrap_or([offer.loss; 2]);
    let ([a_low, a_high], [b_low, b_high]) = (ends(a), ends(b));
    a_low <= b_high && b_low <= a_high
}

fn warnings(best: &[Offer]) -> Vec<Warning> {
    let series: BTreeSet<&str> = best.iter().map(|offer| offer.pruned.series()).collect();
    let several = series.len() > 1;
    let series = series.into_iter().map(str::to_owned).collect();
    several.then(|| Notice::SeveralSeries { series }.into()).into_iter().collect()
}
