//! The house stays tidy: every rule is a function over a tree of files, is held against the real
//! tree, and is shown to catch a violation that is planted here.

mod circles;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Text by path from the project's root; files that are no text are empty.
type Tree = BTreeMap<String, String>;

/// What each crate may use: only what stands below it.
const DIRECTION: &[(&str, &[&str])] = &[
    ("ledger", &[]),
    ("disk", &["ledger"]),
    ("law", &["ledger"]),
    ("report", &["law", "ledger"]),
    ("store", &["ledger", "disk"]),
    ("text", &["ledger", "disk"]),
    ("shape", &["ledger"]),
    ("planner", &["law", "report", "shape", "ledger"]),
    ("model", &["text", "shape", "ledger", "disk"]),
    ("prune", &["model", "text", "shape", "ledger", "disk"]),
    ("train", &["model", "text", "shape", "ledger", "disk"]),
    (
        "regrow",
        &[
            "ledger", "disk", "law", "report", "planner", "store", "text", "shape", "model",
            "prune", "train",
        ],
    ),
    (
        "cli",
        &[
            "regrow", "ledger", "disk", "law", "report", "planner", "store", "text", "shape",
            "model", "prune", "train",
        ],
    ),
];

/// Crates that return values or bytes, and what would betray a file, a process, a network or a
/// clock.
const PURE: &[&str] = &["ledger", "law", "report", "shape", "planner"];
const IMPURE: &[&str] = &[
    "std::fs",
    "fs::",
    "File::",
    "disk::",
    "std::env",
    "std::process",
    "std::net",
    "std::time",
    "Instant::",
    "SystemTime",
];

/// Where loops are compiled for the widest vectors.
const WIDE: [&str; 2] = ["crates/model/src/wide.rs", "crates/law/src/fit/lanes.rs"];

/// Where `unsafe` may stand.
const UNSAFE: &[&str] = &[
    "crates/disk/src/map.rs",
    "crates/model/src/backend/cpu/kernel/",
    "crates/planner/src/exports.rs",
];
/// Where it may be allowed, by crate: these deny it at their root, all others forbid it.
const UNSAFE_CRATES: &[&str] = &["disk", "model", "planner"];
const UNSAFE_ALLOWED_IN: &[&str] = &[
    "crates/disk/src/lib.rs",
    "crates/model/src/backend/cpu/kernel/mod.rs",
    "crates/planner/src/lib.rs",
];

const LONGEST: usize = 600;
const NAMELESS: &[&str] = &["utils", "util", "common", "helpers", "helper", "manager", "core"];
/// This file and its folder plant what others may not hold.
const HERE: &str = "crates/cli/tests/it/tidy.rs";

/// The project's own files; what is built, measured or kept by version control is passed over.
fn project() -> Tree {
    fn walk(root: &Path, folder: &Path, tree: &mut Tree) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["target", ".git", "__pycache__"].contains(&name) {
                    walk(root, &path, tree);
                }
            } else if !name.ends_with(".partial") {
                let key = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                tree.insert(key, fs::read_to_string(&path).unwrap_or_default());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let mut tree = Tree::new();
    walk(&root, &root, &mut tree);
    assert!(
        tree.contains_key("Cargo.toml") && tree.contains_key(HERE),
        "the tree is not the project's"
    );
    tree
}

fn planted(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

/// Holds the project to a rule.
fn holds(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

/// Holds a rule to its planted violations: one each, in this order.
fn catches(violations: &[String], expected: &[&str]) {
    assert_eq!(violations.len(), expected.len(), "{violations:#?}");
    for (found, expected) in violations.iter().zip(expected) {
        assert!(found.contains(expected), "`{found}` does not say `{expected}`");
    }
}

fn rust(tree: &Tree) -> impl Iterator<Item = (&str, &str)> {
    tree.iter()
        .filter(|(path, _)| path.starts_with("crates/") && path.ends_with(".rs") && !is_here(path))
        .map(|(path, text)| (path.as_str(), text.as_str()))
}

fn is_here(path: &str) -> bool {
    path.starts_with(HERE.trim_end_matches(".rs"))
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/")
}

/// The lines before the file's test module, numbered from 1.
fn lines_before_tests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests].lines().zip(1..).map(|(line, number)| (number, line))
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

/// Whether a text holds a path, and not only the end of another name.
fn holds_word(text: &str, word: &str) -> bool {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(is_letter))
}

