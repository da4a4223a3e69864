//! One page that stands alone: the answer, the curves, the law, what the data could not tell, and
//! how it was made.

mod answer;
mod bases;
mod curves;
mod doubling;
mod doubts;
mod felt;
mod fitted;
mod made;
mod place;

use law::{GroupLaw, Law, TableRow};
use ledger::{Done, RunRecord};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::plot::{PLOT_STYLE, Plot, palette};
use crate::text::{said, shown};

/// All that the page shows. Every number on it is one of these, or a mark on an axis.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What was looked at, in a few words.
    pub title: &'a str,
    /// The law, as in `law.json`.
    pub law: &'a Law,
    /// Every measured point, as in `points.csv`, controls and points set aside among them.
    pub rows: &'a [TableRow],
    /// What is known of the runs beyond their points; a run may be missing.
    pub runs: &'a [RunFacts],
    /// The models before pruning, each with what its own training said; may be empty.
    pub bases: &'a [RunFacts],
    /// Runs that are not in `rows`, and why.
    pub left_out: &'a [LeftOut],
    /// The entropy of the text, where it is known.
    pub entropy: Option<Entropy>,
    /// How the page was made: commit, seeds, hashes, machine, versions, command.
    pub facts: &'a [Fact],
}

/// One run's own files.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// `record.json`; its `id` is the `run` of the points.
    pub record: RunRecord,
    /// `done.json`; `None` for a run that has not ended.
    pub done: Option<Done>,
}

/// A run that nothing was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name.
    pub run: String,
    /// Why, in a sentence.
    pub why: String,
}

/// One line about how the page was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub name: String,
    /// The value.
    pub value: String,
}

/// What no model of a text can get below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entropy {
    /// Nats per token.
    pub nats: f64,
    /// The standard error of a held-out loss, where it is known.
    pub standard_error: Option<f64>,
}

/// The page, a whole HTML document.
pub fn page(input: &Input<'_>) -> String {
    document(input).into_string()
}

/// The curves of the law with the most runs, one plot a size, under the answer: an SVG file of its
/// own.
pub fn picture(input: &Input<'_>) -> String {
    let Some(group) = in_order(input).into_iter().next() else {
        return Plot::grid(&[], 1, input.title);
    };
    let panels = curves::panels(input, group);
    let plots: Vec<&Plot> = panels.iter().map(|panel| &panel.plot).collect();
    Plot::grid(&plots, if plots.len() > 1 { 2 } else { 1 }, &answer::short(group))
}

fn document(input: &Input<'_>) -> Markup {
    let groups = in_order(input);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content="regrow";
                title { (shown(input.title)) }
                style { (PreEscaped(palette())) (PreEscaped(PLOT_STYLE)) (PreEscaped(include_str!("page/style.css"))) }
            }
            body {
                header {
                    p.eyebrow { (shown(input.title)) }
                    @match groups.first() {
                        Some(group) => (answer::header(group)),
                        None => h1 { "The data cannot tell: there is no law to show." },
                    }
                }
                main {
                    @for (i, group) in groups.iter().enumerate() { (section(input, group, i, groups.len() > 1)) }
                    (bases::section(input, &groups))
                    (doubts::care(input))
                    (made::left_out(input))
                    (made::how(input))
                }
                footer {
                    p {
                        "Every number in the text is taken from the fitted law, the measured points, the recipe or a run's own "
                        "record, and keeps its exact value in the page's source. Losses are held-out, in nats per token; a rate is "
                        "the fraction of all parameters that was removed."
                    }
                }
            }
        }
    }
}

/// All about one law.
fn section(input: &Input<'_>, group: &GroupLaw, number: usize, several: bool) -> Markup {
    let of = |what: &str| match several {
        true => {
            html! { (what) small { " · " bdi { (shown(&group.series)) } ", " bdi { (shown(&group.method)) } } }
        }
        false => html! { (what) },
    };
    html! {
        section {
            h2 { (of("How many tokens are enough")) }
            (answer::section(group, number, number > 0))
        }
        section {
            h2 { (of("Loss against tokens")) }
            (curves::figures(input, group, number))
        }
        section {
            h2 { (of("What one more doubling buys")) }
            (doubling::section(group, number))
        }
        section {
            h2 { (of("The law")) }
            (fitted::section(group))
        }
        section {
            h2 { (of("What the data could not tell")) }
            (doubts::section(group))
        }
    }
}

/// The laws, that of the most runs first: it has the most to say.
fn in_order<'a>(input: &Input<'a>) -> Vec<&'a GroupLaw> {
    let mut groups: Vec<&GroupLaw> = input.law.groups.iter().collect();
    groups.sort_by_key(|group| std::cmp::Reverse((group.runs, group.points)));
    groups
}

/// A list of sentences; nothing when there is none.
fn sentences<'a>(list: impl IntoIterator<Item = &'a str>) -> Markup {
    let list: Vec<&str> = list.into_iter().filter(|text| !text.trim().is_empty()).collect();
    html! { @if !list.is_empty() { ul { @for sentence in &list { li { (said(sentence)) } } } } }
}
