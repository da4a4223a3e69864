//! The fitted law: its formula, its constants, and how well it describes the points.

use law::metric::Metrics;
use law::{GroupLaw, Units};
use maud::{Markup, html};

use crate::number::{interval, percent, plain, whole};
use crate::table::{Alignment, HtmlTable, TableColumn};
use crate::text::shown;

/// The formula, the constants and the measures.
pub(super) fn section(group: &GroupLaw) -> Markup {
    let formula = group.form().map(|form| form.formula()).unwrap_or_default();
    let units = match group.units() {
        Units::Billions => "billions of parameters and billions of tokens",
        Units::Counts => "single parameters and single tokens",
    };
    html! {
        @if let Some(levels) = group.levels() {
            p {
                "The answers above come from a law with levels, in which every base and every run has a curve of its own ("
                (levels.diagnostics().sentence()) "). "
                @if let Some(preference) = levels.preference() {
                    "Its curves are " code { (levels.shape()) } ", " (preference.sentence()) ". "
                }
                "What follows is the fast look beside it: one curve for all runs."
            }
        }
        p.formula { code { "L = " (pretty(formula)) } }
        p {
            "L is the held-out loss after D tokens, L₀ the loss before pruning, N₀ the size before pruning, ρ the rate. N₀ and D are in "
            (units) "; form " code { (shown(group.form_name())) } "."
        }
        (constants(group))
        (measures(group))
        (noise(group))
    }
}

fn constants(group: &GroupLaw) -> Markup {
    let columns = [
        TableColumn::new("constant", Alignment::Left),
        TableColumn::new("value", Alignment::Right),
        TableColumn::new("interval", Alignment::Right),
        TableColumn::new("what it says", Alignment::Left),
    ];
    let mut table = HtmlTable::new("Constants, each with its interval", columns);
    let order = |name: &str| {
        // The order of the paper. Other constants follow by name.
        ["N_C", "D_C", "E", "alpha", "beta", "gamma", "delta"]
            .iter()
            .position(|known| *known == name)
            .unwrap_or(7)
    };
    let mut names: Vec<&String> = group.constants().keys().collect();
    names.sort_by_key(|name| (order(name), (*name).clone()));
    for name in names {
        let estimate = &group.constants()[name];
        let fixed = group.identifiability().fixed().contains_key(name);
        let open = group.identifiability().undetermined().contains(name);
        table.push(vec![
            html! { (pretty(name)) },
            plain(estimate.value),
            match estimate.interval {
                Some(ends) => html! { (interval(ends, plain)) @if open { span.note { " open" } } },
                None => html! { span.note { (if fixed { "set" } else { "cannot tell" }) } },
            },
            html! { (meaning(name)) },
        ]);
    }
    for (name, value) in group
        .identifiability()
        .fixed()
        .iter()
        .filter(|(name, _)| !group.constants().contains_key(*name))
    {
        table.push(vec![
            html! { (pretty(name)) },
            plain(*value),
            html! { span.note { "set" } },
            html! { (meaning(name)) },
        ]);
    }
    html! {
        (table.markup())
        p.note {
            "Intervals hold the constant with a probability of " (percent(group.level()))
            " if the law has the right form. Constants depend on each other: read answers from the law, not from one of them."
        }
    }
}

fn meaning(name: &str) -> &'static str {
    match name {
        "N_C" => "weight of the size in the floor",
        "D_C" => "weight of the tokens",
        "E" => "the floor's part that follows neither size nor tokens; may be negative",
        "alpha" => "how the floor falls with the size",
        "beta" => "how the loss falls with tokens",
        "gamma" => {
            "how the loss grows with the rate; negative when it does, since a rate is a fraction"
        }
        "delta" => "how all of it falls with the size",
        "floor" => "the floor at one size unit",
        "floor_slope" => "how the floor follows the size, between the two measured",
        "level" => "the loss at one token unit",
        "token_slope" => "how the loss follows tokens, between the two counts measured",
        _ => "",
    }
}

