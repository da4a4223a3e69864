//! Every number on the page is one of its inputs.

use roxmltree::{Document, Node};
use serde_json::Value;

use crate::structure::as_xml;
use crate::world::{World, short, whole};

/// Every number in a JSON value.
fn numbers(value: &Value, found: &mut Vec<f64>) {
    match value {
        Value::Number(number) => found.extend(number.as_f64()),
        Value::Array(list) => list.iter().for_each(|value| numbers(value, found)),
        Value::Object(map) => map.values().for_each(|value| numbers(value, found)),
        _ => {}
    }
}

fn inputs(world: &World) -> Vec<f64> {
    let mut found = vec![1.75, 0.0035];
    numbers(&serde_json::to_value(&world.law).unwrap(), &mut found);
    numbers(&serde_json::to_value(&world.validation).unwrap(), &mut found);
    numbers(&serde_json::to_value(&world.rows).unwrap(), &mut found);
    for run in world.runs.iter().chain(&world.bases) {
        numbers(&serde_json::to_value(&run.record).unwrap(), &mut found);
        numbers(&serde_json::to_value(&run.done).unwrap(), &mut found);
    }
    found
}

#[test]
fn every_number_on_the_page_is_one_of_its_inputs() {
    for world in [whole(), &short()] {
        let known = inputs(world);
        let xml = as_xml(&world.page());
        let document = Document::parse(&xml).unwrap();
        let shown: Vec<f64> = document
            .descendants()
            .filter(|node| node.has_tag_name("data"))
            .map(|node| node.attribute("value").unwrap().parse().unwrap())
            .collect();
        assert!(shown.len() > 100, "{}", shown.len());
        for number in shown {
            assert!(known.contains(&number), "{number} is in no input");
        }
    }
}

/// Text that a reader sees, without pictures, numbers and the law's own words.
fn prose(node: Node<'_, '_>, out: &mut String) {
    if ["svg", "style", "data", "code", "sub", "bdi", "dd"].contains(&node.tag_name().name()) {
        return;
    }
    out.push_str(if node.is_text() { node.text().unwrap_or_default() } else { "" });
    node.children().for_each(|child| prose(child, out));
}

#[test]
fn no_number_hides_in_the_prose() {
    let mut world = whole().clone();
    world.edit_law(|group| {
        group["identifiability"]["sentence"] = "said".into();
        for warning in group["warnings"].as_array_mut().unwrap() {
            warning["sentence"] = "said".into();
        }
    });
    let xml = as_xml(&world.page());
    let document = Document::parse(&xml).unwrap();
    let mut text = String::new();
    prose(document.root_element(), &mut text);
    text = text.replace("SHA-256", "");
    let place = text.find(|c: char| c.is_ascii_digit());
    let around = place.map(|at| text[at.saturating_sub(40)..].chars().take(80).collect::<String>());
    assert_eq!(around, None);
}

#[test]
fn a_short_number_is_the_exact_one_rounded() {
    let xml = as_xml(&whole().page());
    let document = Document::parse(&xml).unwrap();
    for node in document.descendants().filter(|node| node.has_tag_name("data")) {
        let exact: f64 = node.attribute("value").unwrap().parse().unwrap();
        let shown = node.text().unwrap().replace('−', "-").replace(" %", "e-2");
        let shown = ["K", "M", "B", "T"]
            .iter()
            .zip(["e3", "e6", "e9", "e12"])
            .fold(shown, |s, (k, e)| s.replace(k, e));
        let superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻".chars().zip("0123456789-".chars());
        let shown = superscripts
            .fold(shown.replace("×10", "e"), |s, (from, to)| s.replace(from, &to.to_string()));
        let read: f64 = shown.parse().unwrap_or_else(|_| panic!("`{shown}` is no number"));
        assert!((read - exact).abs() <= 5.1e-3 * exact.abs() + 5.1e-5, "{shown} for {exact}");
    }
}
