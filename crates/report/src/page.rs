//! One page that needs no other file: the answer, the curves, the law, what the data could not
//! tell, and how it was made.

pub(crate) mod answer;
mod bases;
mod curves;
mod decisions;
mod doubling;
mod fitted;
mod influence;
mod input;
mod made;
pub(crate) mod unknowns;
mod worth;

use law::GroupLaw;
use maud::{Markup, html};

use crate::document::document;
use crate::plot::Plot;
use crate::text::shown;

pub use decisions::first_asked;
pub use input::{Entropy, Fact, PageInput, RunFacts, SkippedRun};

/// The page as a whole HTML document.
pub fn page(input: &PageInput<'_>) -> String {
    document(input.title, &body(input)).into_string()
}

/// The curves of the law with the most runs as an SVG file, one plot for each size, with the answer
/// as the heading.
pub fn picture(input: &PageInput<'_>) -> String {
    let Some(group) = in_order(input).into_iter().next() else {
        return Plot::grid(&[], 1, input.title);
    };
    let panels = curves::panels(input, group);
    let plots: Vec<&Plot> = panels.iter().map(|panel| &panel.plot).collect();
    Plot::grid(&plots, if plots.len() > 1 { 2 } else { 1 }, &answer::short(group))
}

fn body(input: &PageInput<'_>) -> Markup {
    let groups = in_order(input);
    html! {
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
            (unknowns::care(input))
            (made::left_out(input))
            (made::how(input))
        }
        footer {
            p {
                "Every number in the text is taken from the fitted law, its validation, the measured points, the recipe or a "
                "run's own record, and keeps its exact value in the page's source. Losses are held-out, in nats per token; a "
                "rate is the fraction of all parameters that was removed."
            }
        }
    }
}

/// Everything about one law.
fn section(input: &PageInput<'_>, group: &GroupLaw, number: usize, several: bool) -> Markup {
    let of = |what: &str| match several {
        true => {
            html! { (what) small { " · " bdi { (shown(group.series())) } ", " bdi { (shown(&group.method_and_objective())) } } }
        }
        false => html! { (what) },
    };
    html! {
        section {
            h2 { (of("How many tokens are enough")) }
            (answer::section(group, number, number > 0))
        }
        @if let Some(judged) = worth::of(input, group) {
            section {
                h2 { (of("Can the law be trusted")) }
                (worth::section(judged))
            }
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
            (unknowns::section(group))
        }
    }
}

/// The laws, with the one with the most runs first: it is the best supported.
fn in_order<'a>(input: &PageInput<'a>) -> Vec<&'a GroupLaw> {
    let mut groups: Vec<&GroupLaw> = input.law.groups().iter().collect();
    // Sorting is stable, so equal groups keep the order of the file.
    groups.sort_by_key(|group| std::cmp::Reverse((group.runs(), group.points())));
    groups
}
