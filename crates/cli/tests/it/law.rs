//! From measured points to a number of tokens, and to the sentence where there is none.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::workshop::{Ran, arg, done, regrow};

pub(crate) const HEAD: &str = "series,method,run,n0,rate,loss0,tokens,loss\n";
const RATES: [f64; 3] = [0.15, 0.25, 0.35];

/// A folder with a points table.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new(points: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(bench.points(), points).unwrap();
        bench
    }

    pub(crate) fn points(&self) -> PathBuf {
        self.folder.path().join("points.csv")
    }

    pub(crate) fn law(&self) -> PathBuf {
        self.folder.path().join("law.json")
    }

    /// Fits a law, without a posterior unless intervals are named: sampling takes seconds.
    pub(crate) fn fit(&self, more: &[&str]) -> Ran {
        let (points, law) = (self.points(), self.law());
        let flags = ["fit", arg(&points), "--out", arg(&law), "--starts", "16"];
        let fast: &[&str] =
            if more.contains(&"--intervals") { &[] } else { &["--intervals", "jackknife"] };
        regrow(&[&flags, fast, more].concat())
    }

    pub(crate) fn ask(&self, command: &str, n0: &str, more: &[&str]) -> Ran {
        let law = self.law();
        let place = [command, arg(&law), "--n0", n0, "--rate", "0.25", "--loss0", "2.2"];
        regrow(&[&place, more].concat())
    }
}

/// A loss by the law whose constants the fit should find, in billions.
pub(crate) fn loss(n0: f64, rate: f64, tokens: f64) -> f64 {
    let [n_c, d_c, e, alpha, beta, gamma, delta] = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2];
    let size_and_tokens = n_c * n0.powf(-alpha) + d_c * tokens.powf(-beta) + e;
    2.2 + rate.powf(-gamma) * n0.powf(-delta) * size_and_tokens
}

