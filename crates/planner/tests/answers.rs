//! A page's question has the numbers of the library, and whatever is asked has an answer.

#![allow(clippy::unwrap_used)]

use std::sync::LazyLock;

use law::plan::{Bill, Candidate, Limits, Machine};
use law::{Law, Place, Settings, Table, TableRow, Wish};
use planner::{FIELDS, PageParts, Planner, page};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Curves of three sizes, three rates and two methods; the second method's name does not tell what
/// it does to weights, and its runs were distilled.
static LAW: LazyLock<Law> = LazyLock::new(|| {
    let mut rows = Vec::new();
    for (method, objective) in [("depth-list", "lm"), ("holes", "distil")] {
        for (n0, rate) in [0.5e9, 1.2e9, 3.1e9]
            .into_iter()
            .flat_map(|n0| [0.15, 0.25, 0.35].map(|rate| (n0, rate)))
        {
            for tokens in [1e8, 2e8, 4e8, 7e8, 1e9] {
                let excess = rate * (0.1 + 2e3 * f64::powf(tokens, -0.5));
                let name = format!("{method} {n0} {rate}");
                rows.push(TableRow {
                    series: "llama".into(),
                    method: method.into(),
                    objective: Some(objective.into()),
                    tokens,
                    loss: 2.2 + excess,
                    ..TableRow::run(&name, n0, rate, 2.2)
                });
            }
        }
    }
    law::fit(&Table::new(rows).unwrap(), &Settings::default()).unwrap()
});

static PLANNER: LazyLock<Planner> =
    LazyLock::new(|| Planner::open(&serde_json::to_string(&*LAW).unwrap()).unwrap());

fn ask(question: &Value) -> Value {
    serde_json::from_str(&PLANNER.answer(&question.to_string())).unwrap()
}

fn candidate(method: &str, objective: &str, rate: f64) -> Candidate {
    Candidate {
        model: None,
        series: "llama".into(),
        method: method.into(),
        objective: Some(objective.into()),
        place: Place { n0: 1.5e9, rate, loss0: 2.25 },
        embedding: 0.0,
    }
}

#[test]
fn a_question_has_the_numbers_of_the_library() {
    let answer = ask(&json!({
        "n0": "1.5B", "loss0": "2.25", "rate": "30%", "method": "depth-list", "gain": "0.005", "target": "2.31",
        "tokens": "2B", "device": "h100", "utilisation": "0.5", "price": "2", "budget": "3000usd",
    }));
    let machine = Machine::new(989e12, 0.5, Some(2.0)).unwrap();
    let wish = Wish {
        doubling_gain: 0.005,
        target_loss: Some(2.31),
        bill: Bill::new(0.0, Some(machine)),
        ..Wish::default()
    };
    // 1500 hours of the device at half its peak.
    let limits =
        Limits { tokens: Some(2e9), flops: Some(1500.0 * 3600.0 * 989e12 * 0.5), parameters: None };
    let none = |_: &Candidate, _: &law::GroupLaw| Ok::<_, law::Error>(None);
    let decided = |candidates: &[Candidate]| {
        serde_json::to_value(LAW.decide(candidates, &limits, &wish, none).unwrap()).unwrap()
    };
    let one = decided(&[candidate("depth-list", "lm", 0.3)]);
    assert_eq!(answer["plan"], one);
    assert!(one["decisions"][0]["enough"]["value"].is_f64() && one["allocation"].is_object());
    let rates = [0.15, 0.25, 0.35].map(|rate| candidate("depth-list", "lm", rate));
    assert_eq!(answer["rates"], decided(&rates));
    let group = LAW.group_for(None, Some("depth-list"), None).unwrap();
    let foretold = group.predict(Place::new(1.5e9, 0.3, 2.25).unwrap(), 2e9).unwrap();
    assert_eq!(answer["prediction"]["loss"].as_f64(), foretold.loss());
    assert_eq!(answer["prediction"]["sentence"], foretold.sentence());
    assert_eq!(answer["sentence"], one["decisions"][0]["enough"]["sentence"]);
    assert_eq!(answer["told"], true);
}

