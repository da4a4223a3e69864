//! Files of a crate use each other in one direction. Rust allows circles; a reader who meets one
//! cannot read the lower file first, because there is none.
//!
//! Code is read as words. A name that a file imports counts where it is defined: re-exports are
//! followed, and neither `mod x;` nor a re-export alone is a use.

use std::collections::{BTreeMap, BTreeSet};

use super::{Tree, catches, crates, holds, planted, project};

/// A module, by its names from the crate's root.
type Module = Vec<String>;

/// What one file says.
struct Source {
    /// Names that `use` brings in: under which name, from where, and whether it is passed on alone.
    imports: Vec<Import>,
    /// Paths in the code, `use` apart.
    paths: Vec<Module>,
    /// All words of the code, `use` apart.
    words: BTreeSet<String>,
    /// Items that are defined here.
    items: BTreeSet<String>,
}

struct Import {
    name: String,
    path: Module,
    public: bool,
}

/// The code without comments, the inside of texts, and all that only tests see.
fn tokens(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    let starts =
        |at: usize, what: &str| what.chars().eq(letters[at..].iter().copied().take(what.len()));
    while at < letters.len() {
        let letter = letters[at];
        if starts(at, "//") {
            while at < letters.len() && letters[at] != '\n' {
                at += 1;
            }
        } else if letter == '"' || (letter == 'r' && (starts(at, "r\"") || starts(at, "r#\""))) {
            let raw = letter == 'r';
            let hashes = usize::from(starts(at, "r#"));
            at += 1 + hashes + usize::from(raw);
            while at < letters.len() {
                if letters[at] == '\\' && !raw {
                    at += 1;
                } else if letters[at] == '"' && (hashes == 0 || letters.get(at + 1) == Some(&'#')) {
                    break;
                }
                at += 1;
            }
            at += 1 + hashes;
        } else if letter == '\'' {
            // A letter between quotes, or a lifetime.
            let escaped = letters.get(at + 1) == Some(&'\\');
            let closed = (at + 2..at + 12).find(|&end| letters.get(end) == Some(&'\''));
            match closed {
                Some(end) if escaped || end == at + 2 => at = end + 1,
                _ => at += 1,
            }
        } else if letter.is_alphanumeric() || letter == '_' {
            let start = at;
            while at < letters.len() && (letters[at].is_alphanumeric() || letters[at] == '_') {
                at += 1;
            }
            found.push(letters[start..at].iter().collect());
        } else {
            if starts(at, "::") {
                found.push("::".to_owned());
                at += 1;
            } else if !letter.is_whitespace() {
                found.push(letter.to_string());
            }
            at += 1;
        }
    }
    without_tests(found)
}

/// Leaves out what follows `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().take(mark.len()).eq(mark) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0_usize;
        at += mark.len();
        while at < tokens.len() {
            let token = tokens[at].as_str();
            at += 1;
            match token {
                "{" => depth += 1,
                "}" if depth <= 1 => break,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => {}
            }
        }
    }
    kept
}

/// Every path of a `use`, and the name it gets. Returns where the tree of names ends.
fn names(
    tokens: &[String],
    mut at: usize,
    before: &[String],
    found: &mut Vec<(String, Module)>,
) -> usize {
    let mut path = before.to_vec();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = names(tokens, at, &path, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            Some("::") => at += 1,
            Some("as") => {
                found.push((tokens[at + 1].clone(), path));
                return at + 2;
            }
            Some("," | ";" | "}") | None => {
                let inside = path.last().is_some_and(|last| last == "self") && path.len() > 1;
                path.truncate(path.len() - usize::from(inside));
                found.push((path.last().cloned().unwrap_or_default(), path));
                return at;
            }
            Some(word) => {
                path.push(word.to_owned());
                at += 1;
            }
        }
    }
}

