//! The model card of a pruned model.

use std::fmt::Write;
use std::path::Path;

use ledger::{Cut, CutRecord, Params, Part, Pattern, Rate};
use model::card::{plain, quoted};
use model::folder::ModelFolder;
use shape::legal::Widths;

use crate::methods::method;

/// Largest card of a base that is read for its licence, in bytes.
const CARD_LIMIT: u64 = 4 << 20;

/// Longest value that is copied from a card, in bytes.
const VALUE_LIMIT: usize = 200;

/// The fields of a card that state the terms of a model.
const TERMS: [&str; 3] = ["license", "license_name", "license_link"];

/// What a model says that has a width of heads of its own.
const HEAD_DIM: &str = "It needs transformers 4.48 or newer: earlier versions pass over `head_dim` in `config.json` and \
                        cannot load these shapes.\n\n";

/// The text of `README.md`: what the model is, how it was made, and that it needs healing.
pub(crate) fn card(folder: &ModelFolder, record: &CutRecord) -> String {
    let mut card = front_matter(folder.path(), record);
    let add = |card: &mut String, text: std::fmt::Arguments<'_>| {
        card.write_fmt(text).expect("a string takes all text");
    };
    let base = plain(&record.base);
    let (title, what) = gone(record);
    let sparse = matches!(record.cut, Cut::Sparse { .. });
    add(
        &mut card,
        format_args!(
            "# {base}, {title}\n\n{base} with {what} by `regrow` {}. **It is not healed yet**: see below.\n\n",
            plain(&record.regrow),
        ),
    );
    add(&mut card, format_args!("| | all parameters | without embeddings |\n|---|---|---|\n"));
    let row =
        |name: &str, all: String, without: String| format!("| {name} | {all} | {without} |\n");
    card += &row("before", exact(record.held.n0()), exact(record.held.n0_without_embedding()));
    card += &row(
        "after",
        exact(record.held.parameters()),
        exact(record.held.parameters_without_embedding()),
    );
    card += &row(
        "realised rate",
        share(record.held.rate()),
        share(record.held.rate_without_embedding()),
    );
    if let Some(asked) = record.asked_rate {
        card += &row("asked rate", format!("{asked}"), "not asked".into());
    }
    if let Some(loss0) = record.loss0 {
        add(&mut card, format_args!("\n- held-out loss before (L0): {loss0} per token\n"));
    }
    let about = method(&record.method).map_or(String::new(), |method| match method.paper() {
        Some(paper) => format!(": {} ({paper})", method.summary()),
        None => format!(": {}", method.summary()),
    });
    add(
        &mut card,
        format_args!(
            "{}- method: `{}`{about}\n",
            if record.loss0.is_none() { "\n" } else { "" },
            plain(&record.method)
        ),
    );
    for (name, value) in &record.options {
        add(&mut card, format_args!("- {}: {}\n", plain(name), plain(value)));
    }
    card += &stayed(record);
    if let Some(text) = &record.calibration {
        add(
            &mut card,
            format_args!(
                "- calibration: {} sequences of {} tokens, seed {}, SHA-256 of the tokens `{}`\n",
                text.sequences(),
                text.length(),
                text.seed(),
                plain(text.hash())
            ),
        );
    }
    add(
        &mut card,
        format_args!(
            "- SHA-256 of the base's weights: `{}`\n\n\
             Rates are shares of parameters {gone}, exact; a tied embedding counts once. `cut.json` holds all of this \
             as data.\n\n\
             {note}## Healing\n\n\
             Pruning costs quality. Continue next-token training of the whole model on ordinary text \
             (post-training) until the held-out loss stops falling: `regrow train` does it and records the curve, \
             any trainer that loads Hugging Face folders can.\n\n\
             ## Terms\n\n\
             Those of the base model; its licence files, where it has any, stand beside this one.\n",
            plain(&record.base_hash),
            gone = if sparse { "made zero" } else { "removed" },
            note = if sparse {
                SPARSE
            } else if has_own_head_dim(folder, &record.cut) {
                HEAD_DIM
            } else {
                ""
            },
        ),
    );
    card
}

/// Whether a cut leaves heads whose width is not the hidden size over their number, as older
/// programs take it to be.
fn has_own_head_dim(folder: &ModelFolder, cut: &Cut) -> bool {
    let Cut::Width(width) = cut else { return false };
    let left = Widths::of(folder.config()).after(width).apply(folder.config());
    left.head_dim() * left.num_attention_heads() != left.hidden_size()
}

