//! From measured points to a number of tokens, and to the sentence where there is none.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::workshop::{Ran, arg, done, regrow};

const HEAD: &str = "series,method,run,n0,rate,loss0,tokens,loss\n";
const RATES: [f64; 3] = [0.15, 0.25, 0.35];

/// A folder with a points table.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(points: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(bench.points(), points).unwrap();
        bench
    }

    fn points(&self) -> PathBuf {
        self.folder.path().join("points.csv")
    }

    fn law(&self) -> PathBuf {
        self.folder.path().join("law.json")
    }

    fn fit(&self, more: &[&str]) -> Ran {
        regrow(&[&["fit", arg(&self.points()), "--out", arg(&self.law()), "--starts", "16"], more].concat())
    }

    fn ask(&self, command: &str, n0: &str, more: &[&str]) -> Ran {
        let law = self.law();
        let place = [command, arg(&law), "--n0", n0, "--rate", "0.25", "--loss0", "2.2"];
        regrow(&[&place, more].concat())
    }
}

/// A loss by the law whose constants the fit should find, in billions.
fn loss(n0: f64, rate: f64, tokens: f64) -> f64 {
    let [n_c, d_c, e, alpha, beta, gamma, delta] = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2];
    let size_and_tokens = n_c * n0.powf(-alpha) + d_c * tokens.powf(-beta) + e;
    2.2 + rate.powf(-gamma) * n0.powf(-delta) * size_and_tokens
}

/// Losses at these sizes, every rate and eight token counts.
fn points(sizes: &[f64]) -> String {
    let mut text = HEAD.to_owned();
    for size in sizes {
        for rate in RATES {
            for tokens in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0] {
                let (n0, count, loss) = (size * 1e9, tokens * 1e9, loss(*size, rate, tokens));
                writeln!(text, "s,depth,{size}-{rate},{n0},{rate},2.2,{count},{loss}").unwrap();
            }
        }
    }
    text
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["code"].as_array().unwrap().iter().map(|code| code.as_str().unwrap()).collect()
}

