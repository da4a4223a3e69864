//! How many tokens are enough for one pruned model.

use ledger::{MethodKind, short_count};

use super::amount::Amount;
use super::answer::Answer;
use super::cost::{Bill, held_parameters};
use super::curve::TokenCurve;
use super::decision::{Bought, Doubling, Plan};
use super::question::Wish;
use crate::code::{Code, mark};
use crate::error::{Fault, Result};
use crate::form::{Axis, Form};
use crate::identify::WIDEST_FACTOR;
use crate::law::{GroupLaw, Law};
use crate::levels::{Curves, Subject, quantile};
use crate::place::Place;
use crate::predict::ONE_RUN_SAYS;
use crate::prediction::{FARTHEST, Outside};

impl Law {
    /// How many tokens are enough at a place. Series and method may be `None` if the law holds one
    /// group.
    ///
    /// # Errors
    /// If the names do not select one group, or a number of the place or the wish lies outside its
    /// range.
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
    ///
    /// # Errors
    /// If a number of the place or the wish lies outside its range. Also if it is unknown whether
    /// the method removes weights, because parameters and costs depend on that.
    ///
    /// ```
    /// use law::{Place, Settings, Table, TableRow, Wish};
    /// // 40 D^-0.5 above a floor of 2.3: doubling from D buys 40 D^-0.5 (1 - 2^-0.5).
    /// let row = |tokens: f64| TableRow { loss: 2.3 + 40.0 * tokens.powf(-0.5), tokens, method: "depth-list".into(), ..TableRow::run("a", 1e9, 0.25, 2.0) };
    /// let law = law::fit(&Table::new([1e4, 1e5, 1e6, 1e7].map(row))?, &Settings::default())?;
    /// let wish = Wish { target_loss: Some(2.31), ..Wish::default() };
    /// let plan = law.plan(None, None, Place::new(1e9, 0.25, 2.0)?, &wish)?;
    /// let enough = (40.0 * (1.0 - 0.5_f64.sqrt()) / 0.01_f64).powi(2);
    /// assert!((plan.enough().value().unwrap() / enough - 1.0).abs() < 1e-4);
    /// assert!((plan.for_target().unwrap().value().unwrap() / 16e6 - 1.0).abs() < 1e-3);
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn plan(&self, place: Place, wish: &Wish) -> Result<Plan> {
        self.known_kind()?;
        self.decide(place, Subject::NewBase, wish)
    }

    /// How many tokens are enough by the doubling rule alone. If it is unknown what the method does
    /// to weights, the answer has no costs.
    ///
    /// # Errors
    /// If a number of the place or the wish lies outside its range.
    pub fn enough(&self, place: Place, wish: &Wish) -> Result<Answer> {
        let wish = Wish { budget: None, ..*wish };
        Ok(self.decide(place, Subject::NewBase, &wish)?.enough)
    }

    /// What the method does to weights.
    pub(super) fn known_kind(&self) -> Result<MethodKind> {
        self.kind().ok_or_else(|| Fault::ZeroedUnknown { method: self.method.clone() }.into())
    }

    /// A plan. It has no parameters and costs if it is unknown what the method does to weights.
    pub(crate) fn decide(&self, place: Place, subject: Subject<'_>, wish: &Wish) -> Result<Plan> {
        wish.check()?;
        let place = Place::new(place.n0, place.rate, place.loss0)?;
        let asker = Asker {
            law: self,
            subject,
            curves: self.curves_of(subject, place),
            form: self.form()?,
            place,
            bill: wish.bill,
            flops_per_token: self
                .kind()
                .map(|kind| wish.bill.flops_per_token(&place, kind, self.objective()))
                .transpose()?,
        };
        let gain = wish.doubling_gain;
        let enough = asker.tokens(
            "enough tokens",
            true,
            |curve| curve.where_doubling_buys(gain),
            |curves| curves.where_doubling_buys(gain),
        );
        let then = enough.value.map(|tokens| self.predict_about(subject, place, tokens));
        let then = then.transpose().unwrap_or_default();
        // Without a number, the geometric mean of the interval shows which doublings are of
        // interest.
        let around = enough.value.or(enough.interval.map(|[low, high]| (low * high).sqrt()));
        let recovered_loss =
            wish.recover.map(|recovery| recovery.target(place.loss0)).transpose()?;
        let base = match subject {
            Subject::KnownBase(base) if asker.curves.is_some() => Some(base.to_owned()),
            _ => None,
        };
        Ok(Plan {
            place,
            base,
            parameters: self.kind().map(|kind| held_parameters(&place, kind)),
            flops_per_token: asker.flops_per_token,
            floor: asker.floor(),
            doubling_gain: wish.doubling_gain,
            loss_then: then.as_ref().and_then(|then| then.loss),
            loss_then_mean: then.as_ref().and_then(|then| then.mean),
            loss_then_new_run: then.as_ref().and_then(|then| then.new_run),
            doublings: around.map(|tokens| asker.doublings(tokens)).unwrap_or_default(),
            enough,
            min_gain: wish.min_gain,
            enough_by_gain: wish.min_gain.map(|gain| asker.enough_by_gain(gain)),
            target_loss: wish.target_loss,
            for_target: wish.target_loss.map(|target| asker.target(target)),
            recover: wish.recover,
            recovered_loss,
            for_recovery: recovered_loss.map(|target| asker.target(target)),
            for_budget: wish.budget.map(|flops| asker.bought(flops)).transpose()?,
        })
    }
}