/// What stands between backticks, code blocks apart.
fn quoted(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut inside_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside_block = !inside_block;
        } else if !inside_block {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

fn crates(tree: &Tree) -> BTreeSet<&str> {
    tree.keys()
        .filter_map(|path| path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
        .collect()
}

/// A crate uses, in its code and in its tests, only crates that stand below it.
fn direction(tree: &Tree) -> Vec<String> {
    let rooms: BTreeSet<&str> = DIRECTION.iter().map(|(name, _)| *name).collect();
    let mut violations = Vec::new();
    for name in crates(tree) {
        let Some((_, below)) = DIRECTION.iter().find(|(known, _)| *known == name) else {
            violations.push(format!("`{name}` has no place in the direction"));
            continue;
        };
        let manifest: toml::Table =
            toml::from_str(&tree[&format!("crates/{name}/Cargo.toml")]).unwrap();
        for used in dependencies(&manifest) {
            let used = used.strip_prefix("regrow-").unwrap_or(&used);
            if rooms.contains(used) && !below.contains(&used) {
                violations.push(format!("`{name}` uses `{used}`, which does not stand below it"));
            }
            if name == "ledger"
                && !["serde", "sha2", "proptest", "serde_json", "toml"].contains(&used)
            {
                violations.push(format!("`ledger` uses `{used}`; it takes serde and sha2 alone"));
            }
        }
    }
    violations
}

/// Every dependency of a manifest, under whatever heading, by its package's name where that is
/// given.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in manifest {
        let Some(table) = value.as_table() else { continue };
        if key.ends_with("dependencies") {
            for (name, how) in table {
                let package = how.get("package").and_then(toml::Value::as_str);
                found.insert(package.unwrap_or(name).to_owned());
            }
        } else {
            found.extend(dependencies(table));
        }
    }
    found
}

/// The pure crates open nothing and ask no clock.
fn purity(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in rust(tree) {
        if !PURE.iter().any(|name| path.starts_with(&format!("crates/{name}/src/"))) {
            continue;
        }
        for (number, line) in lines_before_tests(text) {
            if let Some(word) = IMPURE.iter().find(|word| holds_word(code(line), word)) {
                violations
                    .push(format!("{path}:{number}: `{word}` in a crate that only returns values"));
            }
        }
    }
    violations
}