#[test]
fn a_law_is_fitted_asked_and_planned_with() {
    let bench = Bench::new(&points(&[0.5, 1.2, 3.1, 7.6]));
    let ran = bench.fit(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for word in ["N_C", "beta", "90 % interval", "held out", "enough tokens"] {
        assert!(ran.stdout.contains(word), "no `{word}` in {}", ran.stdout);
    }
    let law: Value = serde_json::from_str(&fs::read_to_string(bench.law()).unwrap()).unwrap();
    let beta = law["groups"][0]["constants"]["beta"]["value"].as_f64().unwrap();
    assert!((law["format"] == 1) && (beta - 0.5).abs() < 1e-3, "{beta}");

    let ran = bench.fit(&["--json"]);
    assert!(ran.code == 1 && ran.stderr.contains("`--force`"), "{}", ran.stderr);
    assert_eq!(bench.fit(&["--json", "--force"]).json(), law);

    let ran = bench.ask("predict", "3.1B", &["--tokens", "7e8", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = ran.json()["loss"].as_f64().unwrap();
    assert!((found - loss(3.1, 0.25, 0.7)).abs() < 1e-4, "{found}");
    let ran = bench.ask("predict", "3.1B", &["--tokens", "7e8"]);
    assert!(ran.stdout.starts_with("the loss is "), "{}", ran.stdout);

    // A doubling from D buys a D^-0.5 (1 - 2^-0.5): enough is where that is 0.01.
    let share = loss(3.1, 0.25, 1.0) - loss(3.1, 0.25, f64::INFINITY);
    let enough = (share * (1.0 - 0.5_f64.sqrt()) / 0.01).powi(2) * 1e9;
    let ran = bench.ask("plan", "3.1B", &["--json", "--target-loss", "1.9"]);
    assert_eq!(ran.code, 0, "{} {}", ran.stdout, ran.stderr);
    let plan = ran.json();
    let found = plan["enough"]["value"].as_f64().unwrap();
    assert!((found / enough - 1.0).abs() < 1e-2, "{found} {enough}");
    assert_eq!(codes(&plan["for_target"]), ["below-floor"]);
    assert!(bench.ask("plan", "3.1B", &[]).stdout.starts_with("enough tokens: "));
}

#[test]
fn two_sizes_give_no_number_for_a_third() {
    let bench = Bench::new(&points(&[0.5, 1.2]));
    assert_eq!(bench.fit(&[]).code, 0);
    let ran = bench.ask("predict", "3.1e9", &["--tokens", "5e8", "--json"]);
    let answer = ran.json();
    assert_eq!(ran.code, 3, "{answer}");
    assert!(answer.get("loss").is_none() && codes(&answer).contains(&"levels-too-few"), "{answer}");
    let ran = bench.ask("predict", "3.1e9", &["--tokens", "5e8"]);
    assert!(ran.code == 3 && ran.stdout.contains("there is a range, no number"), "{}", ran.stdout);
    let ran = bench.ask("plan", "3.1e9", &["--json"]);
    let answer = ran.json();
    assert!(ran.code == 3 && answer["enough"].get("value").is_none(), "{answer}");
    assert!(codes(&answer["enough"]).contains(&"levels-too-few"), "{answer}");
}

#[test]
fn one_point_a_run_says_that_nothing_is_known_of_tokens() {
    let text = points(&[0.5, 1.2, 3.1]);
    let last = text.lines().filter(|line| line.starts_with("series") || line.contains(",1000000000,"));
    let bench = Bench::new(&last.map(|line| format!("{line}\n")).collect::<String>());
    let ran = bench.fit(&["--json"]);
    assert_eq!(ran.code, 3, "{} {}", ran.stdout, ran.stderr);
    assert!(codes(&ran.json()["groups"][0]["identifiability"]).contains(&"levels-too-few"));
}

#[test]
fn bad_points_get_a_clear_error_and_no_law_is_written() {
    let row = |rate: &str, tokens: &str, loss: &str| format!("{HEAD}s,m,a,1e9,{rate},2.2,{tokens},{loss}\n");
    for (name, text, said) in [
        (
            "missing columns (which, for which form)",
            "n0,rate,loss\n1e9,0.25,2.5\n".to_owned(),
            "no column `loss0`, `tokens`, which form `p2` needs",
        ),
        (
            "text in a number column (row, column)",
            row("0.25", "lots", "2.5"),
            "row 1: `tokens` is `lots`, expected a number",
        ),
        ("NaN", row("0.25", "1e6", "NaN"), "row 1: `loss` is NaN, expected a finite number"),
        ("infinite", row("0.25", "1e6", "1e999"), "row 1: `loss` is inf, expected a finite number"),
        ("negative tokens", row("0.25", "-5", "2.5"), "row 1: `tokens` is -5"),
        ("zero tokens", row("0.25", "0", "2.5"), "row 1: `tokens` is 0"),
        ("rate of 1", row("1", "1e6", "2.5"), "row 1: `rate` is 1, expected at least 0 and below 1"),
        ("negative rate", row("-0.1", "1e6", "2.5"), "row 1: `rate` is -0.1"),
        ("only controls", row("0", "1e6", "2.1"), "only unpruned controls"),
        (
            "duplicated rows",
            row("0.25", "1e6", "2.5") + "s,m,a,1e9,0.25,2.2,1e6,2.5\n",
            "row 2 repeats row 1: run `a`",
        ),
        ("no rows", HEAD.to_owned(), "holds no rows"),
    ] {
        let bench = Bench::new(&text);
        let ran = bench.fit(&["--json"]);
        assert!(ran.code == 1 && ran.stderr.contains(said), "{name}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && !bench.law().exists(), "{name}");
    }
    let ran = Bench::new(&points(&[0.5])).fit(&["--form", "p3"]);
    assert!(ran.code == 1 && ran.stderr.contains("the nearest is `p2`"), "{}", ran.stderr);
}

#[test]
fn losses_below_the_base_are_warned_of_with_the_controls_word() {
    let text = points(&[0.5]).replace(",2.2,", ",3.2,");
    let ran = Bench::new(&text).fit(&["--quiet"]);
    assert!(ran.stderr.contains("every loss lies below the unpruned model's"), "{}", ran.stderr);
    assert!(ran.stderr.contains("post-train the unpruned model"), "{}", ran.stderr);
}

#[test]
fn what_is_no_law_is_refused() {
    let bench = Bench::new("");
    for (text, said) in [
        ("", "is not a law file"),
        ("[]", "is not a law file"),
        (r#"{"format":2,"groups":[]}"#, "has format 2, expected 1"),
        (r#"{"format":1,"groups":[{}]}"#, "is not a law file"),
        (r#"{"format":1,"groups":[]}"#, "holds no group"),
    ] {
        fs::write(bench.law(), text).unwrap();
        for ran in [bench.ask("plan", "1e9", &[]), bench.ask("predict", "1e9", &["--tokens", "1e9"])] {
            assert!(ran.code == 1 && ran.stderr.contains(said), "{text}: {}", ran.stderr);
        }
    }
    fs::write(bench.points(), points(&[0.5, 1.2, 3.1])).unwrap();
    assert_eq!(bench.fit(&["--force"]).code, 0);
    for n0 in ["0", "-1", "nan"] {
        assert_ne!(bench.ask("predict", n0, &["--tokens", "1e9"]).code, 0, "{n0}");
    }
    let law = bench.law();
    let ran = regrow(&["plan", arg(&law), "--n0", "1e9", "--rate", "0", "--loss0", "2"]);
    assert!(ran.code == 1 && ran.stderr.contains("`rate` is 0, expected above 0"), "{}", ran.stderr);
    done(&["plan", "--help"]);
}
