//! A page that stands alone: its head, with the style inside, around a body.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::plot::{PLOT_STYLE, palette};
use crate::text::shown;

/// The style of every page: colours, plots, text and tables.
pub fn page_style() -> String {
    palette() + PLOT_STYLE + include_str!("page/style.css")
}

/// A whole page.
pub(crate) fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content="regrow";
                title { (shown(title)) }
                style { (PreEscaped(page_style())) }
            }
            body { (body) }
        }
    }
}
