//! Whether a method removes weights or makes them zero is told by ids of ours, by the table or by
//! the user: the same curves cost the same however the method is spelled.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use law::plan::{Candidate, Limits};
use law::{ErrorKind, GroupLaw, Law, Place, Settings, Table, TableRow, Wish};

/// Curves of three sizes, each at the one rate that a 2:4 pattern gives it.
fn rows(method: &str, zeroed: Option<bool>) -> Vec<TableRow> {
    let mut rows = Vec::new();
    for (n0, rate) in [(1e9_f64, 0.40), (3e9, 0.44), (8e9, 0.48)] {
        for tokens in [1e8_f64, 2e8, 4e8, 8e8, 1.6e9] {
            let excess = 0.2 * (n0 / 1e9).powf(-0.3) + 0.1 * (tokens / 1e9).powf(-0.5);
            let run = TableRow::run(&n0.to_string(), n0, rate, 2.0);
            rows.push(TableRow {
                method: method.into(),
                tokens,
                loss: 2.0 + excess,
                zeroed,
                ..run
            });
        }
    }
    rows
}

fn fitted(rows: Vec<TableRow>) -> Law {
    law::fit(&Table::new(rows).unwrap(), &Settings { starts: 16, ..Settings::default() }).unwrap()
}

fn place() -> Place {
    Place::new(8e9, 0.48, 2.0).unwrap()
}

fn held(group: &GroupLaw) -> f64 {
    group.plan(place(), &Wish::default()).unwrap().parameters().unwrap()
}

const SPELLINGS: [&str; 6] =
    ["wanda-2:4", "sparsegpt 2:4", "2:4", "2:4 wanda", "SparseGPT (2:4)", "unnamed"];

#[test]
fn the_same_curves_cost_the_same_however_the_method_is_spelled() {
    let ours = fitted(rows("2:4-wanda", None));
    assert_eq!(held(&ours.groups()[0]), 8e9);
    let plan = |law: &Law| law.groups()[0].plan(place(), &Wish::default()).unwrap();
    for spelling in SPELLINGS {
        let theirs = fitted(rows(spelling, Some(true)));
        assert_eq!(theirs.groups()[0].constants(), ours.groups()[0].constants(), "{spelling}");
        assert_eq!(plan(&theirs), plan(&ours), "{spelling}");
        let removed = fitted(rows(spelling, Some(false)));
        assert_eq!(held(&removed.groups()[0]), 8e9 * (1.0 - 0.48), "{spelling}");
    }
}

#[test]
fn what_nothing_tells_is_asked_for() {
    for spelling in SPELLINGS {
        let mut law = fitted(rows(spelling, None));
        let group = &law.groups()[0];
        // Tokens hang on nothing that is unknown; parameters and costs are left out.
        assert!(group.decisions()[0].enough().value().is_some());
        assert_eq!(group.decisions()[0].parameters(), None);
        assert!(group.decisions().iter().all(|plan| plan.enough().cost().is_none()));
        assert_eq!(group.enough(place(), &Wish::default()).unwrap().cost(), None);
        assert!(group.predict(place(), 1e9).unwrap().loss().is_some());

        let error = group.plan(place(), &Wish::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ZeroedUnknown);
        let said = format!(
            "it is not known whether the method `{spelling}` removes weights or makes them zero: its id does not tell, \
             and the points do not say it in a column `zeroed`"
        );
        assert_eq!(error.to_string(), said);
        let candidate = Candidate {
            model: None,
            series: "unnamed".into(),
            method: spelling.into(),
            objective: None,
            place: place(),
            embedding: 0.0,
        };
        let offered = law.allocate(&[candidate], &Limits::default(), &Wish::default());
        assert_eq!(offered.unwrap_err().kind(), ErrorKind::ZeroedUnknown);

        law.say_zeroed(true).unwrap();
        assert_eq!(held(&law.groups()[0]), 8e9);
    }
}

#[test]
fn an_id_of_ours_is_not_talked_over() {
    let wrong = Table::new(rows("2:4-wanda", Some(false))).unwrap_err();
    let said = "row 1: `zeroed` is false, but the method `2:4-wanda` makes weights zero";
    assert_eq!((wrong.to_string().as_str(), wrong.row()), (said, Some(1)));
    let mut law = fitted(rows("depth-list", None));
    let said = "`zeroed` is true, but the method `depth-list` removes weights";
    assert_eq!(law.say_zeroed(true).unwrap_err().to_string(), said);
    law.say_zeroed(false).unwrap();
    // What an id tells is not written down again.
    let text = serde_json::to_string(&fitted(rows("2:4-wanda", Some(true)))).unwrap();
    assert_eq!(text, serde_json::to_string(&fitted(rows("2:4-wanda", None))).unwrap());
    let text =
        text.replace("\"method\":\"2:4-wanda\"", "\"method\":\"2:4-wanda\",\"zeroed\":false");
    let error = serde_json::from_str::<Law>(&text).unwrap_err().to_string();
    assert!(error.contains("law, group 1: `zeroed` is false"), "{error}");
}

#[test]
fn a_group_is_known_only_where_every_run_says_the_same() {
    let mut mixed = rows("mine", Some(true));
    mixed[0].zeroed = None;
    assert_eq!(Table::new(mixed.clone()).unwrap().groups()[0].zeroed(), Some(true));
    mixed.iter_mut().take(5).for_each(|row| row.zeroed = None);
    assert_eq!(Table::new(mixed.clone()).unwrap().groups()[0].zeroed(), None);
    mixed.iter_mut().take(5).for_each(|row| row.zeroed = Some(false));
    assert_eq!(Table::new(mixed.clone()).unwrap().groups()[0].zeroed(), None);
    mixed[2].zeroed = Some(true);
    let error = Table::new(mixed).unwrap_err().to_string();
    assert_eq!(error, "row 3: run `1000000000` has `zeroed` true, in row 1 it has false");
}

#[test]
fn a_law_keeps_what_the_table_said() {
    let law = fitted(rows("sparsegpt 2:4", Some(true)));
    let text = serde_json::to_string(&law).unwrap();
    assert!(text.contains("\"method\":\"sparsegpt 2:4\",\"zeroed\":true"), "{text}");
    assert_eq!(held(&serde_json::from_str::<Law>(&text).unwrap().groups()[0]), 8e9);
}
