//! Plans and predictions as tables and sentences, for the terminal and for the page.

use law::plan::{Allocation, Amount, Decided, Offer, Refusal, Spend};
use law::{Answer, Plan, Prediction};
use ledger::{ShortNumber, short_count};

use crate::sheet::{Cell, Quantity, Sheet, SheetColumn};

/// Every answer about one pruned model. `short` shows the numbers of the questions.
pub fn answers(plan: &Plan, level: f64, short: ShortNumber) -> Sheet {
    let mut sheet = Sheet::new([
        SheetColumn::words("").spoken("question"),
        SheetColumn::numbers("").spoken("answer"),
        SheetColumn::words(&format!("{} interval", percent(level))),
        SheetColumn::words("notes"),
    ]);
    let codes = |answer: &Answer| Cell::Codes(answer.code().to_vec());
    let own_run = || Cell::Part("by a run of your own".to_owned());
    for (what, answer) in asked(plan, short) {
        sheet.row([
            Cell::Text(what),
            Cell::number(Quantity::Tokens, answer.value()),
            // Without an interval, the range of all laws that fit as well is shown.
            Cell::ends(Quantity::Tokens, answer.interval().or(answer.hull())),
            codes(answer),
        ]);
        if let Some(span) = answer.new_run() {
            sheet.row([own_run(), Cell::Empty, Cell::Ends(Quantity::Tokens, span), Cell::Empty]);
        }
    }
    let floor = plan.floor();
    sheet.row([
        Cell::text("floor, nats per token"),
        Cell::number(Quantity::Nats, floor.value()),
        Cell::ends(Quantity::Nats, floor.interval().or(floor.hull())),
        codes(floor),
    ]);
    if let Some(loss) = plan.loss_then() {
        sheet.row([
            Cell::text("loss after enough tokens, nats per token"),
            Cell::Number(Quantity::Nats, loss),
            Cell::ends(Quantity::Nats, plan.loss_then_mean()),
            Cell::Empty,
        ]);
        let span = Cell::ends(Quantity::Nats, plan.loss_then_new_run());
        sheet.row([own_run(), Cell::Empty, span, Cell::Empty]);
    }
    if let Some(bought) = plan.for_budget() {
        let (then, gain) = (bought.prediction(), bought.next_doubling());
        sheet.row([
            Cell::text("tokens for the budget"),
            Cell::Number(Quantity::Tokens, bought.tokens()),
            Cell::text("exact"),
            Cell::Empty,
        ]);
        sheet.row([
            Cell::Part("loss then, nats per token".to_owned()),
            Cell::number(Quantity::Nats, then.loss()),
            Cell::ends(Quantity::Nats, then.mean()),
            Cell::Codes(then.code().to_vec()),
        ]);
        sheet.row([
            own_run(),
            Cell::Empty,
            Cell::ends(Quantity::Nats, then.new_run()),
            Cell::Empty,
        ]);
        sheet.row([
            Cell::Part("the next doubling buys, nats".to_owned()),
            Cell::number(Quantity::Plain, gain.value),
            Cell::ends(Quantity::Plain, gain.interval),
            Cell::Empty,
        ]);
    }
    sheet
}

/// What each answer costs; `None` where none has a number.
pub fn costs(plan: &Plan, level: f64, short: ShortNumber) -> Option<Sheet> {
    let mut sheet = Sheet::new([
        SheetColumn::words("what it costs"),
        SheetColumn::numbers("").spoken("cost"),
        SheetColumn::words(&format!("{} interval", percent(level))),
    ]);
    for (what, answer) in asked(plan, short) {
        let Some(Spend { flops, gpu_hours, usd }) = answer.cost() else { continue };
        let mut add = |what: Cell, amount: Amount, quantity: Quantity| {
            let ends = Cell::ends(quantity, amount.interval);
            sheet.row([what, Cell::number(quantity, amount.value), ends]);
        };
        add(Cell::Text(what), flops, Quantity::Operations);
        if let Some(hours) = gpu_hours {
            add(Cell::Part("GPU-hours".to_owned()), hours, Quantity::Plain);
        }
        if let Some(usd) = usd {
            add(Cell::Part("US dollars".to_owned()), usd, Quantity::Plain);
        }
    }
    (!sheet.rows().is_empty()).then_some(sheet)
}

