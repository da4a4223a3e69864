//! The page and its pictures as documents.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use crate::world::{World, short, twins, whole};

/// The page without what HTML allows and XML does not; everything else on it is well-formed XML.
pub(crate) fn as_xml(page: &str) -> String {
    let body =
        page.strip_prefix("<!DOCTYPE html>").expect("the page begins with its document type");
    let mut xml = String::new();
    for part in body.split_inclusive('>') {
        let is_void = part.trim_start().starts_with("<meta ");
        xml.push_str(&if is_void { part.replace('>', "/>") } else { part.to_owned() });
    }
    xml
}

fn elements<'a>(document: &'a Document<'_>) -> impl Iterator<Item = Node<'a, 'a>> {
    document.root_element().descendants().filter(Node::is_element)
}

#[test]
fn the_page_is_well_formed_and_its_ids_are_unique() {
    let xml = as_xml(&whole().page());
    let document = Document::parse(&xml).unwrap();
    let mut ids = BTreeSet::new();
    for id in elements(&document).filter_map(|element| element.attribute("id").map(str::to_owned)) {
        assert!(ids.insert(id.clone()), "two elements are `{id}`");
    }
    let wanted = elements(&document).filter_map(|element| element.attribute("aria-labelledby"));
    let wanted: Vec<&str> = wanted.flat_map(str::split_whitespace).collect();
    assert!(wanted.len() >= 10);
    assert!(wanted.iter().all(|id| ids.contains(*id)), "{wanted:?}");
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    let page = whole().page();
    let xml = as_xml(&page);
    let document = Document::parse(&xml).unwrap();
    for element in elements(&document) {
        let name = element.tag_name().name();
        assert!(
            !["script", "link", "img", "iframe", "object", "embed", "image", "use", "base"]
                .contains(&name)
        );
        for attribute in element.attributes() {
            let name = attribute.name();
            assert!(
                !["href", "src", "srcset", "action", "style"].contains(&name)
                    && !name.starts_with("on")
            );
        }
    }
    for word in ["http:", "https:", "url(", "@import", "//"] {
        assert!(!page.contains(word), "`{word}`");
    }
}

#[test]
fn every_size_has_a_panel_with_its_numbers() {
    let page = whole().page();
    let xml = as_xml(&page);
    let document = Document::parse(&xml).unwrap();
    let figures: Vec<Node<'_, '_>> = elements(&document)
        .filter(|e| e.has_tag_name("figure") && !e.has_attribute("class"))
        .collect();
    assert_eq!(figures.len(), 5);
    for figure in figures {
        let has = |name: &str| figure.descendants().filter(|e| e.tag_name().name() == name).count();
        assert_eq!((has("table"), has("h3"), has("desc")), (1, 1, 1));
        // Six token counts; tokens, control and three rates.
        assert_eq!((has("tr"), has("th"), has("td")), (7, 5, 30));
    }
}

#[test]
fn bases_of_one_size_share_a_line_of_answers_and_a_colour() {
    let (one, two) = (as_xml(&whole().page()), as_xml(&twins().page()));
    let (one, two) = (Document::parse(&one).unwrap(), Document::parse(&two).unwrap());
    let texts = |document: &Document<'_>, begin: &str| {
        let texts = elements(document).filter(|e| e.has_tag_name("text"));
        texts.filter(|e| e.text().is_some_and(|text| text.starts_with(begin))).count()
    };
    for word in ["rate ", "unpruned", "control"] {
        assert!(texts(&one, word) > 0);
        assert_eq!(texts(&one, word), texts(&two, word), "{word}");
    }
}

#[test]
fn the_same_values_give_the_same_bytes() {
    assert_eq!(whole().page(), whole().page());
    assert_eq!(report::picture(&whole().input()), report::picture(&whole().input()));
}

#[test]
fn the_picture_is_a_file_of_its_own() {
    let svg = report::picture(&whole().input());
    let document = Document::parse(&svg).unwrap();
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    assert_eq!(root.attribute("viewBox"), Some("0 0 920 722"));
    assert!(svg.contains("prefers-color-scheme:dark"));
    let addresses = svg.matches("http").count();
    assert_eq!(addresses, svg.matches("http://www.w3.org/2000/svg").count());
}

#[test]
fn the_answer_stands_on_top() {
    let page = whole().page();
    // The second of four sizes, at the second of three rates.
    let plan =
        &whole().law.groups().iter().find(|group| group.series() == "llama").unwrap().decisions()
            [4];
    let title = &page[page.find("<h1>").unwrap()..page.find("</h1>").unwrap()];
    let tokens = plan.enough().value().expect("the world has an answer");
    assert!(title.contains(&format!("<data value=\"{tokens}\">")), "{title}");
    assert!(
        title.contains("the next doubling buys less than <data value=\"0.01\">0.01</data> nats"),
        "{title}"
    );
    assert!(title.contains("90 %</data> interval"), "{title}");
}

#[test]
fn a_page_without_an_answer_says_why() {
    let page = short().page();
    assert!(page.contains("<h1>The data cannot tell how many tokens are enough for"));
    assert!(page.contains("Why there is no single number"));
    assert!(page.contains("One point a run cannot tell what tokens buy"));
    Document::parse(&as_xml(&page)).unwrap();
}

#[test]
fn a_law_of_nothing_is_a_page_too() {
    let mut world = whole().clone();
    world.law = serde_json::from_str(r#"{"format": 1, "groups": []}"#).unwrap();
    assert!(world.page().contains("there is no law to show"));
    Document::parse(&report::picture(&world.input())).unwrap();
}

#[test]
fn the_page_says_that_loss_is_not_ability_and_what_pruned_starts_are_worth() {
    let page = whole().page();
    assert!(page.contains("Loss is not ability"));
    assert!(page.contains(
        "the less a pruned start is ahead of training the same small shape from scratch"
    ));
}

#[test]
fn runs_left_out_are_named_with_their_reason() {
    let page = whole().page();
    assert!(
        page.contains("<code>c</code>: It was killed and has no <code>done.json</code>."),
        "{page}"
    );
    assert!(page.contains("not ended"));
}

#[test]
fn the_page_says_what_the_law_is_worth() {
    let world = whole();
    let page = world.page();
    let groups = world.validation.as_ref().unwrap().groups();
    let judged = groups.iter().find(|group| group.verdicts().len() == 5).unwrap();
    assert_eq!(page.matches("Can the law be trusted").count(), groups.len());
    for verdict in judged.verdicts() {
        let question = verdict.question();
        // A sentence begins with a capital.
        let line = format!("{}: ", &question.held_out()[1..]);
        let word = format!("<dt>{}</dt>", question.name());
        assert!(page.contains(&line) && page.contains(&word), "{line}");
    }
    let without = World { validation: None, ..world.clone() };
    assert!(!without.page().contains("Can the law be trusted"));
}
