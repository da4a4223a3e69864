//! What the data could not tell, and what no such data can tell.

use law::{Code, GroupLaw};
use maud::{Markup, html};

use super::input::PageInput;
use crate::number::nats;
use crate::text::{said, sentences, shown};

/// The codes of one law, with their sentences.
pub(crate) fn section(group: &GroupLaw) -> Markup {
    let known = group.identifiability();
    html! {
        @if known.code().is_empty() && group.warnings().is_empty() {
            p { "Nothing of what the law asks for. " (said(known.sentence())) }
        }
        @if !known.code().is_empty() {
            div.doubt {
                p { (codes(known.code().iter().map(Code::id))) }
                p { (said(known.sentence())) }
                @if !known.undetermined().is_empty() {
                    p { "Left open: " (codes(known.undetermined().iter().map(String::as_str))) "." }
                }
            }
        }
        @for warning in group.warnings() {
            div.doubt {
                p { code { (shown(warning.code().id())) } }
                p { (said(warning.sentence())) }
                @if !warning.runs().is_empty() {
                    details { summary { "Runs" } p { (codes(warning.runs().iter().map(String::as_str))) } }
                }
            }
        }
    }
}

/// Caveats that hold for every law of this kind.
pub(crate) const CARE: [&str; 4] = [
    "loss is not ability: layer-pruned models did not get their arithmetic back in hundreds of billions of tokens; \
     test what you need the model for",
    "the more is pruned and the longer it is trained, the less a pruned start is ahead of training the same small shape \
     from scratch; when most of a model goes, compare with that",
    "a law speaks for the series, the method, the text and the training recipe it was fitted on; further out it is a guess \
     that its intervals do not cover",
    "an interval is for the question that it answers: a run that goes on, a new run from the same base, and a base that \
     the law has not seen scatter more, in this order",
];

/// Caveats on every page of this kind.
pub(super) fn care(input: &PageInput<'_>) -> Markup {
    html! {
        section {
            h2 { "Read with care" }
            (sentences(CARE))
            @if let Some(entropy) = input.entropy {
                p {
                    "The entropy of this text is " (nats(entropy.nats)) " nats per token"
                    @if let Some(error) = entropy.standard_error {
                        ", and a held-out loss has a standard error of " (nats(error))
                    }
                    ": a loss below that by more than its error would be a mistake in the measurement."
                }
            }
        }
    }
}

fn codes<'a>(list: impl Iterator<Item = &'a str>) -> Markup {
    html! { @for (i, code) in list.enumerate() { @if i > 0 { ", " } code { (shown(code)) } } }
}
