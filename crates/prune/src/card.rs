//! The model card of a pruned model.

use std::fmt::Write;
use std::path::Path;

use ledger::{Cut, CutRecord, Params, Part, Rate};
use model::folder::ModelFolder;

use crate::methods::METHODS;

/// Longest card of a base that is read for its licence, in bytes.
const CARD_LIMIT: u64 = 4 << 20;

/// Longest value that is taken over from a card, in bytes.
const VALUE_LIMIT: usize = 200;

/// What a card says of the terms of a model.
const TERMS: [&str; 3] = ["license", "license_name", "license_link"];

/// `README.md`: what the model is, how it was made, and that it needs healing.
pub(crate) fn card(folder: &ModelFolder, record: &CutRecord) -> String {
    let mut card = front_matter(folder.path(), record);
    let add = |card: &mut String, text: std::fmt::Arguments<'_>| {
        card.write_fmt(text).expect("a string takes all text");
    };
    let base = plain(&record.base);
    let (title, what) = gone(&record.cut);
    add(
        &mut card,
        format_args!(
            "# {base}, {title}\n\n{base} with {what} by `regrow` {}. **It is not healed yet**: see below.\n\n",
            plain(&record.regrow),
        ),
    );
    add(&mut card, format_args!("| | all parameters | without embeddings |\n|---|---|---|\n"));
    let row = |name: &str, all: String, without: String| format!("| {name} | {all} | {without} |\n");
    card += &row("before", exact(record.n0), exact(record.n0_without_embedding));
    card += &row("after", exact(record.parameters), exact(record.parameters_without_embedding));
    card += &row("realised rate", share(record.rate), share(record.rate_without_embedding));
    if let Some(asked) = record.asked_rate {
        card += &row("asked rate", format!("{asked}"), "not asked".into());
    }
    let summary = METHODS.iter().find(|method| method.name() == record.method);
    let told = summary.map_or(String::new(), |method| match method.paper() {
        Some(paper) => format!(": {} ({paper})", method.summary()),
        None => format!(": {}", method.summary()),
    });
    add(&mut card, format_args!("\n- method: `{}`{told}\n", plain(&record.method)));
    for (name, value) in &record.options {
        add(&mut card, format_args!("- {}: {}\n", plain(name), plain(value)));
    }
    card += &stayed(&record.cut);
    if let Some(text) = &record.calibration {
        add(
            &mut card,
            format_args!(
                "- calibration: {} sequences of {} tokens, seed {}, SHA-256 of the tokens `{}`\n",
                text.sequences,
                text.length,
                text.seed,
                plain(&text.hash)
            ),
        );
    }
    add(
        &mut card,
        format_args!(
            "- SHA-256 of the base's weights: `{}`\n\n\
             Rates are shares of parameters removed, exact; a tied embedding counts once. `cut.json` holds all of this \
             as data.\n\n\
             ## Healing\n\n\
             Pruning costs quality. Continue next-token training of the whole model on ordinary text \
             (post-training) until the held-out loss stops falling: `regrow train` does it and records the curve, \
             any trainer that loads Hugging Face folders can.\n\n\
             ## Terms\n\n\
             Those of the base model; its licence files, where it has any, stand beside this one.\n",
            plain(&record.base_hash)
        ),
    );
    card
}

/// What a cut leaves in a few words, and what went in a sentence's part.
fn gone(cut: &Cut) -> (String, String) {
    let layers = cut.layers();
    match cut {
        Cut::Depth { drop, .. } => {
            let (kept, dropped) = (layers - drop.len(), drop.len());
            (format!("{kept} of {layers} layers"), format!("{dropped} of its {layers} layers removed"))
        }
        Cut::Width(width) => {
            let parts: Vec<String> = Part::ALL
                .iter()
                .filter_map(|&part| width.change(part).map(|(of, kept)| format!("{kept} of {of} {part}")))
                .collect();
            (parts.join(", "), "channels, neurons or heads removed from every layer".to_owned())
        }
    }
}

/// The lines that say what stayed.
fn stayed(cut: &Cut) -> String {
    match cut {
        Cut::Depth { drop, .. } => format!(
            "- kept layers: {}\n- dropped layers: {} (counted from 0 in the base)\n",
            list(&cut.kept()),
            list(drop)
        ),
        Cut::Width(width) => {
            let parts = Part::ALL.iter().filter_map(|&part| {
                width.change(part).map(|(of, kept)| format!("- {part}: {kept} of {of} in every layer\n"))
            });
            parts
                .chain(["- heads keep their channels: `head_dim` stands in `config.json`\n".to_owned()])
                .collect()
        }
    }
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

/// What the card of the base says of its licence; nothing where it has none that can be read.
fn terms(base: &Path) -> Vec<(&'static str, String)> {
    let Ok(card) = disk::read_to_string(&base.join("README.md"), CARD_LIMIT) else { return Vec::new() };
    let mut lines = card.lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Vec::new();
    }
    let head: Vec<&str> = lines.take_while(|line| line.trim_end() != "---").collect();
    let value = |key: &str| {
        let line = head.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let value = line.trim().trim_matches(['"', '\'']);
        // Only what is plain in YAML as it stands; anything else would have to be understood first.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/: ".contains(&byte);
        (!value.is_empty() && value.len() <= VALUE_LIMIT && value.bytes().all(plain)).then(|| quoted(value))
    };
    TERMS.iter().filter_map(|&key| Some((key, value(key)?))).collect()
}

/// A string of YAML: JSON's are among them.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A name in running text: what Markdown or HTML could read as its own is left out.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !"<>[]`|*".contains(*c)).collect()
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
