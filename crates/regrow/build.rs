//! Tells the program which commit it was built from, where that can be known.

use std::path::Path;
use std::process::Command;

fn main() {
    let logs = Path::new("../../.git/logs/HEAD");
    println!("cargo::rerun-if-changed=build.rs");
    if logs.exists() {
        println!("cargo::rerun-if-changed={}", logs.display());
    }
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let commit = Command::new("git").args(["rev-parse", "--short=10", "HEAD"]).output();
    let commit = commit.ok().filter(|found| found.status.success() && logs.exists());
    let commit = commit.and_then(|found| String::from_utf8(found.stdout).ok());
    match commit.as_deref().map(str::trim).filter(|commit| !commit.is_empty()) {
        Some(commit) => println!("cargo::rustc-env=REGROW_VERSION={version} ({commit})"),
        None => println!("cargo::rustc-env=REGROW_VERSION={version}"),
    }
}
