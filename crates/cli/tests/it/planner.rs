//! The planner: one page, or why this build has none.

use std::fs;
use std::path::Path;

use crate::workshop::{arg, done, regrow};

fn law() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/2026-11-24-loop/law.json");
    fs::read_to_string(path).unwrap()
}

/// Why this build has no planner, if it has none.
pub(crate) fn left_out() -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("law.json"), folder.path().join("planner.html"));
    fs::write(&path, law()).unwrap();
    let ran = regrow(&["planner", arg(&path), "--out", arg(&out)]);
    if ran.code == 0 {
        return None;
    }
    assert!(ran.code == 1 && !out.exists(), "{ran:?}");
    let why = ran.stderr.trim().strip_prefix("error: this build of regrow has no planner, since ");
    let why = why.unwrap_or_else(|| panic!("{ran:?}")).to_owned();
    // Every reason says what to do.
    let remedies = ["`rustup target add wasm32-unknown-unknown`", "build again", "build with it"];
    assert!(remedies.iter().any(|remedy| why.contains(remedy)), "{why}");
    Some(why)
}

#[test]
fn the_planner_is_one_page_that_asks_for_nothing() {
    if let Some(why) = left_out() {
        eprintln!("skipped: the_planner_is_one_page_that_asks_for_nothing: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("my law.json"), folder.path().join("planner.html"));
    fs::write(&path, law()).unwrap();
    let words = ["planner", arg(&path), "--out", arg(&out), "--json"];
    let said = done(&words).json();
    let page = fs::read_to_string(&out).unwrap();
    assert_eq!(said["bytes"], page.len());
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("default-src 'none'"));
    assert!(!page.contains("src=") && !page.contains("http://") && !page.contains("https://"));
    // `AGFzbQ` is how WebAssembly begins, in base64.
    assert!(page.contains("AGFzbQ") && page.contains(r#"{"law":"my law.json""#));
    // Our own page is replaced if that is asked for, and nothing else.
    assert!(regrow(&words).stderr.contains("already exists"));
    done(&[&words[..], &["--force"]].concat());
}

#[test]
fn a_planner_replaces_neither_its_law_nor_what_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (path, letter) = (folder.path().join("law.json"), folder.path().join("letter.html"));
    fs::write(&path, law()).unwrap();
    fs::write(&letter, "<!DOCTYPE html><p>dear").unwrap();
    for (out, said) in [(&path, "which is read"), (&letter, "is not a planner made by regrow")] {
        let before = fs::read(out).unwrap();
        let ran = regrow(&["planner", arg(&path), "--out", arg(out), "--force"]);
        assert!(ran.code == 1 && ran.stderr.contains(said), "{ran:?}");
        assert_eq!(fs::read(out).unwrap(), before);
    }
    fs::write(&path, "{}").unwrap();
    let ran = regrow(&["planner", arg(&path), "--out", arg(&folder.path().join("new.html"))]);
    assert!(ran.code == 1 && ran.stderr.contains("is not a law file"), "{ran:?}");
}