/// The questions to a law about one place.
struct Asker<'a> {
    law: &'a GroupLaw,
    form: &'static dyn Form,
    place: Place,
    subject: Subject<'a>,
    /// What levels hold possible.
    curves: Option<Curves>,
    bill: Bill,
    /// `None` if it is unknown what the method does to weights.
    flops_per_token: Option<f64>,
}

impl Asker<'_> {
    fn curve<'f>(&self, form: &'f dyn Form, parameters: &'f [f64]) -> Option<TokenCurve<'f>> {
        // The curve wants a row at one unit of tokens.
        let row = self.law.row(&self.place.row(self.law.scale().tokens));
        TokenCurve::of(form, parameters, &row)
    }

    fn doublings(&self, tokens: f64) -> Vec<Doubling> {
        let at = |power: i32| tokens * 2.0_f64.powi(power);
        // As far outside the data as a loss is told.
        let near = |from: &f64| {
            self.law
                .ranges()
                .get(Axis::Tokens.name())
                .is_none_or(|[first, last]| *from >= first / FARTHEST && *from <= last * FARTHEST)
        };
        // From an eighth of the tokens to eight times as many.
        (-3..=3).map(at).filter(near).filter_map(|from| self.doubling(from)).collect()
    }

    /// The gain from doubling a number of tokens. It does not depend on the floor, so it is known
    /// even if the size leaves the floor open.
    fn doubling(&self, from: f64) -> Option<Doubling> {
        if let Some(curves) = self.curves.as_ref().filter(|_| from.is_finite()) {
            let mut gains = curves.doublings(from);
            let gain = quantile(&mut gains, 0.5).filter(|gain| gain.is_finite())?;
            let interval = self.tails(&mut gains).filter(|ends| ends.iter().all(|x| x.is_finite()));
            return Some(Doubling { from, gain, interval });
        }
        let unit = self.law.scale().tokens;
        let gain = |parameters: &[f64]| {
            self.curve(self.form, parameters).map(|curve| curve.gain_of_doubling(from / unit))
        };
        let (value, half) = self.law.spread(self.form, gain)?;
        // A gain cannot be negative.
        let interval = half.map(|half| [(value - half).max(0.0), value + half]);
        from.is_finite().then_some(Doubling { from, gain: value, interval })
    }

    fn floor(&self) -> Answer {
        let floor = |form: &dyn Form, parameters: &[f64]| {
            self.curve(form, parameters).map(|curve| curve.floor)
        };
        // A loss has nearly symmetric errors as it is, so no logarithm is needed.
        let floors = |curves: &Curves| {
            curves.floors().into_iter().map(|excess| self.place.loss0 + excess).collect()
        };
        let Draft { mut answer, caveats, .. } = self.ask(floor, floors, false, |x| x, |x| x);
        let what = "nats per token that the curve tends to, an extrapolation to tokens without end";
        answer.say(what, &caveats, |x| format!("{x:.4}"));
        answer
    }

    fn enough_by_gain(&self, gain: f64) -> Answer {
        // The rule counts per million tokens, the curve per unit of the law.
        let million = 1e6 / self.law.scale().tokens;
        let what = format!("tokens until a million more buy {gain} nats");
        self.tokens(
            &what,
            true,
            |curve| curve.where_one_buys(gain / million),
            |curves| curves.where_one_buys(gain / 1e6),
        )
    }

    fn target(&self, target: f64) -> Answer {
        let what = format!("tokens for a loss of {target:.4} nats");
        if let Some(curves) = &self.curves {
            return self.target_of(curves, &what, target);
        }
        let is_known = self.law.reach(self.form, &self.place, None).is_known();
        let parameters = self.law.parameters(self.form);
        let own = self.curve(self.form, &parameters).filter(|_| is_known);
        if own.as_ref().is_some_and(|curve| target <= curve.floor) {
            let floor = self.floor();
            let mut code = vec![Code::BelowFloor];
            code.extend(floor.code);
            let sentence = format!("{target:.4} nats cannot be reached; {}", floor.sentence);
            return Answer { code, sentence, outside: floor.outside, ..Answer::default() };
        }
        // If the floor is open, the tokens for a loss are open too.
        let never = |_: &Curves| Vec::new();
        let mut answer = self.tokens(&what, false, |curve| curve.where_loss_is(target), never);
        if let (Some(curve), Some(tokens)) = (own, answer.value) {
            self.add_new_run(&mut answer, &curve, target, tokens);
        }
        answer
    }

    /// The tokens for a loss, by curves of which some may never reach it.
    fn target_of(&self, curves: &Curves, what: &str, target: f64) -> Answer {
        let excess = target - self.place.loss0;
        let reached = curves.where_excess_is(excess);
        let share = reached.iter().filter(|tokens| tokens.is_finite()).count() as f64
            / reached.len().max(1) as f64;
        if share < 0.5 * (1.0 - self.law.level) {
            let floor = self.floor();
            let sentence = format!("{target:.4} nats cannot be reached; {}", floor.sentence);
            let mut code = vec![Code::BelowFloor];
            code.extend(floor.code);
            return Answer { code, sentence, outside: floor.outside, ..Answer::default() };
        }
        let mut answer =
            self.tokens(what, false, |_| None, |curves| curves.where_excess_is(excess));
        if share < 1.0 {
            let percent = 100.0 * (1.0 - share);
            mark(&mut answer.code, Code::NewRunMayMiss);
            answer.sentence += &format!("; {percent:.0} % of the curves never get there");
        }
        answer
    }

    /// Adds the interval in which a new run reaches a loss. Its ends are where the mean curve lies
    /// above or below the loss by half a new run's interval.
    fn add_new_run(&self, answer: &mut Answer, curve: &TokenCurve<'_>, target: f64, tokens: f64) {
        let unit = self.law.scale().tokens;
        let row = self.law.row(&self.place.row(tokens));
        let spread =
            self.law.spread(self.form, |parameters| Some(self.form.value(parameters, &row)));
        let Some((_, Some(half))) = spread else { return };
        let Some(strays) = self.law.new_run_half(half) else {
            mark(&mut answer.code, Code::OneRun);
            answer.sentence += &format!("; {ONE_RUN_SAYS}");
            return;
        };
        // A run that lies low reaches the loss while the mean curve is still above it.
        let Some(low) = curve.where_loss_is(target + strays) else { return };
        let low = low * unit;
        match curve.where_loss_is(target - strays) {
            Some(high) => {
                answer.new_run = Some([low, high * unit]);
                let (low, high) = (short_count(low), short_count(high * unit));
                answer.sentence +=
                    &format!("; a run of your own gets there between {low} and {high}");
            }
            None => {
                mark(&mut answer.code, Code::NewRunMayMiss);
                let low = short_count(low);
                answer.sentence += &format!(
                    "; a run of your own gets there after {low} at the earliest, and may never"
                );
            }
        }
    }

    /// What this many floating-point operations buy.
    fn bought(&self, flops: f64) -> Result<Bought> {
        let Some(flops_per_token) = self.flops_per_token else {
            return Err(Fault::ZeroedUnknown { method: self.law.method.clone() }.into());
        };
        let tokens = (flops / flops_per_token).floor();
        if tokens < 1.0 {
            let expected = "enough floating-point operations for one token";
            return Err(Fault::Setting { name: "budget", found: flops, expected }.into());
        }
        let doubling = self.doubling(tokens);
        Ok(Bought {
            tokens,
            cost: self.bill.cost(tokens * flops_per_token),
            prediction: self.law.predict_about(self.subject, self.place, tokens)?,
            next_doubling: doubling.map_or_else(Amount::default, |d| Amount {
                value: Some(d.gain),
                interval: d.interval,
            }),
        })
    }

    /// Answers a question about a number of tokens, on the logarithmic scale.
    fn tokens(
        &self,
        what: &str,
        open_is_known: bool,
        tokens: impl Fn(&TokenCurve<'_>) -> Option<f64>,
        of_levels: impl Fn(&Curves) -> Vec<f64>,
    ) -> Answer {
        let unit = self.law.scale().tokens;
        let quantity = |form: &dyn Form, parameters: &[f64]| {
            self.curve(form, parameters)
                .and_then(|curve| tokens(&curve))
                .map(|tokens| tokens * unit)
        };
        let Draft { mut answer, mut caveats, half } =
            self.ask(quantity, of_levels, open_is_known, f64::ln, f64::exp);
        if half.is_some_and(|half| half > WIDEST_FACTOR.ln()) {
            mark(&mut answer.code, Code::IntervalTooWide);
            // Priors always give some number. One that the data hardly move is not told.
            if self.curves.is_some() {
                answer.value = None;
            }
            caveats.push(format!(
                "the interval reaches further than a factor of {WIDEST_FACTOR} either way"
            ));
        }
        let range = self.law.ranges.get("tokens").copied();
        // The answer itself may lie outside the measured tokens.
        let outside = |tokens: f64| Some((range?, Outside::of(Axis::Tokens, tokens, range?)?));
        if let Some((range, outside)) = answer.value.and_then(outside) {
            mark(&mut answer.code, Code::Extrapolation);
            caveats.push(outside.say(range));
            if outside.factor > FARTHEST {
                answer.value = None;
            }
            answer.outside.push(outside);
        }
        // One shift in the tokens moved such an answer from 1.17B to 1.75B, though the fit looked
        // good.
        if let Some(sentence) = self.law.misfit().filter(|_| self.curves.is_none()) {
            mark(&mut answer.code, Code::LackOfFit);
            answer.value = None;
            caveats.push(sentence);
        }
        let amount = Amount { value: answer.value, interval: answer.interval };
        let flops = self.flops_per_token.map(|of_one| amount.times(of_one));
        if let Some(flops) = flops.filter(|flops| *flops != Amount::default()) {
            answer.cost = Some(self.bill.spend(flops));
        }
        answer.say(what, &caveats, short_count);
        answer
    }

    /// The interval of samples.
    fn tails(&self, samples: &mut [f64]) -> Option<[f64; 2]> {
        let tail = 0.5 * (1.0 - self.law.level);
        Some([quantile(samples, tail)?, quantile(samples, 1.0 - tail)?])
    }

    /// A quantity with its interval, on a scale that makes its errors nearly symmetric.
    fn ask(
        &self,
        quantity: impl Fn(&dyn Form, &[f64]) -> Option<f64>,
        of_levels: impl Fn(&Curves) -> Vec<f64>,
        open_is_known: bool,
        to: fn(f64) -> f64,
        from: fn(f64) -> f64,
    ) -> Draft {
        let mut draft = Draft::default();
        let reach = self.law.reach(self.form, &self.place, None);
        let Draft { answer, caveats, half } = &mut draft;
        answer.outside.clone_from(&reach.outside);
        self.law.describe(&reach, &mut answer.code, caveats);
        // With one level of an axis, nothing is known elsewhere, not even a range.
        if !reach.unknown.is_empty() {
            return draft;
        }
        if let Some(curves) = &self.curves {
            let mut samples = of_levels(curves);
            let is_told = |x: &f64| x.is_finite() && to(*x).is_finite();
            let middle = quantile(&mut samples, 0.5).filter(is_told);
            answer.interval = self.tails(&mut samples).filter(|ends| ends.iter().all(is_told));
            *half = answer.interval.map(|[low, high]| 0.5 * (to(high) - to(low)));
            answer.value = middle.filter(|_| reach.is_known() && !reach.is_far());
            if answer.interval.is_none() {
                mark(&mut answer.code, Code::NoInterval);
                caveats.push("some of the curves have no such number".to_owned());
            }
            return draft;
        }
        if !reach.open.is_empty() {
            answer.hull = self.law.hull(&quantity);
            // The gain depends on the size through `delta` alone, and two sizes determine `delta`.
            if !open_is_known {
                return draft;
            }
        }
        let spread =
            self.law.spread(self.form, |parameters| quantity(self.form, parameters).map(to));
        let Some((value, found)) = spread else {
            mark(&mut answer.code, Code::TokensUntold);
            caveats.push("nothing in the data says what more tokens buy".to_owned());
            answer.hull = self.law.hull(&quantity);
            return draft;
        };
        let ends = found.map(|half| [from(value - half), from(value + half)]);
        answer.interval = ends.filter(|ends| ends.iter().all(|end| end.is_finite()));
        *half = found;
        if answer.interval.is_none() {
            mark(&mut answer.code, Code::NoInterval);
            caveats.push("not every refit has such a number, so there is no interval".to_owned());
        }
        answer.value =
            (reach.is_known() && !reach.is_far()).then_some(from(value)).filter(|x| x.is_finite());
        draft
    }
}

/// An unfinished answer.
#[derive(Default)]
struct Draft {
    answer: Answer,
    caveats: Vec<String>,
    /// Half the width of the interval, on the scale of the question.
    half: Option<f64>,
}