#[test]
fn without_a_rate_or_a_method_all_of_the_law_are_compared() {
    let base = json!({"n0": "1.5B", "loss0": "2.25", "weights": "removed"});
    let answer = ask(&base);
    assert_eq!(answer["plan"]["decisions"].as_array().unwrap().len(), 6);
    assert!(answer.get("rates").is_none() && answer["parts"].get("curve").is_none());
    assert!(answer["parts"]["choice"].as_str().unwrap().contains("for distil"));
    // A teacher costs a forward pass, unless it is read from a cache.
    let cost = |cached: &str| {
        let mut asked = base.clone();
        for (field, text) in [("method", "holes"), ("rate", "0.25"), ("cached", cached)] {
            asked[field] = text.into();
        }
        ask(&asked)["plan"]["decisions"][0]["flops_per_token"].as_f64().unwrap()
    };
    assert_eq!(cost("yes"), 6.0 * 0.75 * 1.5e9);
    assert_eq!(cost(""), 6.0 * 0.75 * 1.5e9 + 2.0 * 1.5e9);
}

#[test]
fn what_is_wrong_with_a_question_is_said_with_its_field() {
    let fine = json!({"n0": "1.5B", "loss0": "2.25", "rate": "0.3", "method": "depth-list"});
    let cases = [
        ("n0", "", "n0", "choose one by its name"),
        ("n0", "-3", "n0", "is not a count"),
        ("n0", "0", "n0", "expected a parameter count from 1"),
        ("loss0", "", "loss0", "no catalogue holds it"),
        ("loss0", "NaN", "loss0", "`loss0` is NaN"),
        ("loss0", "1e999", "loss0", "`loss0` is inf"),
        ("rate", "150%", "rate", "`rate` is 1.5"),
        ("rate", "a third", "rate", "no pruning rate"),
        ("model", "gpt", "model", "`gpt` is not the name"),
        ("model", "qwen2.5-7b", "model", "a law of one series says nothing about another"),
        ("series", "opt", "series", "the law holds no series `opt`"),
        ("method", "deep", "method", "the law holds no method `deep`"),
        ("objective", "reward", "objective", "the law holds no objective `reward`"),
        ("method", "holes", "weights", "removes weights or makes them zero"),
        ("weights", "halved", "weights", "`halved`, expected"),
        ("gain", "0", "gain", "`doubling-gain` is 0"),
        ("target", "low", "target", "`low` is no number"),
        ("tokens", "0", "tokens", "`max-tokens` is 0"),
        ("params", "0", "params", "`max-params` is 0"),
        ("budget", "5", "budget", "is no budget"),
        ("budget", "5usd", "device", "price of a GPU-hour"),
        ("device", "abacus", "device", "nor a device"),
        ("price", "2", "price", "it needs a device"),
    ];
    assert!(ask(&fine).get("error").is_none());
    for (field, text, marked, said) in cases {
        let mut question = fine.clone();
        question[field] = text.into();
        let answer = ask(&question);
        let error = &answer["error"];
        let found = error["text"].as_str().unwrap_or_else(|| panic!("{field} {text}: {answer}"));
        assert!(found.contains(said), "{field} {text}: {found}");
        assert_eq!(error["field"], marked, "{field} {text}: {found}");
    }
    for text in ["", "[1]", "{\"n0\": 3}", "{\"n1\": \"3\"}", "{\"n0\": null}", "\u{0}"] {
        let answer: Value = serde_json::from_str(&PLANNER.answer(text)).unwrap();
        let found = answer["error"]["text"].as_str().unwrap();
        assert!(found.starts_with("the question cannot be read"), "{text}: {found}");
    }
}

