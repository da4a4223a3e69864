//! A million random bytes as points tables, most of them a sound table spoilt here and there: read
//! and fitted, or refused with the place of the fault; never a panic, never a number that is none.
//!
//! The same bytes every time; `REGROW_FUZZ=30` makes it thirty million.

use std::fmt::Write as _;
use std::fs;

use ::law::{Law, Settings, Table};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use regrow::store;

const BYTES: usize = 1_000_000;
const HEAD: &str =
    "series,method,run,n0,rate,loss0,tokens,loss,phase,learning_rate,base,weight,repeated";
const CELLS: &[&str] = &[
    "",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "1e308",
    "1e309",
    "-0",
    "0",
    "1",
    "-1",
    "1e-320",
    "0x10",
    "1_000",
    "1,5",
    "\"",
    "\"\"",
    "1e",
    "+",
    "99999999999999999999",
    "true",
    "warmup",
    "decay",
    "none",
    "depth",
    "\u{feff}",
    "é\u{0}",
    "\t",
    "1e18",
    "1.0000000000000002e18",
];

/// A table of a law: two sizes, two rates, four counts.
fn sound(rows: usize) -> Vec<Vec<String>> {
    let mut table = vec![HEAD.split(',').map(str::to_owned).collect::<Vec<_>>()];
    for row in 0..rows {
        let (n0, rate, tokens) =
            ([1e9, 3e9][row % 2], [0.15, 0.3][row / 2 % 2], 1e6 * 2.0_f64.powi((row / 4) as i32));
        let loss = 2.0 + rate * (0.3 + 200.0 / tokens.sqrt());
        let name = format!("{n0} {rate}");
        let row = [
            "s",
            "depth",
            &name,
            &n0.to_string(),
            &rate.to_string(),
            "2",
            &tokens.to_string(),
            &loss.to_string(),
        ];
        table.push(row.iter().copied().chain(["", "", "", "", ""]).map(str::to_owned).collect());
    }
    table
}

fn text(table: &[Vec<String>], ending: &str) -> Vec<u8> {
    let mut text = String::new();
    for row in table {
        write!(text, "{}{ending}", row.join(",")).unwrap();
    }
    text.into_bytes()
}

/// A sound table with cells, rows and bytes changed; or bytes of any kind, alone or under a header.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let cell = (
        any::<usize>(),
        any::<usize>(),
        prop_oneof![3 => select(CELLS).prop_map(str::to_owned), 1 => "\\PC{0,9}"],
    );
    let row = (any::<usize>(), 0..4_u8);
    let byte = (any::<usize>(), any::<u8>());
    let spoilt = (
        0..17_usize,
        proptest::collection::vec(cell, 0..4),
        proptest::collection::vec(row, 0..2),
        proptest::collection::vec(byte, 0..3),
        select(vec!["\n", "\r\n", "\n\n", "\r"]),
    );
    let spoilt = spoilt.prop_map(|(rows, cells, changes, bytes, ending)| {
        let mut table = sound(rows);
        for (row, column, cell) in cells {
            let row = row % table.len();
            let columns = table[row].len();
            table[row][column % columns] = cell;
        }
        for (row, change) in changes {
            let row = row % table.len();
            match change {
                0 => drop(table.remove(row)),
                1 => table.push(table[row].clone()),
                2 => table[row].push("1".to_owned()),
                _ => drop(table[row].pop()),
            }
            if table.is_empty() || table.iter().any(Vec::is_empty) {
                break;
            }
        }
        let mut text = text(&table, ending);
        for (at, byte) in bytes {
            if !text.is_empty() {
                let at = at % text.len();
                text[at] = byte;
            }
        }
        text
    });
    let any_bytes = || proptest::collection::vec(any::<u8>(), 0..400);
    let under_header = any_bytes().prop_map(|bytes| [HEAD.as_bytes(), b"\n", &bytes].concat());
    prop_oneof![6 => spoilt, 1 => any_bytes(), 1 => under_header]
}

#[test]
fn a_million_random_bytes_are_read_or_refused_with_their_place() {
    let times: usize =
        std::env::var("REGROW_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.csv");
    let settings = Settings { starts: 2, simulations: 2, ..Settings::default() };
    let (mut seen, mut fitted, mut refused) = (0, 0, 0);
    while seen < times * BYTES {
        let (mut bytes_seen, mut law_count) = (0, 0);
        let round = std::cell::RefCell::new((&mut bytes_seen, &mut law_count));
        // A runner is spent after its cases: each round has one of its own, seeded by what was seen
        // before.
        let config = Config { failure_persistence: None, ..Config::with_cases(100) };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&(seen as u64).to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, random);
        runner
            .run(&bytes(), |bytes| {
                let (seen, fitted) = &mut *round.borrow_mut();
                **seen += bytes.len();
                fs::write(&path, &bytes).unwrap();
                let rows = match store::read_points(&path, "p2") {
                    Ok(table) => table.into_rows(),
                    Err(error) => {
                        let said = error.to_string();
                        // A cell has a row and a column, a row that does not fit the header a row;
                        // else the whole file is meant.
                        let placed = match (error.cell(), error.missing_columns()) {
                            (Some((row, column)), _) => {
                                said.contains(&format!("row {row}: `{column}`"))
                            }
                            (None, [missing, ..]) => said.contains(missing),
                            (None, []) => said.contains("points.csv"),
                        };
                        prop_assert!(placed && said.lines().count() == 1, "{said}");
                        return Ok(());
                    }
                };
                let count = rows.len();
                let table = match Table::new(rows) {
                    Ok(table) => table,
                    Err(error) if error.kind() == ::law::ErrorKind::NothingToFit => return Ok(()),
                    Err(error) => {
                        let said = error.to_string();
                        let number = said.strip_prefix("row ").and_then(|rest| {
                            rest[..rest.find(|c: char| !c.is_ascii_digit())?].parse::<usize>().ok()
                        });
                        prop_assert!(
                            number.is_some_and(|row| (1..=count).contains(&row)),
                            "{said}"
                        );
                        return Ok(());
                    }
                };
                if let Ok(law) = ::law::fit(&table, &settings) {
                    let text = serde_json::to_string(&law).unwrap();
                    prop_assert!(!text.contains("null"), "{text}");
                    prop_assert!(serde_json::from_str::<Law>(&text).is_ok());
                    **fitted += 1;
                }
                Ok(())
            })
            .unwrap();
        seen += bytes_seen;
        fitted += law_count;
        refused += 100 - law_count;
    }
    eprintln!("{seen} bytes: {fitted} tables fitted, {refused} refused");
    assert!(fitted * 100 > refused && refused * 100 > fitted, "{fitted} fitted, {refused} refused");
}
