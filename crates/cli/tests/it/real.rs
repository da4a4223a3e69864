//! The published model `stories260K`, where its files are at hand: what its makers and we know of
//! it must come out.

use std::path::{Path, PathBuf};

use crate::workshop::{arg, done};

/// The folder of real data, or a word that the test is skipped.
fn data(test: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if folder.join("stories260K/stories260K.bin").is_file() {
        return Some(folder);
    }
    eprintln!("skipped: {test}: ../shared/data/stories260K is not there");
    None
}

fn convert(data: &Path, weights: &str, out: &Path) {
    let (weights, tokenizer) =
        (data.join("stories260K").join(weights), data.join("stories260K/tok512.bin"));
    done(&["convert", "llama2c", arg(&weights), "--tokenizer", arg(&tokenizer), "--out", arg(out)]);
}

#[test]
fn stories260k_has_its_published_losses_and_text() {
    let Some(data) = data("stories260k_has_its_published_losses_and_text") else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    convert(&data, "stories260K.bin", &model);

    // Nats per token on the first three stories, each alone after a begin token, as its SOURCE.txt
    // gives them.
    let text = data.join("tinystories_sample/tinystories_sample.txt");
    let report = done(&[
        "eval",
        arg(&model),
        "--text",
        arg(&text),
        "--separator",
        "<|endoftext|>",
        "--documents-limit",
        "3",
        "--each",
        "--json",
    ])
    .json();
    let close = |found: &serde_json::Value, expected: f64| {
        let found = found.as_f64().unwrap();
        assert!((found - expected).abs() < 0.001, "{found} instead of {expected}");
    };
    close(&report["loss"], 1.3810);
    for (document, (tokens, loss)) in
        [(319, 1.2304), (351, 1.5658), (413, 1.3403)].into_iter().enumerate()
    {
        assert_eq!(report["each"][document]["tokens"], tokens);
        close(&report["each"][document]["loss"], loss);
    }

    // The published sample begins after the begin token alone, so that its prompt is its own
    // beginning.
    let notes = std::fs::read_to_string(data.join("stories260K/stories260K.md")).unwrap();
    let sample = notes.split("-t 0.0\n").nth(1).unwrap().split("\n```").next().unwrap();
    for prompt in ["", "Once upon a time"] {
        let spoken = done(&["generate", arg(&model), "--prompt", prompt, "--tokens", "120"]).stdout;
        let spoken = spoken.trim_end();
        assert!(spoken.len() > 250 && sample.starts_with(spoken), "{spoken}");
    }
}

#[test]
fn both_layouts_of_stories260k_give_the_same_weights() {
    let Some(data) = data("both_layouts_of_stories260k_give_the_same_weights") else { return };
    let folder = tempfile::tempdir().unwrap();
    let models = ["stories260K.bin", "stories260K_v1.bin"].map(|weights| {
        let out = folder.path().join(weights);
        convert(&data, weights, &out);
        std::fs::read(out.join("model.safetensors")).unwrap()
    });
    assert!(models[0] == models[1], "the weights differ");
}
