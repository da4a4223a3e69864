//! Tables: every fault has its own message, and what is only noticed is a warning.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use law::{Code, Settings, Table, TableRow};
use ledger::Phase;

fn good() -> Vec<TableRow> {
    let row = |run: &str, rate: f64, tokens: f64| TableRow {
        tokens,
        loss: 2.2 + rate * (1.0 + 100.0 / tokens.sqrt()),
        ..TableRow::run(run, 1e9, rate, 2.0)
    };
    [("a", 0.15), ("b", 0.25)]
        .iter()
        .flat_map(|(run, rate)| [1e4, 2e4, 4e4, 8e4].map(|d| row(run, *rate, d)))
        .collect()
}

type Spoil = fn(&mut Vec<TableRow>);

const FAULTS: [(&str, Spoil, &str); 16] = [
    ("empty table", |rows| rows.clear(), "the table holds no rows"),
    ("NaN loss", |rows| rows[2].loss = f64::NAN, "row 3: `loss` is NaN, expected a finite number"),
    (
        "infinite size",
        |rows| rows[0].n0 = f64::INFINITY,
        "row 1: `n0` is inf, expected a finite number",
    ),
    (
        "no tokens",
        |rows| rows[1].tokens = 0.0,
        "row 2: `tokens` is 0, expected a token count from 1 to 1e18",
    ),
    (
        "negative tokens",
        |rows| rows[1].tokens = -5.0,
        "row 2: `tokens` is -5, expected a token count from 1 to 1e18",
    ),
    (
        "rate of one",
        |rows| rows[3].rate = 1.0,
        "row 4: `rate` is 1, expected at least 0 and below 1",
    ),
    (
        "negative rate",
        |rows| rows[3].rate = -0.1,
        "row 4: `rate` is -0.1, expected at least 0 and below 1",
    ),
    ("rate of nothing", |rows| rows[3].rate = 1e-300, "row 4: `rate` is 0.00"),
    ("huge size", |rows| rows[0].n0 = 1e308, "row 1: `n0` is 1000"),
    (
        "size of nothing",
        |rows| rows[0].n0 = 0.0,
        "row 1: `n0` is 0, expected a parameter count from 1 to 1e18",
    ),
    (
        "weight of nothing",
        |rows| rows[5].weight = Some(0.0),
        "row 6: `weight` is 0, expected from 1e-12 to 1e12",
    ),
    (
        "row twice",
        |rows| rows.push(rows[1].clone()),
        "row 9 repeats row 2: run `a` at 20000 tokens",
    ),
    (
        "run of two sizes",
        |rows| rows[1].n0 = 2e9,
        "row 2: run `a` has `n0` 2000000000, in row 1 it has 1000000000",
    ),
    (
        "run of two rates",
        |rows| rows[1].rate = 0.2,
        "row 2: run `a` has `rate` 0.2, in row 1 it has 0.15",
    ),
    (
        "run of two bases",
        |rows| rows[2].base = Some("x".into()),
        "row 3: run `a` has `base` x, in row 1 it has unnamed 1000000000",
    ),
    (
        "only controls",
        |rows| rows.iter_mut().for_each(|row| row.rate = 0.0),
        "the table holds only unpruned controls (rate 0): there is nothing to fit",
    ),
];

#[test]
fn every_fault_is_named_with_its_row() {
    for (name, spoil, message) in FAULTS {
        let mut rows = good();
        spoil(&mut rows);
        let error = Table::new(rows).unwrap_err().to_string();
        assert!(error.starts_with(message), "{name}: {error}");
    }
    let mut rows = good();
    rows[0].method = "none".to_owned();
    let error = Table::new(rows).unwrap_err().to_string();
    assert_eq!(
        error,
        "row 1: `rate` is 0.15 and `method` is `none`: an unpruned control has rate 0"
    );
}

#[test]
fn controls_are_kept_apart_and_never_fitted() {
    let mut rows = good();
    let control = TableRow { rate: 0.0, run: "control".to_owned(), ..rows[0].clone() };
    rows.push(control);
    let table = Table::new(rows).unwrap();
    assert_eq!(table.groups()[0].runs().len(), 2);
    assert_eq!(table.controls()[0].1.name(), "control");
    assert_eq!(
        table,
        Table::new({
            let mut rows = good();
            rows.insert(0, TableRow { rate: 0.0, run: "control".to_owned(), ..rows[0].clone() });
            rows
        })
        .unwrap()
    );
}

#[test]
fn groups_are_kept_apart() {
    let mut rows = good();
    rows.extend(good().into_iter().map(|row| TableRow { method: "2:4-wanda".to_owned(), ..row }));
    rows.extend(good().into_iter().map(|row| TableRow { series: "llama".to_owned(), ..row }));
    let law = law::fit(&Table::new(rows).unwrap(), &Settings::default()).unwrap();
    let labels: Vec<String> = law.groups().iter().map(law::GroupLaw::label).collect();
    assert_eq!(labels, ["llama unnamed", "unnamed 2:4-wanda", "unnamed unnamed"]);
    let error = law.group(None, Some("unnamed")).unwrap_err().to_string();
    assert_eq!(
        error,
        "the law holds `llama` by `unnamed`, `unnamed` by `unnamed`: say which series and which method"
    );
}

