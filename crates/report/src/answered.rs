//! The answers to one question, as parts of a page that asks again and again.
//!
//! Each part is HTML for one place of the page. Names from outside are escaped.

use law::plan::{Allocation, Decisions};
use law::{Answer, GroupLaw, Plan, Prediction};
use ledger::ShortNumber;
use maud::{Markup, html};

use crate::number::count;
use crate::page::answer::{headline, lead};
use crate::page::unknowns::{self, CARE};
use crate::pictures::{choice_plot, plan_plot, size_plot};
use crate::plan;
use crate::sheet::marks;
use crate::text::{said, sentences};

/// The most offers of the front that a page shows.
const FRONT: usize = 12;
/// How numbers in the questions are shown.
const SHORT: ShortNumber = ShortNumber::page(4);

/// How many tokens are enough, in sentences.
pub fn enough(group: &GroupLaw, plan: &Plan) -> String {
    let code = plan.enough().code();
    html! {
        p.answer { (headline(group, plan)) }
        @if !code.is_empty() { p.marks { (marks(code)) } }
        (lead(plan))
    }
    .into_string()
}

/// The curve with its intervals, its floor and enough tokens. `None` if there is no curve.
pub fn curve(group: &GroupLaw, plan: &Plan, asked: Option<(f64, &Prediction)>) -> Option<String> {
    let plot = plan_plot(group, plan, asked)?;
    let [darker, lighter] = match group.levels() {
        Some(_) => ["its curve", "a point measured on it"],
        None => ["the mean curve", "a new run"],
    };
    let figure = html! {
        figure {
            (plot.inline("curve"))
            figcaption {
                "The line is the law. The darker shade is the " (plan::percent(group.level()))
                " interval of " (darker) ", the lighter one that of " (lighter) "."
                @if plan.loss_then().is_some() {
                    " The hollow diamond is where tokens are enough, with its interval."
                }
                @if asked.is_some_and(|(_, prediction)| prediction.loss().is_some()) {
                    " The filled mark is the loss after the tokens that you have."
                }
            }
        }
    };
    Some(figure.into_string())
}

/// Every answer about one pruned model in numbers, what it costs, and what doublings buy.
pub fn numbers(group: &GroupLaw, of: &Plan) -> String {
    let level = group.level();
    html! {
        (plan::answers(of, level, SHORT).markup("Tokens, floor and losses"))
        @match plan::costs(of, level, SHORT) {
            Some(costs) => (costs.markup("What it costs")),
            None => p.note { "The data do not tell what it costs." },
        }
        @if let Some(doublings) = plan::doublings(of, level) {
            details {
                summary { "What each doubling buys" }
                (doublings.markup("What each doubling buys"))
            }
        }
    }
    .into_string()
}

/// The loss after a number of tokens.
pub fn foretold(tokens: f64, prediction: &Prediction) -> String {
    html! {
        p { "After " (count(tokens)) " tokens: " (said(prediction.sentence())) }
        (plan::prediction(prediction).markup("The loss after these tokens"))
        @if !prediction.code().is_empty() { p.marks { (marks(prediction.code())) } }
    }
    .into_string()
}

/// What can be had: the front in two pictures and in tables.
pub fn choice(found: &Decisions<'_>, id: &str) -> String {
    let level = found.plans().first().map_or(0.9, |decided| decided.group().level());
    html! {
        @if let Some(allocation) = found.allocation() {
            p { (said(&plan::best_offer(allocation))) }
            (pictures(allocation, id))
            @if !allocation.best().is_empty() {
                (plan::offers(allocation.best(), level).markup("The best offer of each candidate"))
            }
            (front(allocation, level))
            @for warning in allocation.warnings() { p.doubt { (said(warning.sentence())) } }
            (sentences(
                allocation.refused().iter().map(plan::not_offered).collect::<Vec<_>>().iter().map(String::as_str)
            ))
        }
        @if found.plans().len() > 1 || found.allocation().is_none() {
            (plan::candidates(found.plans()).markup("Each candidate by itself, until a doubling buys too little"))
        }
    }
    .into_string()
}

fn pictures(found: &Allocation, id: &str) -> Markup {
    html! {
        div.panels {
            @if let Some(plot) = size_plot(found) {
                figure {
                    h3 { "Loss against size" }
                    (plot.inline(&format!("{id}-size")))
                }
            }
            @if let Some(plot) = choice_plot(found) {
                figure {
                    h3 { "Loss against cost" }
                    (plot.inline(&format!("{id}-cost")))
                }
            }
        }
    }
}

fn front(found: &Allocation, level: f64) -> Markup {
    let (front, step) = found.thinned(FRONT);
    let left = found.front().len() - front.len();
    html! {
        @if !front.is_empty() {
            details {
                summary { "The front: no other offer has less loss, size and cost" }
                (plan::offers(front, level).markup("The front, cheapest first"))
                @if left > 0 {
                    p.note {
                        (left) " more are left out: each is within " (SHORT.show(step))
                        " nats of one that is no dearer and no larger."
                    }
                }
            }
        }
    }
}

/// What the law cannot tell, in words.
pub fn cannot_tell(group: &GroupLaw, of: Option<&Plan>, asked: Option<&Prediction>) -> String {
    let doubted = |answer: &&Answer| !answer.code().is_empty();
    let answers = of.into_iter().flat_map(|plan| plan.asked().chain([plan.floor()]));
    let mut doubts: Vec<&str> = answers.filter(doubted).map(Answer::sentence).collect();
    doubts.extend(asked.filter(|asked| !asked.code().is_empty()).map(Prediction::sentence));
    html! {
        (sentences(doubts))
        h3 { "In the law itself" }
        (unknowns::section(group))
        h3 { "Of any such law" }
        (sentences(CARE))
    }
    .into_string()
}
