//! A mapped file that becomes shorter ends the program with a word.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::Command;

const CHILD: &str = "REGROW_TEST_LOST_MAP";

#[test]
fn a_map_that_became_shorter_is_named() {
    if let Ok(path) = std::env::var(CHILD) {
        return read_what_is_lost(path.as_ref());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heldout.bin");
    std::fs::write(&path, vec![7; 1 << 20]).unwrap();
    // This very test, in a process of its own.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["a_map_that_became_shorter_is_named", "--exact", "--nocapture"])
        .env(CHILD, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("heldout.bin` became shorter while it was read"), "{said}");
}

fn read_what_is_lost(path: &std::path::Path) {
    disk::name_lost_maps();
    let map = disk::Map::open(path).unwrap();
    std::fs::File::options().write(true).open(path).unwrap().set_len(100).unwrap();
    let sum: u64 = map.iter().map(|byte| u64::from(*byte)).sum();
    unreachable!("a sum of {sum} bytes that are no longer there");
}
