//! Prints plans as tables.

use law::plan::{Allocation, Amount, Candidate, Cost, Offer, Plan, Refusal, Spend};
use law::{Answer, Code, GroupLaw};

use crate::show::number::{ends, nats, parameters, percent, short, tokens};
use crate::show::table::{Align, TextTable};

/// The name of a candidate: its model, or else its size.
pub(super) fn name(model: Option<&str>, n0: f64) -> String {
    model.map_or_else(|| parameters(n0), str::to_owned)
}

/// Every answer about one pruned model.
pub(super) fn answers(plan: &Plan, level: f64) -> TextTable {
    let interval = format!("{} interval", percent(level));
    let mut table = TextTable::new(&[
        ("", Align::Left),
        ("", Align::Right),
        (&interval, Align::Left),
        ("notes", Align::Left),
    ]);
    for (what, answer) in asked(plan) {
        table.row([
            what,
            value(answer, tokens),
            // Without an interval, the range of all laws that fit as well is shown.
            ends(answer.interval().or(answer.hull()), tokens),
            notes(answer.code()),
        ]);
        if let Some(span) = answer.new_run() {
            table.row([
                "  by a run of your own".into(),
                String::new(),
                ends(Some(span), tokens),
                String::new(),
            ]);
        }
    }
    table.row([
        "floor, nats per token".into(),
        value(plan.floor(), nats),
        ends(plan.floor().interval().or(plan.floor().hull()), nats),
        notes(plan.floor().code()),
    ]);
    if let Some(loss) = plan.loss_then() {
        let mut row = |what: &str, value: String, span| {
            table.row([what.to_owned(), value, ends(span, nats), String::new()]);
        };
        row("loss after enough tokens, nats per token", nats(loss), plan.loss_then_mean());
        row("  by a run of your own", String::new(), plan.loss_then_new_run());
    }
    if let Some(bought) = plan.for_budget() {
        let mut row = |what: &str, value: String, span: String, note: String| {
            table.row([what.to_owned(), value, span, note]);
        };
        row("tokens for the budget", tokens(bought.tokens()), "exact".into(), String::new());
        let loss = bought.prediction().loss().map_or_else(unknown, nats);
        row(
            "  loss then, nats per token",
            loss,
            ends(bought.prediction().mean(), nats),
            notes(bought.prediction().code()),
        );
        row(
            "  by a run of your own",
            String::new(),
            ends(bought.prediction().new_run(), nats),
            String::new(),
        );
        let gain = bought.next_doubling();
        row(
            "  the next doubling buys, nats",
            gain.value.map_or_else(unknown, short),
            ends(gain.interval, short),
            String::new(),
        );
    }
    table
}

/// What each answer costs; `None` where none has a number.
pub(super) fn costs(plan: &Plan, level: f64) -> Option<TextTable> {
    let interval = format!("{} interval", percent(level));
    let mut table = TextTable::new(&[
        ("what it costs", Align::Left),
        ("", Align::Right),
        (&interval, Align::Left),
    ]);
    let mut any = false;
    for (what, answer) in asked(plan) {
        let Some(Spend { flops, gpu_hours, usd }) = answer.cost() else { continue };
        any = true;
        let mut add = |what: String, amount: Amount, show: fn(f64) -> String| {
            table.row([what, amount.value.map_or_else(unknown, show), ends(amount.interval, show)]);
        };
        add(what, flops, operations);
        if let Some(hours) = gpu_hours {
            add("  GPU-hours".to_owned(), hours, short);
        }
        if let Some(usd) = usd {
            add("  US dollars".to_owned(), usd, short);
        }
    }
    any.then_some(table)
}

pub(super) fn doublings(plan: &Plan, level: f64) -> TextTable {
    let interval = format!("{} interval", percent(level));
    let columns = [
        ("tokens", Align::Right),
        ("doubling them buys, nats", Align::Right),
        (&*interval, Align::Left),
    ];
    let mut table = TextTable::new(&columns);
    for doubling in plan.doublings() {
        table.row([
            tokens(doubling.from()),
            short(doubling.gain()),
            ends(doubling.interval(), short),
        ]);
    }
    table
}

/// One row per candidate: the tokens and cost that it would need on its own.
pub(super) fn candidates(plans: &[(&Candidate, &GroupLaw, Plan)]) -> TextTable {
    let mut table = TextTable::new(&[
        ("model", Align::Left),
        ("method", Align::Left),
        ("rate", Align::Right),
        ("keeps", Align::Right),
        ("enough tokens", Align::Right),
        ("interval", Align::Left),
        ("cost", Align::Right),
        ("loss then", Align::Right),
        ("floor", Align::Right),
        ("notes", Align::Left),
    ]);
    for (candidate, group, plan) in plans {
        table.row([
            name(candidate.model.as_deref(), plan.place().n0),
            group.method_and_objective(),
            format!("{:.4}", plan.place().rate),
            plan.parameters().map_or_else(unknown, parameters),
            value(plan.enough(), tokens),
            ends(plan.enough().interval().or(plan.enough().hull()), tokens),
            plan.enough().cost().and_then(|cost| cost.flops.value).map_or_else(unknown, operations),
            plan.loss_then().map_or_else(unknown, nats),
            value(plan.floor(), nats),
            notes(plan.enough().code()),
        ]);
    }
    table
}

