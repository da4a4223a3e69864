//! Names and numbers of others.

use ledger::testing::{provenance, run_spec};
use ledger::{Params, Provenance, RunRecord, RunSpec};
use proptest::prelude::*;
use roxmltree::Document;

use crate::structure::as_xml;
use crate::world::{World, whole};

const NAME: &str =
    "</style><script>alert(1)</script><img src=x onerror=y>\"'&amp;]]>--><!--\0\u{202e}";

fn hostile(name: &str) -> World {
    let mut world = whole().clone();
    world.title = name.into();
    for row in world.rows.iter_mut().filter(|row| row.series == "llama") {
        row.series = name.into();
        row.base = Some(name.into());
        row.run = name.into();
        row.method = if row.method == "none" { "none".into() } else { name.into() };
    }
    world.edit_law(|group| {
        if group["series"] != "llama" {
            return;
        }
        for key in ["series", "method"] {
            group[key] = name.into();
        }
        let known = &mut group["identifiability"];
        known["sentence"] = name.into();
        known["code"] = [name].into();
        known["undetermined"] = [name].into();
        group["decisions"][0]["enough"]["code"] = [name].into();
        for warning in group["warnings"].as_array_mut().unwrap() {
            let mut runs = warning["runs"].as_array().cloned().unwrap_or_default();
            runs.push(name.into());
            warning["runs"] = runs.into();
        }
    });
    for run in &mut world.runs {
        let spec =
            RunSpec { base: name.into(), method: name.into(), corpus: name.into(), ..run_spec() };
        let provenance = Provenance { machine: name.into(), ..provenance() };
        run.record = RunRecord::of(&spec, Params(31_000_000), Params(26_350_000), provenance);
        run.name = name.into();
    }
    for left_out in &mut world.left_out {
        (left_out.run, left_out.why) = (name.into(), name.into());
    }
    for fact in &mut world.facts {
        (fact.name, fact.value) = (name.into(), name.into());
    }
    world
}

#[test]
fn hostile_names_stay_text() {
    let world = hostile(NAME);
    let (page, picture) = (world.page(), report::picture(&world.input()));
    for text in [&page, &picture] {
        assert!(!text.contains("<script") && !text.contains("<img") && !text.contains('\0'));
        assert!(!text.contains('\u{202e}'));
    }
    assert_eq!(page.matches("</style>").count(), 1);
    let xml = as_xml(&page);
    let document = Document::parse(&xml).unwrap();
    assert!(document.descendants().all(|node| !node.has_tag_name("script") && !node.is_comment()));
    let title = document.descendants().find(|node| node.has_tag_name("title")).unwrap();
    assert_eq!(title.text().unwrap(), NAME.replace(['\0', '\u{202e}'], "\u{fffd}"));
    Document::parse(&picture).unwrap();
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-1.0),
        Just(f64::MIN_POSITIVE),
        Just(1e-300),
        Just(1e300),
        Just(f64::MAX),
        Just(-f64::MAX),
        Just(f64::NAN),
        Just(f64::INFINITY),
        -1e6..1e12_f64,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_numbers_make_a_page_of_the_same_shape(numbers in prop::collection::vec(number(), 16), name in "\\PC{0,40}") {
        let mut world = hostile(&name);
        let mut next = numbers.iter().copied().cycle();
        let mut next = || next.next().unwrap();
        for row in &mut world.rows {
            (row.tokens, row.loss) = (next(), next());
        }
        // A file holds finite numbers only.
        let mut finite = numbers.iter().copied().filter(|x| x.is_finite()).chain([1.0]).collect::<Vec<_>>().into_iter().cycle();
        let mut next = move || finite.next().unwrap();
        world.edit_law(|group| {
            let tokens = [next().abs().max(1e-9), next().abs().max(1e-9)];
            group["ranges"]["tokens"] = [tokens[0].min(tokens[1]), tokens[0].max(tokens[1])].into();
            for plan in group["decisions"].as_array_mut().unwrap() {
                plan["enough"]["value"] = next().into();
                plan["enough"]["interval"] = [next(), next()].into();
                plan["floor"]["value"] = next().into();
                plan["loss_then"] = next().into();
                plan["doubling_gain"] = next().into();
                for doubling in plan["doublings"].as_array_mut().into_iter().flatten() {
                    doubling["from"] = next().into();
                    doubling["gain"] = next().into();
                }
            }
        });
        let page = world.page();
        prop_assert!(!page.contains("d=\"MNaN") && !page.contains("=\"NaN\" y") && !page.contains("\"inf\" "));
        let xml = as_xml(&page);
        prop_assert!(Document::parse(&xml).is_ok());
        prop_assert!(Document::parse(&report::picture(&world.input())).is_ok());
    }
}