/// Losses at these sizes, every rate and eight token counts.
pub(crate) fn points(sizes: &[f64]) -> String {
    let mut text = HEAD.to_owned();
    for size in sizes {
        for rate in RATES {
            for tokens in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0] {
                let (n0, count, loss) = (size * 1e9, tokens * 1e9, loss(*size, rate, tokens));
                writeln!(text, "s,depth-list,{size}-{rate},{n0},{rate},2.2,{count},{loss}")
                    .unwrap();
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
    assert!((law["format"] == 2) && (beta - 0.5).abs() < 1e-3, "{beta}");

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
    let plan = ran.json()["decisions"][0].clone();
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
    let answer = ran.json()["decisions"][0].clone();
    assert!(ran.code == 3 && answer["enough"].get("value").is_none(), "{answer}");
    assert!(codes(&answer["enough"]).contains(&"levels-too-few"), "{answer}");
}

#[test]
fn one_point_a_run_says_that_nothing_is_known_of_tokens() {
    let text = points(&[0.5, 1.2, 3.1]);
    let last =
        text.lines().filter(|line| line.starts_with("series") || line.contains(",1000000000,"));
    let bench = Bench::new(&last.map(|line| format!("{line}\n")).collect::<String>());
    let ran = bench.fit(&["--json"]);
    assert_eq!(ran.code, 3, "{} {}", ran.stdout, ran.stderr);
    assert!(codes(&ran.json()["groups"][0]["identifiability"]).contains(&"levels-too-few"));
}

#[test]
fn bad_points_get_a_clear_error_and_no_law_is_written() {
    let row = |rate: &str, tokens: &str, loss: &str| {
        format!("{HEAD}s,m,a,1e9,{rate},2.2,{tokens},{loss}\n")
    };
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
        (
            "rate of 1",
            row("1", "1e6", "2.5"),
            "row 1: `rate` is 1, expected at least 0 and below 1",
        ),
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
    assert!(ran.code == 2 && ran.stderr.contains("the nearest is `p2`"), "{}", ran.stderr);
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
        (r#"{"format":3,"groups":[]}"#, "has format 3, expected 2, or 1"),
        (r#"{"format":2,"groups":[]}"#, "holds no group"),
        (r#"{"format":1,"groups":[{}]}"#, "is not a law file"),
        (r#"{"format":1,"groups":[]}"#, "holds no group"),
    ] {
        fs::write(bench.law(), text).unwrap();
        for ran in
            [bench.ask("plan", "1e9", &[]), bench.ask("predict", "1e9", &["--tokens", "1e9"])]
        {
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
    assert!(
        ran.code == 2 && ran.stderr.contains("`rate` is 0, expected above 0"),
        "{}",
        ran.stderr
    );
    done(&["plan", "--help"]);
}

#[test]
fn what_tokens_cost_follows_from_the_model_and_the_machine() {
    let bench = Bench::new(&points(&[0.5, 1.2, 3.1, 7.6]));
    assert_eq!(bench.fit(&[]).code, 0);
    let law = bench.law();
    let place = ["plan", arg(&law), "--model", "qwen2.5-7b", "--rate", "0.25", "--loss0", "2.2"];
    let machine = ["--device-peak", "989T", "--utilisation", "0.5", "--gpu-hour-price", "2"];
    let ran = regrow(&[&place[..], &machine, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let plan = ran.json()["decisions"][0].clone();
    // Untied: its input embedding of 152,064 by 3,584 is looked up, not multiplied.
    let multiplied = 7_615_616_512.0 * 0.75 - 152_064.0 * 3_584.0;
    let number = |value: &Value| value.as_f64().unwrap();
    let tokens = number(&plan["enough"]["value"]);
    let cost = &plan["enough"]["cost"];
    let flops = 6.0 * multiplied * tokens;
    let hours = flops / (989e12 * 0.5) / 3600.0;
    for (found, expected) in [("flops", flops), ("gpu_hours", hours), ("usd", 2.0 * hours)] {
        let found = number(&cost[found]["value"]);
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    }
    let shown = regrow(&[&place[..], &machine].concat()).stdout;
    assert!(shown.contains("GPU-hours") && shown.contains("US dollars"), "{shown}");

    let budget = format!("{}gpu-hours", hours / 4.0);
    let ran = regrow(&[&place[..], &machine, &["--budget", &budget, "--json"]].concat());
    let answer = ran.json();
    let bought = &answer["decisions"][0]["for_budget"];
    assert!((number(&bought["tokens"]) / tokens - 0.25).abs() < 1e-6, "{bought}");
    let expected = loss(7.615616512, 0.25, tokens / 4e9);
    assert!((number(&bought["loss"]) - expected).abs() < 1e-3, "{bought} {expected}");
    assert_eq!(number(&answer["allocation"]["best"][0]["tokens"]), number(&bought["tokens"]));
    for (flags, said) in [
        (&["--budget", "5usd"][..], "needs the peak of the device and the price of a GPU-hour"),
        (
            &["--budget", "5usd", "--device-peak", "1e15"],
            "needs the peak of the device and the price",
        ),
        (
            &["--device-peak", "1e15", "--utilisation", "40"],
            "`utilisation` is 40, expected above 0 and at most 1",
        ),
        (&["--device-peak", "0"], "`device-peak` is 0"),
        (&["--budget", "1flop"], "`budget` is 1, expected enough"),
    ] {
        let ran = regrow(&[&place[..], flags].concat());
        assert!(ran.code == 2 && ran.stderr.contains(said), "{flags:?}: {}", ran.stderr);
    }
    for flags in [&["--budget", "5eur"][..], &["--gpu-hour-price", "2"], &["--device-peak", "fast"]]
    {
        assert_eq!(regrow(&[&place[..], flags].concat()).code, 2, "{flags:?}");
    }
    // The flag that is missing is named, and a device is known by its name.
    let hours = ["--budget", "1e-6gpu-hours"];
    let ran = regrow(&[&place[..], &hours].concat());
    assert!(ran.stderr.contains("--device-peak h100"), "{}", ran.stderr);
    let by = |peak| regrow(&[&place[..], &hours, &["--device-peak", peak]].concat());
    let (named, counted) = (by("H100"), by("989T"));
    assert!(named.code == counted.code && named.stdout == counted.stdout, "{}", named.stderr);
    assert!(by("h900").stderr.contains("nor a device (a100, b200, h100"), "{}", by("h900").stderr);
}

#[test]
fn a_rate_in_percent_is_read() {
    let bench = Bench::new(&points(&[0.5, 1.2, 3.1, 7.6]));
    assert_eq!(bench.fit(&[]).code, 0);
    let law = bench.law();
    let place =
        ["predict", arg(&law), "--n0", "1.2e9", "--loss0", "2.2", "--tokens", "1e9", "--rate"];
    let ask = |rate| regrow(&[&place[..], &[rate]].concat());
    assert_eq!(ask("25%").stdout, ask("0.25").stdout);
    let ran = ask("a-quarter");
    assert!(ran.code == 2 && ran.stderr.contains("such as 0.25 or 25%"), "{}", ran.stderr);
}

#[test]
fn a_loss_before_pruning_is_never_guessed_and_a_model_is_known_by_name() {
    let bench = Bench::new(&points(&[0.5, 1.2, 3.1, 7.6]));
    assert_eq!(bench.fit(&[]).code, 0);
    let law = bench.law();
    for command in [&["predict", arg(&law), "--tokens", "1e9"][..], &["plan", arg(&law)]] {
        let ran = regrow(&[command, &["--model", "qwen2.5-7b", "--rate", "0.25"]].concat());
        assert!(ran.code == 2 && ran.stderr.contains("regrow eval MODEL"), "{}", ran.stderr);
        let ran = regrow(
            &[command, &["--model", "qwen2.5-8b", "--rate", "0.25", "--loss0", "2"]].concat(),
        );
        assert!(ran.code == 1 && ran.stderr.contains("qwen2.5-7b, "), "{}", ran.stderr);
    }
    let by = |flags: &[&str]| {
        let rest = ["--rate", "0.25", "--loss0", "2.2", "--tokens", "1e9", "--json"];
        regrow(&[&["predict", arg(&law)], flags, &rest].concat()).json()
    };
    assert_eq!(by(&["--model", "Qwen/Qwen2.5-7B"]), by(&["--n0", "7615616512"]));
}

#[test]
fn a_share_is_won_back_from_what_was_measured() {
    let bench = Bench::new(&points(&[0.5, 1.2, 3.1, 7.6]));
    assert_eq!(bench.fit(&[]).code, 0);
    let points = bench.points();
    let recover = |more: &[&str]| {
        bench.ask("plan", "3.1e9", &[&["--recover", "60%", "--json"], more].concat())
    };
    let ran = recover(&[]);
    assert!(ran.code == 2 && ran.stderr.contains("`--from-loss`"), "{}", ran.stderr);
    // From the table: the loss of the run at 3.1B and rate 0.25 after 100M tokens.
    let reference = loss(3.1, 0.25, 0.1);
    let ran = recover(&["--from", "100M", "--measured", arg(&points)]);
    let plan = ran.json()["decisions"][0].clone();
    let target = plan["recovered_loss"].as_f64().unwrap();
    assert!((target - (reference - 0.6 * (reference - 2.2))).abs() < 1e-9, "{target} {reference}");
    let ran = recover(&["--from-loss", "3"]);
    assert!((ran.json()["decisions"][0]["recovered_loss"].as_f64().unwrap() - 2.52).abs() < 1e-9);
    for (flags, said) in [
        (&["--measured", arg(&points)][..], "holds no loss right after pruning of s depth-list"),
        (&["--from", "7M", "--measured", arg(&points)], "holds no loss after 7,000,000 tokens"),
        (&["--from-loss", "2.1"], "there is nothing to recover"),
    ] {
        let ran = recover(flags);
        assert!(ran.code == 1 && ran.stderr.contains(said), "{flags:?}: {}", ran.stderr);
    }
}

#[test]
fn candidates_of_a_table_are_ranked_by_what_they_become() {
    let two = points(&[0.5, 1.2, 3.1, 7.6])
        + &points(&[0.5, 1.2, 3.1, 7.6])
            .replace(HEAD, "")
            .replace(",depth-list,", ",width-activation,");
    let bench = Bench::new(&two);
    assert_eq!(bench.fit(&[]).code, 0);
    let law = bench.law();
    let table = law.with_file_name("candidates.csv");
    fs::write(
        &table,
        "n0,loss0,method,rate\n3.1e9,2.2,depth-list,0.15\n3.1e9,2.2,width-activation,0.35\n7.6e9,2.2,,0.25\n2e9,2.4,none,0\n",
    )
    .unwrap();
    let plan =
        |more: &[&str]| regrow(&[&["plan", arg(&law), "--candidates", arg(&table)], more].concat());
    let ran = plan(&["--max-tokens", "1e9", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let answer = ran.json();
    let best = answer["allocation"]["best"].as_array().unwrap();
    assert_eq!((best.len(), answer["decisions"].as_array().unwrap().len()), (4, 4));
    let losses: Vec<f64> = best.iter().map(|offer| offer["loss"].as_f64().unwrap()).collect();
    assert!(losses.windows(2).all(|pair| pair[0] <= pair[1]), "{losses:?}");
    let front = answer["allocation"]["front"].as_array().unwrap();
    assert!(
        front.iter().any(|offer| offer["method"] == "none" && offer["tokens"] == 0.0),
        "{front:?}"
    );
    let shown = plan(&["--max-params", "3e9"]).stdout;
    assert!(
        shown.contains("lowest loss within the limits") && shown.contains("not offered: "),
        "{shown}"
    );
    // Every method and every measured rate, where neither is named.
    let ran = regrow(&["plan", arg(&law), "--n0", "3.1e9", "--loss0", "2.2", "--json"]);
    assert_eq!(ran.json()["decisions"].as_array().unwrap().len(), 6, "{}", ran.stderr);
    let ran = regrow(&[
        "predict",
        arg(&law),
        "--n0",
        "3.1e9",
        "--loss0",
        "2.2",
        "--rate",
        "0.25",
        "--tokens",
        "1e9",
    ]);
    assert!(ran.code == 2 && ran.stderr.contains("`--series` and `--method`"), "{}", ran.stderr);
    let ran = regrow(&[
        "plan",
        arg(&law),
        "--n0",
        "3.1e9",
        "--loss0",
        "2.2",
        "--method",
        "witdh-activation",
    ]);
    assert!(
        ran.code == 2 && ran.stderr.contains("the nearest is `width-activation`"),
        "{}",
        ran.stderr
    );
    let ran = regrow(&["plan", arg(&law), "--n0", "3.1e9,7.6e9", "--loss0", "2.2"]);
    assert!(ran.code == 2 && ran.stderr.contains("one `--loss0` for each"), "{}", ran.stderr);
    fs::write(&table, "n0\n1e9\n").unwrap();
    assert!(plan(&[]).stderr.contains("no column `loss0`"));
}

#[test]
fn what_a_method_does_to_weights_is_asked_for_not_guessed() {
    let rows = points(&[0.5, 1.2, 3.1, 7.6]);
    let bench = Bench::new(&rows.replace(",depth-list,", ",sparsegpt 2:4,"));
    assert_eq!(bench.fit(&[]).code, 0);
    let ran = bench.ask("plan", "3.1e9", &[]);
    assert!(ran.code == 1 && ran.stderr.contains("`sparsegpt 2:4`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`--zeroed` or `--removed`"), "{}", ran.stderr);
    let held = |flag: &str| {
        let ran = bench.ask("plan", "3.1e9", &["--json", flag]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()["decisions"][0]["parameters"].as_f64().unwrap()
    };
    assert_eq!((held("--zeroed"), held("--removed")), (3.1e9, 3.1e9 * 0.75));
    assert_eq!(bench.ask("plan", "3.1e9", &["--zeroed", "--removed"]).code, 2);
    // The table may say it.
    let said: String = rows
        .replace(",depth-list,", ",sparsegpt 2:4,")
        .lines()
        .map(|line| {
            line.to_owned() + if line.starts_with("series") { ",zeroed\n" } else { ",true\n" }
        })
        .collect();
    let bench = Bench::new(&said);
    assert_eq!(bench.fit(&[]).code, 0);
    let plan = bench.ask("plan", "3.1e9", &["--json"]).json();
    assert_eq!(plan["decisions"][0]["parameters"], 3.1e9);
    let ran = bench.ask("predict", "3.1e9", &["--tokens", "1e9"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// Two bases a size, whose levels differ, and points that are not exact.
fn of_two_bases() -> String {
    let mut text = "series,method,run,base,n0,rate,loss0,tokens,loss\n".to_owned();
    for (i, size) in [0.5, 1.2, 3.1].into_iter().enumerate() {
        for base in ["a", "b"] {
            for rate in RATES {
                let factor = if base == "a" { 1.1 } else { 0.9 };
                for (j, tokens) in [0.1, 0.2, 0.4, 0.8, 1.6].into_iter().enumerate() {
                    let noise = 0.002 * ((7 * i + 3 * j) as f64 + 10.0 * rate).sin();
                    let excess = factor * (loss(size, rate, tokens) - 2.2) + noise;
                    let (n0, count, loss) = (size * 1e9, tokens * 1e9, 2.2 + excess);
                    let run = format!("{size}{base}-{rate}");
                    writeln!(
                        text,
                        "s,depth-list,{run},{size}{base},{n0},{rate},2.2,{count},{loss}"
                    )
                    .unwrap();
                }
            }
        }
    }
    text
}

#[test]
fn a_law_with_levels_answers_three_questions() {
    let bench = Bench::new(&of_two_bases());
    let ran = bench.fit(&["--intervals", "posterior"]);
    assert!(ran.stdout.contains("posterior: 4 chains, "), "{} {}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("run_level"), "{}", ran.stdout);
    let law = bench.law();
    let predict = |more: &[&str]| {
        let ran = regrow(&[&["predict", arg(&law), "--tokens", "1e9", "--json"], more].concat());
        assert!(ran.code == 0 || ran.code == 3, "{}", ran.stderr);
        let answer = ran.json();
        let ends = answer["new_run"].as_array().unwrap();
        (answer["about"].clone(), ends[1].as_f64().unwrap() - ends[0].as_f64().unwrap())
    };
    let place = ["--n0", "1.2e9", "--rate", "0.25", "--loss0", "2.2"];
    let run = predict(&["--run", "1.2a-0.25"]);
    let base = predict(&[&place[..], &["--base", "1.2a"]].concat());
    let new = predict(&place);
    assert_eq!([&run.0, &base.0, &new.0], ["run", "known_base", "new_base"]);
    assert!(run.1 < base.1 && base.1 < new.1, "{run:?} {base:?} {new:?}");
    let ran = regrow(&["predict", arg(&law), "--tokens", "1e9", "--run", "1.2c-0.25"]);
    assert!(ran.stderr.contains("no run `1.2c-0.25`; the nearest is `1.2"), "{}", ran.stderr);
    let prior = bench.points().with_file_name("prior.toml");
    fs::write(&prior, "flor = { mean = 0, sd = 1 }\n").unwrap();
    let ran = bench.fit(&["--intervals", "posterior", "--force", "--prior", arg(&prior)]);
    assert!(ran.code == 2 && ran.stderr.contains("the nearest is `floor`"), "{}", ran.stderr);
}

#[test]
fn what_a_law_has_learnt_is_the_prior_of_another() {
    let bench = Bench::new(&of_two_bases());
    assert!([0, 3].contains(&bench.fit(&["--intervals", "posterior"]).code));
    let law = bench.law();
    let other = law.with_file_name("other.json");
    let fit = |prior: &Path| {
        regrow(&[
            "fit",
            arg(&bench.points()),
            "--json",
            "--out",
            arg(&other),
            "--force",
            "--prior",
            arg(prior),
        ])
    };
    let ran = fit(&law);
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let sd = |path: &Path, name: &str| {
        read(path)["groups"][0]["levels"]["priors"][name]["sd"].as_f64().unwrap()
    };
    assert!(sd(&other, "level_rate") < sd(&law, "level_rate"));
    assert_eq!(sd(&other, "level"), sd(&law, "level"));
    // A law without a posterior has nothing to tell.
    assert!([0, 3].contains(&bench.fit(&["--intervals", "jackknife", "--force"]).code));
    let ran = fit(&law);
    assert!(
        ran.code == 1 && ran.stderr.contains("holds no posterior, expected one"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_law_of_one_family_is_not_asked_about_another() {
    let text = points(&[0.5, 1.2, 3.1, 7.6]).replace("\ns,", "\nllama,");
    let bench = Bench::new(&text);
    assert_eq!(bench.fit(&[]).code, 0);
    let law = bench.law();
    let place = ["predict", arg(&law), "--rate", "0.25", "--loss0", "2.2", "--tokens", "1e9"];
    let ask = |more: &[&str]| regrow(&[&place[..], more].concat());
    let ran = ask(&["--model", "qwen2.5-7b"]);
    assert!(ran.code == 1 && ran.stderr.contains("was fitted to `llama`"), "{}", ran.stderr);
    assert_eq!(ask(&["--model", "qwen2.5-7b", "--series", "llama"]).code, 0);
    assert_eq!(ask(&["--model", "llama-3.1-8b"]).code, 0);
}
