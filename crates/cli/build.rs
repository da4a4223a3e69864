//! Builds the planner for the browser, so that the command can put it into a page.
//!
//! The command builds also where that is not possible; then it says why it has no planner. A build
//! for development leaves the planner out unless `REGROW_PLANNER=1` is set, since it takes about a
//! minute.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-unknown-unknown";
/// Says that a build for development has a planner too.
const WANTED: &str = "REGROW_PLANNER";
/// What the planner is made of, from this folder.
const SOURCES: [&str; 12] = [
    "build.rs",
    "../../Cargo.lock",
    "../planner/Cargo.toml",
    "../planner/src",
    "../law/Cargo.toml",
    "../law/src",
    "../ledger/Cargo.toml",
    "../ledger/src",
    "../report/Cargo.toml",
    "../report/src",
    "../shape/Cargo.toml",
    "../shape/src",
];
/// Settings of cargo that say where crates come from; a build needs them. Others would change what
/// is built.
const KEPT: [&str; 5] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];

fn main() {
    println!("cargo::rerun-if-env-changed={WANTED}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names a folder"));
    let (wasm, why) = match built(&out) {
        Ok(wasm) => (wasm, String::new()),
        Err(why) => (Vec::new(), why),
    };
    fs::write(out.join("planner.wasm"), wasm).expect("cargo's folder can be written");
    println!("cargo::rustc-env=REGROW_NO_PLANNER={why}");
}

/// The planner, or why there is none and what to do.
fn built(out: &Path) -> Result<Vec<u8>, String> {
    if env::var_os("CARGO_FEATURE_PLANNER").is_none() {
        watch(&["build.rs"]);
        return Err("it was built without the feature `planner`: build with it".to_owned());
    }
    let is_wanted = env::var(WANTED).is_ok_and(|value| value == "1");
    if env::var("PROFILE").as_deref() != Ok("release") && !is_wanted {
        watch(&["build.rs"]);
        return Err(format!("it was built for development: set `{WANTED}=1` and build again"));
    }
    watch(&SOURCES);
    if !has_target() {
        return Err(format!(
            "the compiler had no target for browsers: run `rustup target add {TARGET}`, and install regrow again"
        ));
    }
    build(out).map_err(|error| {
        println!("cargo::warning=the planner is left out: {error}");
        format!("its build failed ({error}): build again, and look at the warning")
    })
}

fn watch(paths: &[&str]) {
    for path in paths {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// Whether this compiler has a standard library for the target.
fn has_target() -> bool {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(compiler);
    let asked = command.args(["--print", "target-libdir", "--target", TARGET]).output();
    let said = asked.ok().filter(|said| said.status.success());
    let folder = said.and_then(|said| String::from_utf8(said.stdout).ok());
    folder.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

fn build(out: &Path) -> Result<Vec<u8>, String> {
    // One folder for all profiles and targets beside cargo's own: it is built once, and no lock is
    // shared.
    let of_target = env::var("TARGET").unwrap_or_default();
    let mut beside = out.ancestors().skip(4).skip_while(|folder| folder.ends_with(&of_target));
    let folder = beside.next().unwrap_or(out).join("planner");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["rustc", "--locked", "--quiet", "--lib", "--crate-type", "cdylib"])
        .args(["--profile", "page", "--target", TARGET, "--manifest-path", "../planner/Cargo.toml"])
        .arg("--target-dir")
        .arg(&folder);
    // The call around this one has settings of its own for another target, profile and compiler.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let is_cargo = text.starts_with("CARGO") && !KEPT.iter().any(|kept| text.starts_with(kept));
        if is_cargo || text.starts_with("RUSTC") || text == "RUSTFLAGS" {
            command.env_remove(&name);
        }
    }
    if let Some(compiler) = env::var_os("RUSTC") {
        command.env("RUSTC", compiler);
    }
    // Also where it holds nothing, this goes before the flags of any settings file.
    command.env("CARGO_ENCODED_RUSTFLAGS", without_paths());
    let said = command.output().map_err(|error| error.to_string())?;
    if !said.status.success() {
        let text = String::from_utf8_lossy(&said.stderr);
        let first = text.lines().find(|line| line.starts_with("error"));
        return Err(first.unwrap_or("cargo gave no reason").to_owned());
    }
    let path = folder.join(TARGET).join("page").join("planner.wasm");
    fs::read(&path).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// Names of folders on this machine do not belong into a page.
fn without_paths() -> OsString {
    let home =
        |name: &str, inside: &str| env::var_os(name).map(|path| Path::new(&path).join(inside));
    let Some(cargo) = home("CARGO_HOME", "").or_else(|| home("HOME", ".cargo")) else {
        return OsString::new();
    };
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(cargo);
    flag.push("=cargo");
    flag
}