fn read(text: &str) -> Source {
    let tokens = tokens(text);
    let is_word = |token: &String| token.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let mut source = Source {
        imports: Vec::new(),
        paths: Vec::new(),
        words: BTreeSet::new(),
        items: BTreeSet::new(),
    };
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at].as_str();
        if token == "use" && tokens.get(at + 1).is_some_and(|next| is_word(next) || next == "::") {
            let public = at > 0 && ["pub", ")"].contains(&tokens[at - 1].as_str());
            let mut found = Vec::new();
            at = names(&tokens, at + 1, &[], &mut found);
            let import = |(name, path)| Import { name, path, public };
            source.imports.extend(found.into_iter().map(import));
        } else if is_word(&tokens[at]) {
            let keywords = ["fn", "struct", "enum", "trait", "type", "const", "static", "union"];
            let is_item = keywords.contains(&token) || (token == "macro_rules");
            if is_item {
                source.items.extend(tokens[at + 1..].iter().find(|next| is_word(next)).cloned());
            }
            let mut path = vec![token.to_owned()];
            while tokens.get(at + 1).is_some_and(|next| next == "::")
                && tokens.get(at + 2).is_some_and(is_word)
            {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            source.words.extend(path.iter().cloned());
            if path.len() > 1 {
                source.paths.push(path);
            }
        }
        at += 1;
    }
    source
}

/// The files of one crate.
struct House(BTreeMap<Module, Source>);

/// What a path leads to.
enum Place {
    Module(Module),
    /// An item, in the file of this module.
    Item(Module),
}

impl House {
    /// What a path means in a module; nothing where it leads out of the crate.
    fn place(&self, from: &Module, path: &[String], steps: usize) -> Option<Place> {
        // A circle of re-exports would never end.
        let steps = steps.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from[..from.len().checked_sub(1)?].to_vec(),
            _ => return self.step(from, first, rest, steps),
        };
        let mut rest = rest;
        while rest.first().is_some_and(|word| word == "super") {
            module.pop()?;
            rest = &rest[1..];
        }
        match rest.split_first() {
            None => Some(Place::Module(module)),
            Some((_, [])) if rest[0] == "*" => Some(Place::Item(module)),
            Some((name, rest)) => self
                .step(&module, name, rest, steps)
                .or_else(|| self.0.contains_key(&module).then_some(Place::Item(module))),
        }
    }

    /// What `name::rest` means in a module.
    fn step(&self, module: &Module, name: &str, rest: &[String], steps: usize) -> Option<Place> {
        let mut inner = module.clone();
        inner.push(name.to_owned());
        if self.0.contains_key(&inner) {
            return match rest.split_first() {
                None => Some(Place::Module(inner)),
                Some((name, rest)) => {
                    self.step(&inner, name, rest, steps).or(Some(Place::Item(inner)))
                }
            };
        }
        let source = self.0.get(module)?;
        if source.items.contains(name) {
            return Some(Place::Item(module.clone()));
        }
        let import = source.imports.iter().find(|import| import.name == name);
        if let Some(import) = import.filter(|import| import.path[0] != name) {
            return match self.place(module, &import.path, steps)? {
                Place::Module(inner) => match rest.split_first() {
                    None => Some(Place::Module(inner)),
                    Some((name, rest)) => self.step(&inner, name, rest, steps),
                },
                item @ Place::Item(_) => Some(item),
            };
        }
        let all = source.imports.iter().filter(|import| import.name == "*");
        all.filter_map(|import| {
            let path = &import.path[..import.path.len() - 1];
            match self.place(module, path, steps)? {
                Place::Module(inner) if &inner != module => self.step(&inner, name, rest, steps),
                _ => None,
            }
        })
        .next()
    }

    /// The modules whose items a module's file uses.
    fn used(&self, module: &Module) -> BTreeSet<&Module> {
        let source = &self.0[module];
        let taken = source.imports.iter().filter(|import| {
            !import.public || (import.name != "*" && source.words.contains(&import.name))
        });
        let paths = taken.map(|import| &import.path).chain(&source.paths);
        let places = paths.filter_map(|path| self.place(module, path, 16));
        let files = places.filter_map(|place| match place {
            Place::Item(file) if file != *module => self.0.get_key_value(&file),
            _ => None,
        });
        files.map(|(file, _)| file).collect()
    }
}