#[test]
fn runs_of_another_objective_are_a_group_of_their_own_and_text_alone_is_the_default() {
    let trained_for = |objective: &str| {
        let objective = Some(objective.to_owned());
        good().into_iter().map(move |row| TableRow { objective: objective.clone(), ..row })
    };
    let text: Vec<TableRow> = trained_for("lm").collect();
    assert_eq!(Table::new(text).unwrap(), Table::new(good()).unwrap());
    // The runs have the same names in both groups.
    let rows = good().into_iter().chain(trained_for("distil"));
    let law = law::fit(&Table::new(rows).unwrap(), &Settings::default()).unwrap();
    let labels: Vec<String> = law.groups().iter().map(law::GroupLaw::label).collect();
    assert_eq!(labels, ["unnamed unnamed", "unnamed unnamed for distil"]);
    let error = law.group(None, None).unwrap_err().to_string();
    assert!(error.contains("`unnamed` by `unnamed` for `distil`"), "{error}");
    assert_eq!(law.group_for(None, None, Some("lm")).unwrap().objective(), "lm");
    let error = law.group_for(None, None, Some("mix")).unwrap_err().to_string();
    assert!(error.starts_with("the law holds no objective `mix`"), "{error}");
    // The file names an objective only where it is not the next-token loss.
    let text = serde_json::to_string(&law).unwrap();
    assert_eq!(text.matches("\"objective\":").count(), 1, "{text}");
    assert!(text.contains("\"objective\":\"distil\""));
    assert_eq!(serde_json::from_str::<law::Law>(&text).unwrap(), law);
    // Format 1 calls the minimum of the fit `objective`.
    let law = law::fit(&Table::new(good()).unwrap(), &Settings::default()).unwrap();
    let text = serde_json::to_string(&law).unwrap();
    let old = text.replacen("\"format\":2", "\"format\":1", 1);
    let old = old.replace("\"fit_objective\":", "\"objective\":");
    assert_eq!(serde_json::from_str::<law::Law>(&old).unwrap(), law);
    let both = old.replace("\"objective\":", "\"fit_objective\":1.0,\"objective\":");
    let error = serde_json::from_str::<law::Law>(&both).unwrap_err().to_string();
    assert!(error.contains("expected the name of what training minimised"), "{error}");
    let neither = text.replace("\"fit_objective\":", "\"fitted\":");
    let error = serde_json::from_str::<law::Law>(&neither).unwrap_err().to_string();
    assert!(error.contains("group 1: `fit_objective` is missing"), "{error}");
}

#[test]
fn what_is_noticed_is_a_warning() {
    let codes = |spoil: Spoil| {
        let mut rows = good();
        spoil(&mut rows);
        let table = Table::new(rows).unwrap();
        let points: usize = table.groups()[0].runs().iter().map(|run| run.points().len()).sum();
        let warnings = table.groups()[0].warnings();
        (warnings.iter().map(|warning| warning.code().clone()).collect::<Vec<_>>(), points)
    };
    let expect = |codes: &[&str]| {
        codes.iter().map(|code| Code::from((*code).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(codes(|_| ()), (expect(&[]), 8));
    assert_eq!(codes(|rows| rows[3].repeated = true), (expect(&["repeated-data"]), 8));
    assert_eq!(
        codes(|rows| rows.iter_mut().for_each(|row| row.loss0 = 9.0)),
        (expect(&["below-base", "unlikely-unit"]), 8)
    );
    assert_eq!(
        codes(|rows| rows[0].phase = Some(Phase::Warmup)),
        (expect(&["warm-up-left-out"]), 7)
    );
    assert_eq!(codes(|rows| rows[3].phase = Some(Phase::Decay)), (expect(&["mixed-schedule"]), 7));
    let decayed = codes(|rows| rows[..4].iter_mut().for_each(|row| row.phase = Some(Phase::Decay)));
    assert_eq!(decayed, (expect(&["decaying-schedule"]), 5));
}

#[test]
fn one_point_is_a_value_and_not_a_panic() {
    let law =
        law::fit(&Table::new(good().into_iter().take(1)).unwrap(), &Settings::default()).unwrap();
    let group = &law.groups()[0];
    assert_eq!(group.form_name(), "p2-one-size-one-rate-one-count");
    assert!(group.identifiability().code().contains(&law::Code::LevelsTooFew));
    assert_eq!(group.decisions()[0].enough().value(), None);
    assert!(group.constants()["E"].interval.is_none());
}

#[test]
fn an_unknown_form_names_the_nearest() {
    let settings = Settings { form: "p3".to_owned(), ..Settings::default() };
    let error = law::fit(&Table::new(good()).unwrap(), &settings).unwrap_err();
    assert_eq!(error.to_string(), "there is no form `p3`; the nearest is `p2`");
}