/// What a cut leaves, for the title; and what it removed, for a sentence.
fn gone(record: &CutRecord) -> (String, String) {
    let layers = record.cut.layers();
    match &record.cut {
        Cut::Sparse { pattern, .. } => {
            let gone = record.held.n0().0.saturating_sub(record.held.parameters().0);
            (format!("{pattern} sparse"), format!("{gone} of its weights made zero"))
        }
        Cut::Depth { drop, .. } => {
            let (kept, dropped) = (layers - drop.len(), drop.len());
            (
                format!("{kept} of {layers} layers"),
                format!("{dropped} of its {layers} layers removed"),
            )
        }
        Cut::Width(width) => {
            let parts: Vec<String> = Part::ALL
                .iter()
                .filter_map(|&part| {
                    width.change(part).map(|(of, kept)| format!("{kept} of {of} {part}"))
                })
                .collect();
            (parts.join(", "), "channels, neurons or heads removed from every layer".to_owned())
        }
    }
}

/// The lines about the parts that stayed.
fn stayed(record: &CutRecord) -> String {
    let cut = &record.cut;
    match cut {
        Cut::Sparse { pattern, linear, .. } => {
            let mut text = format!("- pattern: {pattern}");
            if let Pattern::Groups { keep, of } = pattern {
                text += &format!(
                    ": at most {keep} of every {of} consecutive input columns are not zero"
                );
            }
            text += &format!("\n- linear layers of every block: {}\n", linear.join(", "));
            if let Some(zeros) = record.already_zero {
                text += &format!("- zeros that the base had in them already: {}\n", zeros.0);
            }
            text + &fallbacks(record)
        }
        Cut::Depth { drop, .. } => format!(
            "- kept layers: {}\n- dropped layers: {} (counted from 0 in the base)\n",
            list(&cut.kept()),
            list(drop)
        ),
        Cut::Width(width) => {
            let parts = Part::ALL.iter().filter_map(|&part| {
                width
                    .change(part)
                    .map(|(of, kept)| format!("- {part}: {kept} of {of} in every layer\n"))
            });
            parts
                .chain([
                    "- heads keep their channels: `head_dim` stands in `config.json`\n".to_owned()
                ])
                .collect()
        }
    }
}

/// What readers must not expect of a sparse model.
const SPARSE: &str = "## Zeros\n\n\
    The weights are stored dense, zeros among them: the files are as large as the base's, and as stored the pattern \
    promises no speed. `sparsity.json` names the sparse tensors; the mask of each is its stored zeros, and `regrow train` \
    keeps them.\n\n";

/// Linear layers that needed more damping or another score.
fn fallbacks(record: &CutRecord) -> String {
    let mut text = String::new();
    for fallback in &record.fallbacks {
        let (tensors, damping, score) = (fallback.tensors(), fallback.damping(), fallback.score());
        let tensors: Vec<String> =
            tensors.iter().map(|name| format!("`{}`", plain(name))).collect();
        let what = match (score, damping) {
            (Some(score), _) => {
                format!("pruned by `{}` instead: the Hessian cannot be factored", plain(score))
            }
            (None, Some(damping)) => format!("damped by {damping} of the Hessian's mean diagonal"),
            (None, None) => continue,
        };
        text += &format!("- {}: {what}\n", tensors.join(", "));
    }
    text
}

fn front_matter(base: &Path, record: &CutRecord) -> String {
    let mut text = String::from("---\n");
    for (key, value) in terms(base) {
        text += &format!("{key}: {value}\n");
    }
    text += &format!("base_model: {}\n", quoted(&record.base));
    text += "library_name: transformers\npipeline_tag: text-generation\n";
    text += "tags:\n- regrow\n- pruned\n";
    text += &format!("- {}\n---\n\n", quoted(&record.method));
    text
}

/// The licence fields of the base, read from its card. Empty if there is no readable card.
fn terms(base: &Path) -> Vec<(&'static str, String)> {
    let Ok(card) = disk::read_to_string(&base.join("README.md"), CARD_LIMIT) else {
        return Vec::new();
    };
    let mut lines = card.lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Vec::new();
    }
    let head: Vec<&str> = lines.take_while(|line| line.trim_end() != "---").collect();
    let value = |key: &str| {
        let line = head.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let value = line.trim().trim_matches(['"', '\'']);
        // Only values that are plain in YAML. Any other would need a YAML parser.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/: ".contains(&byte);
        (!value.is_empty() && value.len() <= VALUE_LIMIT && value.bytes().all(plain))
            .then(|| quoted(value))
    };
    TERMS.iter().filter_map(|&key| Some((key, value(key)?))).collect()
}

fn exact(count: Params) -> String {
    format!("{} ({})", count.0, count.to_string().split(' ').next().unwrap_or_default())
}

fn share(rate: Rate) -> String {
    rate.to_string()
}

fn list(layers: &[usize]) -> String {
    layers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