/// The files of every circle in a crate.
fn circles_of(tree: &Tree, name: &str) -> Vec<Vec<String>> {
    let root = format!("crates/{name}/src/");
    let mut files: BTreeMap<Module, &str> = BTreeMap::new();
    let mut house = House(BTreeMap::new());
    let has_library = tree.contains_key(&format!("{root}lib.rs"));
    for (path, text) in tree.iter().filter(|(path, _)| path.starts_with(&root)) {
        let Some(inside) = path[root.len()..].strip_suffix(".rs") else { continue };
        let mut module: Module = inside.split('/').map(str::to_owned).collect();
        match inside {
            "main" if has_library => continue,
            "lib" | "main" => module.clear(),
            _ if module.last().is_some_and(|last| last == "mod") => drop(module.pop()),
            _ => {}
        }
        house.0.insert(module.clone(), read(text));
        files.insert(module, path);
    }
    let uses: BTreeMap<&Module, BTreeSet<&Module>> =
        house.0.keys().map(|module| (module, house.used(module))).collect();
    let reached = |from: &Module| {
        let mut reached: BTreeSet<&Module> = BTreeSet::new();
        let mut open: Vec<&Module> = uses[from].iter().copied().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(&uses[next]);
            }
        }
        reached
    };
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        house.0.keys().map(|module| (module, reached(module))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (module, below) in &reached {
        let circle = below.iter().filter(|other| reached[**other].contains(*module));
        let circle: Vec<String> = circle.map(|other| files[*other].to_owned()).collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// No files of a crate use each other in a circle.
fn circles(tree: &Tree) -> Vec<String> {
    let circles = crates(tree).into_iter().flat_map(|name| circles_of(tree, name));
    circles.map(|circle| format!("a circle: {}", circle.join(", "))).collect()
}

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    holds(&circles(&project()));
    let tree = planted(&[
        ("crates/a/Cargo.toml", ""),
        // A root that only passes names on is in no circle; what stands behind a name is.
        ("crates/a/src/lib.rs", "mod one;\nmod three;\nmod two;\npub use one::One;\n"),
        (
            "crates/a/src/one.rs",
            "use std::fs;\nuse crate::two::{self, Two as Other};\npub struct One;\n",
        ),
        ("crates/a/src/two.rs", "pub struct Two;\nfn f() { crate::three::g() }\n"),
        ("crates/a/src/three.rs", "// use crate::two::Two;\nuse crate::One;\npub fn g() {}\n"),
        ("crates/b/Cargo.toml", ""),
        // Tests may look up, and so may comments and texts.
        ("crates/b/src/lib.rs", "mod one;\nmod two;\npub use two::Two;\npub struct Root;\n"),
        (
            "crates/b/src/one.rs",
            "use crate::{Root, Two};\nuse serde::two;\nconst A: &str = \"crate::two::X\";\n",
        ),
        (
            "crates/b/src/two.rs",
            "use super::Root;\npub struct Two;\n#[cfg(test)]\nmod tests {\n    use crate::one::X;\n}\n",
        ),
        ("crates/c/Cargo.toml", ""),
        // A parent and its child.
        ("crates/c/src/lib.rs", "mod parent;\n"),
        ("crates/c/src/parent/mod.rs", "mod child;\npub const A: u8 = child::b();\n"),
        ("crates/c/src/parent/child.rs", "pub fn b() -> u8 { super::A }\n"),
    ]);
    let expected = [
        "crates/a/src/one.rs, crates/a/src/three.rs, crates/a/src/two.rs",
        "crates/c/src/parent/mod.rs, crates/c/src/parent/child.rs",
    ];
    catches(&circles(&tree), &expected);
}