/// A formula or a constant in mathematical letters.
fn pretty(text: &str) -> Markup {
    let letter = |word: &str| -> Option<&'static str> {
        Some(match word {
            "alpha" => "α",
            "beta" => "β",
            "gamma" => "γ",
            "delta" => "δ",
            "rho" => "ρ",
            _ => return None,
        })
    };
    let mut parts: Vec<Markup> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = match is_word(first) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        // Only a negative power becomes a superscript. Other powers keep their `^`.
        if let Some(power) = rest.strip_prefix("^-") {
            let end = power.find(|c| !is_word(c)).unwrap_or(power.len());
            let (exponent, after) = power.split_at(end);
            rest = after;
            let exponent = letter(exponent).map_or_else(|| shown(exponent), str::to_owned);
            parts.push(html! { (symbol(word, letter)) sup { "−" (exponent) } });
        } else if word == "-" {
            parts.push(html! { "−" });
        } else {
            parts.push(symbol(word, letter));
        }
    }
    html! { @for part in &parts { (part) } }
}

fn symbol(word: &str, letter: impl Fn(&str) -> Option<&'static str>) -> Markup {
    match word {
        "N0" => html! { "N" sub { "0" } },
        "L0" => html! { "L" sub { "0" } },
        "N_C" => html! { "N" sub { "C" } },
        "D_C" => html! { "D" sub { "C" } },
        word => {
            html! { (letter(word).map_or_else(|| shown(&word.replace('_', " ")), str::to_owned)) }
        }
    }
}

type Pick = fn(&Metrics) -> Option<f64>;

fn measures(group: &GroupLaw) -> Markup {
    let rows: [(&str, &str, Pick); 7] = [
        ("R² of the excess", "share of the variance of L − L₀ that the law explains", |m| {
            m.excess_r2()
        }),
        ("R²", "the same of L, which L₀ dominates", |m| m.r2()),
        ("mean error", "mean of |L − law|, nats per token", |m| m.mae()),
        ("relative error", "mean error as a share of the mean excess", |m| m.relative_error()),
        ("Huber loss", "sum of squares that turns straight for large errors", |m| m.huber()),
        ("slope difference", "mean over neighbouring points, nats per million tokens", |m| m.asd()),
        ("its noise floor", "the slope difference that noise alone would make", |m| {
            m.asd_noise_floor()
        }),
    ];
    let mut columns = vec![
        TableColumn::new("measure", Alignment::Left),
        TableColumn::new("fitted points", Alignment::Right),
    ];
    if group.held_out().is_some() {
        columns.push(TableColumn::new("held-out points", Alignment::Right));
    }
    columns.push(TableColumn::new("what it says", Alignment::Left));
    let mut table = HtmlTable::new("How well the law describes the points", columns);
    for (name, says, pick) in rows {
        let (fitted, held_out) = (pick(group.metrics()), group.held_out().map(pick));
        if fitted.is_none() && held_out.flatten().is_none() {
            continue;
        }
        let cell = |x: Option<f64>| html! { @if let Some(x) = x { (plain(x)) } };
        // The column of held-out points exists only if the law has such measures.
        let mut row = vec![html! { (name) }, cell(fitted)];
        row.extend(held_out.map(cell));
        row.push(html! { (says) });
        table.push(row);
    }
    html! {
        (table.markup())
        @if group.held_out().is_some() {
            p.note { "Held-out points are the last fifth of each run's checkpoints, predicted by a law fitted without them." }
        }
    }
}

/// How measured points scatter around the law, and how the search for it ended.
fn noise(group: &GroupLaw) -> Markup {
    let noise = &group.noise();
    let rows = [
        (
            "between runs",
            noise.run(),
            "nats per token; how far one more run of yours may lie off the law",
        ),
        (
            "between bases",
            noise.base(),
            "nats per token; how far all runs of one unpruned model lie off together",
        ),
        ("between points", noise.point(), "nats per token; how far one point lies off its run"),
        ("of neighbours", noise.autocorrelation(), "correlation of neighbouring points of one run"),
    ];
    let columns = [
        TableColumn::new("scatter", Alignment::Left),
        TableColumn::new("standard deviation", Alignment::Right),
        TableColumn::new("what it says", Alignment::Left),
    ];
    let mut table = HtmlTable::new("How the points scatter around the law", columns);
    for (name, value, says) in rows {
        if let Some(value) = value {
            table.push(vec![html! { (name) }, plain(value), html! { (says) }]);
        }
    }
    html! {
        details {
            summary { "Noise, and the search" }
            (table.markup())
            p {
                (whole(group.convergence().agreeing() as u64)) " of " (whole(group.convergence().starts() as u64))
                " starts of the search ended at this law. Sum of squared residuals: " (plain(group.fit_objective())) " nats²."
            }
        }
    }
}