/// One row per offer.
pub(super) fn offers<'a>(offers: impl Iterator<Item = &'a Offer>, level: f64) -> TextTable {
    let mean = format!("mean curve, {}", percent(level));
    let mut table = TextTable::new(&[
        ("model", Align::Left),
        ("method", Align::Left),
        ("rate", Align::Right),
        ("keeps", Align::Right),
        ("tokens", Align::Right),
        ("nats per token", Align::Right),
        (&mean, Align::Left),
        ("a new run", Align::Left),
        ("cost", Align::Right),
        ("notes", Align::Left),
    ]);
    for offer in offers {
        let is_pruned = offer.pruned().place().rate > 0.0;
        // The loss of an unpruned model was given by the user, so it has no interval.
        let span = |span| if is_pruned { ends(span, nats) } else { "as given".to_owned() };
        table.row([
            name(offer.pruned().model(), offer.pruned().place().n0),
            if is_pruned { offer.pruned().method_and_objective() } else { "as it is".to_owned() },
            format!("{:.4}", offer.pruned().place().rate),
            parameters(offer.parameters()),
            tokens(offer.tokens()),
            nats(offer.loss()),
            span(offer.mean()),
            span(offer.new_run()),
            cost(&offer.cost()),
            notes(offer.code()),
        ]);
    }
    table
}

/// The heading of the front's table.
pub(super) fn of_front(all: usize, shown: usize, step: f64) -> String {
    let front = "the front: no other has less loss, size and cost; cheapest first";
    match all - shown {
        0 => front.to_owned(),
        left => format!(
            "{front}; {left} more, each within {} nats of one that is no dearer and no larger, are in `--json`",
            short(step)
        ),
    }
}

/// The best offer in a sentence.
pub(super) fn best(found: &Allocation) -> String {
    let Some(offer) = found.lowest() else {
        return "no candidate can be offered within the limits".to_owned();
    };
    let rivals = match found.tied() {
        // `tied` counts the best offer itself.
        0 | 1 => String::new(),
        2 => "; one other cannot be told apart from it".to_owned(),
        tied => format!("; {} others cannot be told apart from it", tied - 1),
    };
    let model = name(offer.pruned().model(), offer.pruned().place().n0);
    let interval = offer.mean().map_or_else(String::new, |span| {
        format!(", between {}", ends(Some(span), nats).replace(" to ", " and "))
    });
    format!(
        "lowest loss within the limits: {model} by `{}` at rate {:.4}, after {} tokens: {} nats per token{interval}{rivals}",
        offer.pruned().method_and_objective(),
        offer.pruned().place().rate,
        tokens(offer.tokens()),
        nats(offer.loss())
    )
}

pub(super) fn refused(refusal: &Refusal) -> String {
    let (model, place, sentence) =
        (refusal.pruned().model(), refusal.pruned().place(), refusal.sentence());
    let method = refusal.pruned().method_and_objective();
    format!(
        "not offered: {} by `{method}` at rate {:.4}: {sentence}",
        name(model, place.n0),
        place.rate
    )
}

fn asked(plan: &Plan) -> Vec<(String, &Answer)> {
    let doubling = format!("tokens until a doubling buys {} nats", short(plan.doubling_gain()));
    let mut asked = vec![(doubling, plan.enough())];
    if let (Some(gain), Some(answer)) = (plan.min_gain(), plan.enough_by_gain()) {
        asked.push((format!("tokens until a million buy {} nats", short(gain)), answer));
    }
    if let (Some(target), Some(answer)) = (plan.target_loss(), plan.for_target()) {
        asked.push((format!("tokens for a loss of {} nats", nats(target)), answer));
    }
    if let (Some(recovery), Some(target), Some(answer)) =
        (plan.recover(), plan.recovered_loss(), plan.for_recovery())
    {
        let (share, from) = (percent(recovery.share), nats(recovery.reference));
        asked.push((
            format!("tokens to recover {share} from {from}, {} nats", nats(target)),
            answer,
        ));
    }
    asked
}

fn value(answer: &Answer, show: fn(f64) -> String) -> String {
    answer.value().map_or_else(unknown, show)
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn notes(codes: &[Code]) -> String {
    codes.iter().map(Code::id).collect::<Vec<_>>().join(", ")
}

fn operations(flops: f64) -> String {
    ledger::Flops(flops).to_string()
}

fn cost(cost: &Cost) -> String {
    let hours = cost.gpu_hours().map(|hours| format!(", {} GPU-hours", short(hours)));
    let usd = cost.usd().map(|usd| format!(", {} USD", short(usd)));
    operations(cost.flops()) + &hours.unwrap_or_default() + &usd.unwrap_or_default()
}