#[test]
fn a_text_that_is_no_law_is_refused() {
    for (text, said) in [
        ("", "this is not a law file"),
        ("{\"format\": 9, \"groups\": []}", "the law has format 9, expected 2"),
        ("{\"format\": 2, \"groups\": [{}]}", "this is not a law file: missing field"),
    ] {
        let error = Planner::open(text).unwrap_err();
        assert!(error.text().contains(said), "{text}: {error}");
    }
    let empty = Planner::open("{\"format\": 2, \"groups\": []}").unwrap();
    assert!(!empty.about().contains("first"));
    let answer = empty.answer("{\"n0\": \"1B\", \"loss0\": \"2\"}");
    assert!(answer.contains("the law holds no group"), "{answer}");
}

/// The parts of an answer as a document, which is refused where a name broke out of its place.
fn parts(answer: &Value) -> String {
    let parts = answer["parts"].as_object().unwrap();
    let html = parts.values().map(|part| part.as_str().unwrap());
    let html = format!("<div>{}</div>", html.collect::<String>());
    let tree = roxmltree::Document::parse(&html).unwrap_or_else(|error| panic!("{error}: {html}"));
    for node in tree.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(!["script", "img", "b", "a", "style", "iframe"].contains(&name), "<{name}>");
        assert!(node.attributes().all(|found| !found.name().starts_with("on")), "{node:?}");
    }
    html
}

#[test]
fn names_that_hold_tags_are_text_wherever_they_stand() {
    let hostile = "</script><img src=x onerror=alert(1)><b>\"'&";
    let text = serde_json::to_string(&*LAW).unwrap();
    let name = serde_json::to_string(hostile).unwrap();
    let text = text.replace("\"llama\"", &name).replace("\"depth-list\"", &name);
    let planner = Planner::open(&text).unwrap();
    let question = json!({
        "n0": "1.5B", "loss0": "2.25", "rate": "0.3", "method": hostile, "tokens": "2B", "weights": "removed",
    });
    let answer: Value = serde_json::from_str(&planner.answer(&question.to_string())).unwrap();
    assert!(parts(&answer).contains("&lt;img src=x"));
    let law: Law = serde_json::from_str(&text).unwrap();
    let commands = json!({"law": hostile});
    let made = |law: &Law, commands: &Value| {
        page(&PageParts { law, wasm: b"", commands, version: "1" }).unwrap()
    };
    let (page, other) = (made(&law, &commands), made(&LAW, &json!({"law": "law.json"})));
    for tag in ["<script", "</script", "<img", "<b>"] {
        assert_eq!(page.matches(tag).count(), other.matches(tag).count(), "{tag}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_into_the_form_has_an_answer(
        written in proptest::collection::vec((0..FIELDS.len(), prop_oneof![
            "[0-9.eE+%kMBT_-]{0,9}",
            any::<String>(),
            any::<f64>().prop_map(|x| x.to_string()),
            Just("llama-3.1-8b".to_owned()),
            Just("h100".to_owned()),
            Just("depth-list".to_owned()),
            Just("1e18".to_owned()),
        ]), 0..6)
    ) {
        let mut question = json!({"n0": "1.5B", "loss0": "2.25", "rate": "0.3", "method": "depth-list"});
        for (field, text) in written {
            question[FIELDS[field]] = text.into();
        }
        let answer = ask(&question);
        match answer["error"]["text"].as_str() {
            Some(text) => prop_assert!(!text.is_empty()),
            None => {
                prop_assert!(answer["plan"]["decisions"].is_array());
                parts(&answer);
            }
        }
    }

    #[test]
    fn whatever_is_passed_is_no_panic(text in any::<String>()) {
        let answer: Value = serde_json::from_str(&PLANNER.answer(&text)).unwrap();
        prop_assert!(answer["error"]["text"].is_string());
        prop_assert!(Planner::open(&text).is_err());
    }
}
