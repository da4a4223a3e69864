//! What single lines of code may not hold.

use super::{
    Tree, catches, code, crates, holds, is_test, lines_before_tests, planted, project, rust,
};

/// Columns of a comment, and of code that rustfmt breaks.
const WIDEST: usize = 100;
/// Columns of code inside macros, which rustfmt leaves alone.
const WIDEST_IN_MACROS: usize = 130;

/// The crates that know a command line.
const KNOW_FLAGS: &[&str] = &["cli"];

/// Crates that a terminal needs, and the room that has one.
const TERMINAL: &[&str] = &["anyhow", "clap", "comfy-table", "indicatif"];
const HAVE_TERMINALS: &[&str] = &["cli"];

/// Lines are read without turning the head. Addresses, texts and examples cannot be broken.
fn width(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in rust(tree) {
        let mut inside_example = false;
        for (line, number) in text.lines().zip(1..) {
            let comment = line.trim_start().starts_with("//");
            inside_example ^= comment && line.contains("```");
            let excepted = line.contains("http")
                || if comment { inside_example } else { line.contains('"') || is_test(path) };
            let widest = if comment { WIDEST } else { WIDEST_IN_MACROS };
            let columns = line.chars().count();
            if columns > widest && !excepted {
                violations.push(format!("{path}:{number}: {columns} columns, at most {widest}"));
            }
        }
    }
    violations
}

/// A library has no command line: hints about flags stand in the command.
fn flags(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in rust(tree).filter(|(path, _)| !is_test(path)) {
        if KNOW_FLAGS.iter().any(|name| path.starts_with(&format!("crates/{name}/"))) {
            continue;
        }
        for (number, line) in lines_before_tests(text) {
            if code(line).contains("`--") {
                violations.push(format!("{path}:{number}: a flag of the command in a library"));
            }
        }
    }
    violations
}

/// Statements that make a reader stop for nothing.
fn riddles(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in rust(tree) {
        for (line, number) in text.lines().zip(1..) {
            let code = code(line);
            if code.contains("match ()") {
                violations.push(format!("{path}:{number}: `match ()` where `if` would do"));
            }
            if code.contains("drop(") && code.contains(".insert(") {
                violations.push(format!("{path}:{number}: `drop` around `insert`"));
            }
        }
    }
    violations
}

/// Only the command has a terminal.
fn terminals(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for name in crates(tree).into_iter().filter(|name| !HAVE_TERMINALS.contains(name)) {
        let manifest: toml::Table =
            toml::from_str(&tree[&format!("crates/{name}/Cargo.toml")]).unwrap();
        let used = manifest.get("dependencies").and_then(toml::Value::as_table);
        for used in used.into_iter().flatten().filter(|(used, _)| TERMINAL.contains(&used.as_str()))
        {
            violations.push(format!("`{name}` uses `{}`: only the command does", used.0));
        }
    }
    violations
}

#[test]
fn lines_are_at_most_a_hundred_columns_wide() {
    holds(&width(&project()));
    let (comment, long) = ("/// a ".repeat(17), "a ".repeat(66));
    let text =
        format!("    // {}\n{comment}\n{long}\nlet a = \"{long}\";\n", "https://".repeat(20));
    let tree = planted(&[("crates/a/src/lib.rs", &text)]);
    catches(&width(&tree), &["lib.rs:2: 102 columns", "lib.rs:3: 132 columns"]);
}

#[test]
fn no_library_names_a_flag() {
    holds(&flags(&project()));
    let text = "// `--out`\n\"give `--out`\"\n#[cfg(test)]\nmod tests {\n    \"`--out`\"\n}\n";
    let tree = planted(&[("crates/a/src/lib.rs", text), ("crates/cli/src/hint.rs", text)]);
    catches(&flags(&tree), &["crates/a/src/lib.rs:2: a flag"]);
}

#[test]
fn no_statement_is_a_riddle() {
    holds(&riddles(&project()));
    let text = "match () {\n    _ if a => b,\n}\ndrop(map.insert(1, 2));\n// match ()\n";
    let tree = planted(&[("crates/a/src/lib.rs", text)]);
    catches(&riddles(&tree), &["lib.rs:1: `match ()`", "lib.rs:4: `drop`"]);
}

#[test]
fn only_the_command_has_a_terminal() {
    holds(&terminals(&project()));
    let tree = planted(&[
        ("crates/a/Cargo.toml", "[dependencies]\nclap.workspace = true\nserde = \"1\"\n"),
        ("crates/b/Cargo.toml", "[dev-dependencies]\nindicatif = \"1\"\n"),
        ("crates/cli/Cargo.toml", "[dependencies]\nclap.workspace = true\n"),
    ]);
    catches(&terminals(&tree), &["`a` uses `clap`"]);
}
