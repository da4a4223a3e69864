//! Every method of the registry decides as `testdata/prune/<method>.toml` says.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ledger::{Cut, Part};
use prune::{
    METHODS, Method, MethodOptions, PruningTarget, Scores, Select, Sizes, TOLERANCE, Takes,
    WidthOptions, WidthScores, method,
};
use serde::Deserialize;
use serde_json::json;
use shape::config::{ModelConfig, RawConfig};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    format: u32,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    scores: Option<Vec<f64>>,
    /// Width: scores of channels, of the neurons of each layer and of the groups of each layer.
    width: Option<Width>,
    /// Width: the parts that may become narrower.
    parts: Option<Vec<String>>,
    hidden_multiple: Option<usize>,
    ffn_multiple: Option<usize>,
    /// Width: sizes that stay.
    sizes: Option<BTreeMap<String, usize>>,
    /// Width: what stays, as `cut.json` has it.
    keep: Option<toml::Table>,
    rate: Option<f64>,
    tolerance: Option<f64>,
    list: Option<Vec<usize>>,
    drop: Option<Vec<usize>>,
    error: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Width {
    hidden: Vec<f64>,
    ffn: Vec<f64>,
    heads: Vec<f64>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/prune")
}

/// One layer is 9280 parameters of 5 x 9280 + 32 + 50 x 32 = 48032.
fn five_layers() -> ModelConfig {
    let raw = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 5, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 50,
        "max_position_embeddings": 64, "tie_word_embeddings": true, "hidden_act": "silu",
    });
    let raw = RawConfig::from_json(raw.to_string().as_bytes(), Path::new("config.json")).unwrap();
    ModelConfig::from_raw(&raw).unwrap()
}

fn target(case: &Case) -> PruningTarget {
    match (case.rate, &case.list, &case.sizes) {
        (Some(rate), None, None) => {
            PruningTarget::Rate { rate, tolerance: case.tolerance.unwrap_or(TOLERANCE) }
        }
        (None, Some(list), None) => PruningTarget::Blocks(list.clone()),
        (None, None, Some(sizes)) => {
            let size = |part: Part| sizes.get(part.name()).copied();
            PruningTarget::Sizes(Sizes {
                hidden: size(Part::Hidden),
                ffn: size(Part::Ffn),
                heads: size(Part::Heads),
            })
        }
        _ => panic!("{}: a rate, a list or sizes", case.name),
    }
}

fn scores(case: &Case) -> Scores {
    match (&case.scores, &case.width) {
        (Some(scores), None) => Scores::Listed(scores.clone()),
        (None, Some(Width { hidden, ffn, heads })) => {
            // Every layer has the same scores, moved by its number.
            let moved = |scores: &[f64]| {
                (0..5)
                    .map(|by| {
                        (0..scores.len()).map(|at| scores[(at + by) % scores.len()]).collect()
                    })
                    .collect()
            };
            Scores::Width(WidthScores {
                hidden: hidden.clone(),
                ffn: moved(ffn),
                heads: moved(heads),
            })
        }
        (None, None) => Scores::None,
        (Some(_), Some(_)) => panic!("{}: scores of two kinds", case.name),
    }
}

fn check(select: &dyn Select, case: &Case) {
    let parts = |names: &Vec<String>| {
        names
            .iter()
            .map(|name| Part::ALL.into_iter().find(|part| part.name() == name).unwrap())
            .collect()
    };
    let width = WidthOptions {
        parts: case.parts.as_ref().map_or(Part::ALL.to_vec(), parts),
        hidden_multiple: case.hidden_multiple,
        ffn_multiple: case.ffn_multiple,
    };
    let (config, target) = (five_layers(), target(case));
    let options = MethodOptions { width, ..MethodOptions::default() };
    let found = select
        .outcomes(&config, &target, &options)
        .and_then(|outcomes| select.choose(&config, &scores(case), &target, &outcomes[0]));
    let name = format!("{}: {}", select.name(), case.name);
    match (&case.drop, &case.keep, &case.error) {
        (Some(drop), None, None) => {
            assert_eq!(found.unwrap(), Cut::Depth { layers: 5, drop: drop.clone() }, "{name}");
        }
        (None, Some(keep), None) => {
            let mut expected = serde_json::to_value(keep).unwrap();
            expected["kind"] = "width".into();
            expected["layers"] = 5.into();
            assert_eq!(serde_json::to_value(found.unwrap()).unwrap(), expected, "{name}");
        }
        (None, None, Some(error)) => assert_eq!(&found.unwrap_err().to_string(), error, "{name}"),
        _ => panic!("{name}: layers, sizes or an error"),
    }
}

fn selects(method: &Method) -> Option<&'static dyn Select> {
    match method {
        Method::Select(select) => Some(*select),
        Method::Sparse(_) => None,
    }
}

#[test]
fn every_method_decides_as_its_cases_say() {
    for select in METHODS.iter().filter_map(selects) {
        let path = testdata().join(format!("{}.toml", select.name()));
        let cases: Cases = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(cases.format, 1, "{}", path.display());
        let decides = |case: &Case| case.drop.is_some() || case.keep.is_some();
        assert!(cases.case.iter().any(decides), "{}", path.display());
        assert!(cases.case.iter().any(|case| case.error.is_some()), "{}", path.display());
        for case in &cases.case {
            check(select, case);
        }
    }
}

#[test]
fn methods_have_their_own_names_and_say_what_they_do_in_one_line() {
    let names: BTreeSet<String> = METHODS.iter().map(|method| method.name()).collect();
    assert_eq!(names.len(), METHODS.len());
    for entry in METHODS {
        assert_eq!(method(&entry.name()).unwrap().name(), entry.name());
        assert!(!entry.summary().is_empty() && !entry.summary().contains('\n'), "{}", entry.name());
        if selects(entry).is_some() {
            assert_eq!(entry.paper().is_some(), entry.reads_text());
            assert!(entry.takes() != [Takes::Blocks] || !entry.reads_text());
        } else {
            let score = entry.name().split_once('-').unwrap().1.to_owned();
            for pattern in ["4:8", "1:4", "3:32", "unstructured"] {
                let name = format!("{pattern}-{score}");
                assert_eq!(method(&name).unwrap().name(), name);
            }
        }
    }
    for unknown in ["depth-magic", "2:4", "2:4-magic", "4:4-magnitude", "unstructured"] {
        let said = method(unknown).unwrap_err().to_string();
        let expected =
            "expected `depth-block-influence`, `depth-angular`, `depth-list`, `width-activation`, ";
        assert!(said.starts_with(&format!("unknown method `{unknown}`, {expected}")), "{said}");
        assert!(said.ends_with("another `N:M-SCORE` or `unstructured-SCORE`"), "{said}");
    }
}