/// What each doubling buys; `None` where that is not known.
pub fn doublings(plan: &Plan, level: f64) -> Option<Sheet> {
    let mut sheet = Sheet::new([
        SheetColumn::numbers("tokens"),
        SheetColumn::numbers("doubling them buys, nats"),
        SheetColumn::words(&format!("{} interval", percent(level))),
    ]);
    for doubling in plan.doublings() {
        sheet.row([
            Cell::Number(Quantity::Tokens, doubling.from()),
            Cell::Number(Quantity::Plain, doubling.gain()),
            Cell::ends(Quantity::Plain, doubling.interval()),
        ]);
    }
    (!sheet.rows().is_empty()).then_some(sheet)
}

/// One row per candidate: the tokens and cost that it would need on its own.
pub fn candidates(plans: &[Decided<'_>]) -> Sheet {
    let mut sheet = Sheet::new([
        SheetColumn::words("model"),
        SheetColumn::words("method"),
        SheetColumn::numbers("rate"),
        SheetColumn::numbers("keeps"),
        SheetColumn::numbers("enough tokens"),
        SheetColumn::words("interval"),
        SheetColumn::numbers("cost"),
        SheetColumn::numbers("loss then"),
        SheetColumn::numbers("floor"),
        SheetColumn::words("notes"),
    ]);
    for decided in plans {
        let (plan, enough) = (decided.plan(), decided.plan().enough());
        sheet.row([
            Cell::Name(name(decided.candidate().model.as_deref(), plan.place().n0)),
            Cell::Name(decided.group().method_and_objective()),
            Cell::Number(Quantity::Rate, plan.place().rate),
            Cell::number(Quantity::Parameters, plan.parameters()),
            Cell::number(Quantity::Tokens, enough.value()),
            Cell::ends(Quantity::Tokens, enough.interval().or(enough.hull())),
            Cell::number(Quantity::Operations, enough.cost().and_then(|cost| cost.flops.value)),
            Cell::number(Quantity::Nats, plan.loss_then()),
            Cell::number(Quantity::Nats, plan.floor().value()),
            Cell::Codes(enough.code().to_vec()),
        ]);
    }
    sheet
}

/// One row per offer.
pub fn offers<'a>(offers: impl IntoIterator<Item = &'a Offer>, level: f64) -> Sheet {
    let mut sheet = Sheet::new([
        SheetColumn::words("model"),
        SheetColumn::words("method"),
        SheetColumn::numbers("rate"),
        SheetColumn::numbers("keeps"),
        SheetColumn::numbers("tokens"),
        SheetColumn::numbers("nats per token"),
        SheetColumn::words(&format!("mean curve, {}", percent(level))),
        SheetColumn::words("a new run"),
        SheetColumn::numbers("cost"),
        SheetColumn::words("notes"),
    ]);
    for offer in offers {
        let pruned = offer.pruned();
        let is_pruned = pruned.place().rate > 0.0;
        // The loss of an unpruned model was given by the user, so it has no interval.
        let span = |span| match is_pruned {
            true => Cell::ends(Quantity::Nats, span),
            false => Cell::text("as given"),
        };
        sheet.row([
            Cell::Name(name(pruned.model(), pruned.place().n0)),
            match is_pruned {
                true => Cell::Name(pruned.method_and_objective()),
                false => Cell::text("as it is"),
            },
            Cell::Number(Quantity::Rate, pruned.place().rate),
            Cell::Number(Quantity::Parameters, offer.parameters()),
            Cell::Number(Quantity::Tokens, offer.tokens()),
            Cell::Number(Quantity::Nats, offer.loss()),
            span(offer.mean()),
            span(offer.new_run()),
            Cell::Cost(offer.cost()),
            Cell::Codes(offer.code().to_vec()),
        ]);
    }
    sheet
}