/// No file is longer than one can read at a sitting.
fn length(tree: &Tree) -> Vec<String> {
    rust(tree)
        .filter(|(path, _)| !is_test(path))
        .map(|(path, text)| (path, lines_before_tests(text).count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{path}: {lines} lines, at most {LONGEST}"))
        .collect()
}

/// `unsafe` stands where it may, and every other crate forbids it.
fn safety(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in rust(tree) {
        let may = UNSAFE.iter().any(|place| path.starts_with(place));
        for (line, number) in text.lines().zip(1..) {
            let code = code(line);
            if words(code).any(|word| word == "unsafe") && !may {
                violations.push(format!("{path}:{number}: `unsafe` outside its rooms"));
            }
            if code.contains("allow(unsafe_code)") && !UNSAFE_ALLOWED_IN.contains(&path) {
                violations
                    .push(format!("{path}:{number}: unsafe code is allowed outside its rooms"));
            }
        }
    }
    for name in crates(tree) {
        let level = if UNSAFE_CRATES.contains(&name) { "deny" } else { "forbid" };
        let root = format!("crates/{name}/src/lib.rs");
        let expected = format!("#![{level}(unsafe_code)]");
        if !tree.get(&root).is_some_and(|text| text.lines().any(|line| line == expected)) {
            violations.push(format!("{root}: `{expected}` is missing"));
        }
    }
    violations
}

/// Loops ask for wide vectors through the doors that see to it that they get them.
fn wide_loops(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    for (path, text) in rust(tree).filter(|(path, _)| !WIDE.contains(path)) {
        for (line, number) in text.lines().zip(1..) {
            if code(line).contains(".dispatch(") {
                violations
                    .push(format!("{path}:{number}: `dispatch` outside {}", WIDE.join(" and ")));
            }
        }
    }
    violations
}

/// Every one of `methods` is named in the README or in the guide.
fn methods_in_the_documents(tree: &Tree, methods: &[&str]) -> Vec<String> {
    let documents =
        tree.iter().filter(|(path, _)| *path == "README.md" || path.starts_with("docs/guide/"));
    let named: BTreeSet<&str> = documents.flat_map(|(_, text)| quoted(text)).collect();
    methods
        .iter()
        .filter(|method| !named.contains(*method))
        .map(|method| format!("`{method}` is named neither in README.md nor in docs/guide"))
        .collect()
}

/// `ARCHITECTURE.md` names every crate, and no path or test that is not there.
fn map_of_the_house(tree: &Tree) -> Vec<String> {
    let named = quoted(&tree["ARCHITECTURE.md"]);
    let mut violations: Vec<String> = crates(tree)
        .into_iter()
        .filter(|name| !named.contains(format!("crates/{name}").as_str()))
        .map(|name| format!("ARCHITECTURE.md does not name `crates/{name}`"))
        .collect();
    let roots =
        ["crates/", "docs/", "scripts/", "testdata/", "benches/", "results/", "recipes/", ".ci/"];
    let tests: String =
        tree.iter().filter(|(path, _)| path.ends_with(".rs")).map(|(_, text)| &**text).collect();
    for name in named {
        if roots.iter().any(|root| name.starts_with(root)) && !name.contains(['<', '*', '{']) {
            let folder = format!("{}/", name.trim_end_matches('/'));
            if !tree.contains_key(name) && !tree.keys().any(|path| path.starts_with(&folder)) {
                violations.push(format!("ARCHITECTURE.md names `{name}`, which is not there"));
            }
        }
        // A snake that long is a sentence: the name of a test.
        let snake = name
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
        if snake && name.matches('_').count() >= 4 && !tests.contains(&format!("fn {name}(")) {
            violations.push(format!("ARCHITECTURE.md names the test `{name}`, which is not there"));
        }
    }
    violations
}

/// The library is the facade of every room below it.
fn facade(tree: &Tree) -> Vec<String> {
    let root = &tree["crates/regrow/src/lib.rs"];
    let listed = root.split_once("pub use {").and_then(|(_, rest)| rest.split_once("};"));
    let passed_on: BTreeSet<&str> =
        listed.map_or("", |(list, _)| list).split(',').map(str::trim).collect();
    crates(tree)
        .into_iter()
        .filter(|name| !["regrow", "cli"].contains(name) && !passed_on.contains(name))
        .map(|name| format!("crates/regrow/src/lib.rs does not pass on `{name}`"))
        .collect()
}

/// No module is named after nothing in particular.
fn names(tree: &Tree) -> Vec<String> {
    let parts =
        |path: &str| path.split('/').map(|part| part.trim_end_matches(".rs").to_owned()).collect();
    rust(tree)
        .filter_map(|(path, _)| {
            let parts: Vec<String> = parts(path);
            let part = parts.iter().find(|part| NAMELESS.contains(&part.as_str()))?;
            Some(format!("{path}: `{part}` says nothing about what is inside"))
        })
        .collect()
}

/// Nothing is left for later in the code.
fn finished(tree: &Tree) -> Vec<String> {
    let mut violations = Vec::new();
    let code = tree.iter().filter(|(path, _)| {
        !is_here(path) && [".rs", ".py", ".sh", ".toml"].iter().any(|ending| path.ends_with(ending))
    });
    for (path, text) in code {
        for (line, number) in text.lines().zip(1..) {
            let left = words(line).find(|word| ["TODO", "FIXME", "XXX"].contains(word));
            let stub = ["todo!(", "unimplemented!("].into_iter().find(|stub| line.contains(stub));
            if let Some(found) = left.or(stub) {
                violations.push(format!("{path}:{number}: `{found}`"));
            }
        }
    }
    violations
}

#[test]
fn every_crate_uses_only_what_stands_below_it() {
    holds(&direction(&project()));
    let manifest = |used: &str| format!("[dependencies]\nserde = \"1\"\n{used}\n");
    let tree = planted(&[
        ("crates/attic/Cargo.toml", ""),
        ("crates/ledger/Cargo.toml", &manifest("rayon = \"1\"")),
        ("crates/model/Cargo.toml", &manifest("store.workspace = true\ntext.workspace = true")),
        (
            "crates/prune/Cargo.toml",
            "[dev-dependencies]\nhealer = { package = \"regrow-train\", path = \"x\" }",
        ),
        ("crates/train/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nprune.workspace = true"),
    ]);
    let expected = [
        "`attic` has no place",
        "`ledger` uses `rayon`",
        "`model` uses `store`",
        "`prune` uses `train`",
        "`train` uses `prune`",
    ];
    catches(&direction(&tree), &expected);
}

#[test]
fn the_pure_crates_open_no_file_and_ask_no_clock() {
    holds(&purity(&project()));
    let tree = planted(&[
        ("crates/law/src/table.rs", "//! Reads no std::fs.\nuse std::fs;\nInFile::a();\n"),
        ("crates/ledger/src/record.rs", "fn now() {}\nlet start = Instant::now();\n"),
        (
            "crates/ledger/src/spec.rs",
            "pub struct A;\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
        ),
        ("crates/store/src/folder.rs", "use std::fs;\n"),
    ]);
    let expected =
        ["crates/law/src/table.rs:2: `std::fs`", "crates/ledger/src/record.rs:2: `Instant::`"];
    catches(&purity(&tree), &expected);
}

#[test]
fn no_file_is_longer_than_six_hundred_lines_tests_apart() {
    holds(&length(&project()));
    let (long, full) = ("a\n".repeat(LONGEST + 1), "a\n".repeat(LONGEST));
    let tree = planted(&[
        ("crates/a/src/full.rs", &format!("{full}#[cfg(test)]\nmod tests {{\n{full}")),
        ("crates/a/src/long.rs", &long),
        ("crates/a/tests/long.rs", &long),
    ]);
    catches(&length(&tree), &["crates/a/src/long.rs: 601 lines"]);
}

#[test]
fn unsafe_code_stands_only_in_the_kernel_the_memory_map_and_the_exports() {
    holds(&safety(&project()));
    let tree = planted(&[
        ("crates/disk/Cargo.toml", ""),
        ("crates/disk/src/lib.rs", "#![deny(unsafe_code)]\n#[allow(unsafe_code)]\nmod map;\n"),
        ("crates/disk/src/map.rs", "let a = unsafe { b() };\n"),
        ("crates/disk/src/read.rs", "let a = unsafe { b() };\n"),
        ("crates/model/Cargo.toml", ""),
        ("crates/model/src/lib.rs", "#![deny(unsafe_code)]\n// unsafe in a comment\n"),
        ("crates/model/src/backend/cpu/kernel/mod.rs", "#![allow(unsafe_code)]\nunsafe { b() };\n"),
        ("crates/model/src/backend/cpu/norm.rs", "#![allow(unsafe_code)]\n"),
        ("crates/text/Cargo.toml", ""),
        ("crates/text/src/lib.rs", "//! No lint.\n"),
        ("crates/train/Cargo.toml", ""),
        ("crates/train/src/lib.rs", "#![deny(unsafe_code)]\n"),
    ]);
    let expected = [
        "crates/disk/src/read.rs:1: `unsafe`",
        "crates/model/src/backend/cpu/norm.rs:1: unsafe code is allowed",
        "crates/text/src/lib.rs: `#![forbid(unsafe_code)]`",
        "crates/train/src/lib.rs: `#![forbid(unsafe_code)]`",
    ];
    catches(&safety(&tree), &expected);
}

#[test]
fn loops_ask_for_wide_vectors_through_one_door_a_crate() {
    holds(&wide_loops(&project()));
    let tree = planted(&[
        ("crates/model/src/wide.rs", "arch.dispatch(Loops(loops))\n"),
        (
            "crates/model/src/backend/cpu/norm.rs",
            "// arch.dispatch( is elsewhere\narch.dispatch(|| norm());\n",
        ),
    ]);
    catches(&wide_loops(&tree), &["crates/model/src/backend/cpu/norm.rs:2: `dispatch`"]);
}

#[test]
fn every_method_is_named_in_the_documents() {
    let methods: Vec<String> = prune::METHODS.iter().map(|method| method.name()).collect();
    let methods: Vec<&str> = methods.iter().map(String::as_str).collect();
    holds(&methods_in_the_documents(&project(), &methods));
    let tree = planted(&[
        ("README.md", "`depth-list` and depth-angular\n```\n`depth-angular`\n```\n"),
        ("docs/guide/width.md", "`width-activation`\n"),
        ("docs/log.md", "`depth-angular`\n"),
    ]);
    let found =
        methods_in_the_documents(&tree, &["depth-angular", "depth-list", "width-activation"]);
    catches(&found, &["`depth-angular`"]);
}

#[test]
fn the_map_of_the_house_names_every_crate_and_nothing_that_is_not_there() {
    holds(&map_of_the_house(&project()));
    let map = "`crates/law`, `crates/law/src/form.rs`, `crates/gone`, `docs/log.md`, `crates/<name>/src`,\n\
               held by `it_holds_whatever_one_does` and `nobody_ever_wrote_this_test`\n";
    let tree = planted(&[
        ("ARCHITECTURE.md", map),
        ("crates/disk/Cargo.toml", ""),
        ("crates/law/Cargo.toml", ""),
        ("crates/law/src/form.rs", "fn it_holds_whatever_one_does() {}"),
    ]);
    let expected = [
        "does not name `crates/disk`",
        "names `crates/gone`",
        "names `docs/log.md`",
        "nobody_ever",
    ];
    catches(&map_of_the_house(&tree), &expected);
}

#[test]
fn the_library_passes_on_every_room() {
    holds(&facade(&project()));
    let tree = planted(&[
        ("crates/cli/Cargo.toml", ""),
        ("crates/law/Cargo.toml", ""),
        ("crates/regrow/Cargo.toml", ""),
        ("crates/regrow/src/lib.rs", "//! `report`.\npub use {law, text};\n"),
        ("crates/report/Cargo.toml", ""),
    ]);
    catches(&facade(&tree), &["does not pass on `report`"]);
}

#[test]
fn modules_are_named_after_what_is_inside() {
    holds(&names(&project()));
    let tree = planted(&[
        ("crates/a/src/common/mod.rs", ""),
        ("crates/a/src/commons.rs", ""),
        ("crates/a/tests/utils.rs", ""),
    ]);
    catches(&names(&tree), &["`common`", "`utils`"]);
}

#[test]
fn nothing_is_left_for_later() {
    holds(&finished(&project()));
    let tree = planted(&[
        ("crates/a/src/lib.rs", "fn a() {\n    todo!()\n}\n"),
        ("crates/a/src/other.rs", "unimplemented!(\"b\")\n// a todo list is a word\n"),
        ("scripts/a.py", "# TODO: later\n"),
        ("docs/log.md", "TODO as a word\n"),
    ]);
    catches(
        &finished(&tree),
        &["lib.rs:2: `todo!(`", "other.rs:1: `unimplemented!(`", "a.py:1: `TODO`"],
    );
}
