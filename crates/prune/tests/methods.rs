//! Every method of the registry decides as `testdata/prune/<method>.toml` says.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ledger::Cut;
use model::config::{ModelConfig, RawConfig};
use prune::{METHODS, Needs, Scores, Select, TOLERANCE, Target, method};
use serde::Deserialize;
use serde_json::json;

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
    rate: Option<f64>,
    tolerance: Option<f64>,
    list: Option<Vec<usize>>,
    drop: Option<Vec<usize>>,
    error: Option<String>,
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

fn target(case: &Case) -> Target {
    match (case.rate, &case.list) {
        (Some(rate), None) => Target::Rate { rate, tolerance: case.tolerance.unwrap_or(TOLERANCE) },
        (None, Some(list)) => Target::Layers(list.clone()),
        _ => panic!("{}: a rate or a list", case.name),
    }
}

fn check(select: &dyn Select, case: &Case) {
    let scores = Scores { layers: case.scores.clone() };
    let found = select.choose(&five_layers(), &scores, &target(case));
    let name = format!("{}: {}", select.name(), case.name);
    match (&case.drop, &case.error) {
        (Some(drop), None) => {
            assert_eq!(found.unwrap(), Cut::Depth { layers: 5, drop: drop.clone() }, "{name}");
        }
        (None, Some(error)) => assert_eq!(&found.unwrap_err().to_string(), error, "{name}"),
        _ => panic!("{name}: layers or an error"),
    }
}

#[test]
fn every_method_decides_as_its_cases_say() {
    for &select in METHODS {
        let path = testdata().join(format!("{}.toml", select.name()));
        let cases: Cases = toml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(cases.format, 1, "{}", path.display());
        assert!(cases.case.iter().any(|case| case.drop.is_some()), "{}", path.display());
        assert!(cases.case.iter().any(|case| case.error.is_some()), "{}", path.display());
        for case in &cases.case {
            check(select, case);
        }
    }
}

#[test]
fn methods_have_their_own_names_and_say_what_they_do_in_one_line() {
    let names: BTreeSet<&str> = METHODS.iter().map(|method| method.name()).collect();
    assert_eq!(names.len(), METHODS.len());
    for &select in METHODS {
        assert_eq!(method(select.name()).unwrap().name(), select.name());
        assert!(!select.summary().is_empty() && !select.summary().contains('\n'), "{}", select.name());
        assert_eq!(select.paper().is_some(), matches!(select.needs(), Needs::LayerScores(_)));
    }
    let said = method("depth-magic").map(Select::name).unwrap_err().to_string();
    assert_eq!(said, "unknown method `depth-magic`, expected `depth-block-influence` or `depth-list`");
}