/// A prediction: the loss and what is uncertain about it.
pub fn prediction(prediction: &Prediction) -> Sheet {
    let level = percent(prediction.level());
    let [curve, point] = match prediction.about() {
        Some(_) => ["its curve", "a point measured on it"],
        None => ["mean curve", "a new run"],
    };
    let mut sheet = Sheet::new([
        SheetColumn::words("").spoken("what"),
        SheetColumn::words("").spoken("nats per token"),
    ]);
    let loss = Cell::number(Quantity::Nats, prediction.loss());
    sheet.row([Cell::text("loss, nats per token"), loss]);
    let mut ends = |what: String, ends| {
        sheet.row([Cell::Text(what), Cell::ends(Quantity::Nats, ends)]);
    };
    ends(format!("{curve}, {level} interval"), prediction.mean());
    ends(format!("{point}, {level} interval"), prediction.new_run());
    if prediction.hull().is_some() {
        ends("laws that fit as well".to_owned(), prediction.hull());
    }
    sheet
}

/// The best offer in a sentence.
pub fn best_offer(found: &Allocation) -> String {
    let Some(offer) = found.lowest() else {
        return "no candidate can be offered within the limits".to_owned();
    };
    let rivals = match found.tied() {
        // `tied` counts the best offer itself.
        0 | 1 => String::new(),
        2 => "; one other cannot be told apart from it".to_owned(),
        tied => format!("; {} others cannot be told apart from it", tied - 1),
    };
    let place = offer.pruned().place();
    let between = |[low, high]: [f64; 2]| format!(", between {low:.4} and {high:.4}");
    format!(
        "lowest loss within the limits: {} by `{}` at rate {:.4}, after {} tokens: {:.4} nats per token{}{rivals}",
        name(offer.pruned().model(), place.n0),
        offer.pruned().method_and_objective(),
        place.rate,
        short_count(offer.tokens()),
        offer.loss(),
        offer.mean().map_or_else(String::new, between),
    )
}

/// Why a candidate is not offered, in a sentence.
pub fn not_offered(refusal: &Refusal) -> String {
    let (pruned, sentence) = (refusal.pruned(), refusal.sentence());
    format!(
        "not offered: {} by `{}` at rate {:.4}: {sentence}",
        name(pruned.model(), pruned.place().n0),
        pruned.method_and_objective(),
        pruned.place().rate
    )
}

/// The name of a candidate: its model, or else its size.
fn name(model: Option<&str>, n0: f64) -> String {
    model.map_or_else(|| ledger::Params(n0.round() as u64).short(), str::to_owned)
}

fn asked(plan: &Plan, short: ShortNumber) -> Vec<(String, &Answer)> {
    let gain = short.show(plan.doubling_gain());
    let mut asked = vec![(format!("tokens until a doubling buys {gain} nats"), plan.enough())];
    if let (Some(gain), Some(answer)) = (plan.min_gain(), plan.enough_by_gain()) {
        asked.push((format!("tokens until a million buy {} nats", short.show(gain)), answer));
    }
    if let (Some(target), Some(answer)) = (plan.target_loss(), plan.for_target()) {
        asked.push((format!("tokens for a loss of {target:.4} nats"), answer));
    }
    if let (Some(recovery), Some(target), Some(answer)) =
        (plan.recover(), plan.recovered_loss(), plan.for_recovery())
    {
        let (share, from) = (percent(recovery.share), recovery.reference);
        asked.push((format!("tokens to recover {share} from {from:.4}, {target:.4} nats"), answer));
    }
    asked
}

/// A probability as percent: `90 %`.
pub fn percent(share: f64) -> String {
    // Rounded to four decimals, or 0.29 would be shown as 28.999999999999996 %.
    format!("{} %", (share * 1e6).round() / 1e4)
}
