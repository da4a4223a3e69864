//! The folders that this tool makes, and how each is told from a stranger's: a forced replacement
//! touches nothing else.

use std::fs;
use std::path::Path;

use crate::existing::Existing;
use crate::hidden::is_hidden;
use crate::mark::{head_of, not_ours, refuse, spare};
use crate::{Result, io_error};

/// A kind of folder that this tool makes.
///
/// ```
/// use disk::Existing;
/// use disk::kinds::FolderKind;
/// const NOTES: FolderKind =
///     FolderKind::new("a set of notes", &[("notes.json", "\"format\"")], |name| name == "a.txt");
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("cat.jpg"), "meow")?;
/// let error = NOTES.check(folder.path(), Existing::Replace, &[]).unwrap_err().to_string();
/// assert!(error.ends_with("is not a set of notes made by regrow: it has no `notes.json`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FolderKind {
    what: &'static str,
    marks: &'static [(&'static str, &'static str)],
    owns: fn(&str) -> bool,
}

/// A corpus of tokens.
pub const CORPUS: FolderKind =
    FolderKind::new("a corpus", &[("corpus.json", "\"format\"")], |name| {
        let own = ["train.bin", "train.idx", "heldout.bin", "heldout.idx", "tokenizer.json"];
        // Notes of which large parts had their hash.
        own.contains(&name) || [".train.bin.checked", ".heldout.bin.checked"].contains(&name)
    });

/// A model that was pruned or converted.
pub const MODEL: FolderKind = FolderKind::new(
    "a model",
    &[("cut.json", "\"format\""), ("converted.json", "\"format\"")],
    of_model,
);

/// A teacher's distributions, finished or not.
pub const CACHE: FolderKind = FolderKind::new(
    "a teacher's cache",
    &[("cache.json", "\"format\""), ("teach.json", "\"format\"")],
    |name| {
        let rows = name
            .strip_suffix(".rows")
            .and_then(|name| name.strip_prefix("train-").or_else(|| name.strip_prefix("heldout-")));
        let numbered = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
        name == ".lock" || rows.is_some_and(numbered)
    },
);

/// Text of a grammar.
pub const GRAMMAR: FolderKind =
    FolderKind::new("a grammar's text", &[("grammar.json", "\"language\"")], |name| {
        name == "documents.jsonl"
    });

/// Manual pages.
pub const PAGES: FolderKind =
    FolderKind::new("a set of manual pages", &[("regrow.1", ".TH regrow")], |name| {
        name.starts_with("regrow-") && name.ends_with(".1")
    });

/// A run, done or interrupted.
pub const RUN: FolderKind = FolderKind::new(
    "a run folder",
    &[("spec.toml", "format = "), ("record.json", "\"format\"")],
    of_run,
);

/// A run of another program, imported from its log.
pub const IMPORTED: FolderKind =
    FolderKind::new("an imported run", &[("record.json", "\"kind\": \"imported\"")], |name| {
        name == "metrics.jsonl"
    });

/// A model with its card, ready for a hub.
pub const PUBLISHED: FolderKind =
    FolderKind::new("a folder to publish", &[("published.json", "\"format\"")], |name| {
        of_model(name) || ["curve.csv", "curve.svg"].contains(&name)
    });

/// A checkpoint of a run.
pub const CHECKPOINT: FolderKind =
    FolderKind::new("a checkpoint", &[("state.json", "\"format\"")], of_checkpoint);

/// Tokens of a text, under a hidden name only.
pub const TOKENS: FolderKind = FolderKind::new("a set of tokens", &[], |_| false);

/// What any command may replace if it is asked to. A run is replaced by a run alone, and a
/// teacher's cache by nothing: they may be days of work.
pub(crate) const CHEAP: [&FolderKind; 5] = [&CORPUS, &MODEL, &PUBLISHED, &GRAMMAR, &PAGES];

fn of_model(name: &str) -> bool {
    let weights = name.starts_with("model") && name.ends_with(".safetensors");
    // What goes along with weights: the tokenizer, the terms, the card.
    let ends = [".json", ".model", ".jinja", ".cff"].iter().any(|end| name.ends_with(end));
    let terms = ["license", "licence", "notice"];
    let is_terms = terms.iter().any(|term| name.to_lowercase().starts_with(term));
    let others = ["merges.txt", "README.md", "USE_POLICY.md"].contains(&name);
    !name.contains('/') && (weights || ends || is_terms || others)
}

fn of_run(path: &str) -> bool {
    let own = [
        "recipe.toml",
        "cut.json",
        "metrics.jsonl",
        "events.out.tfevents.regrow",
        "log.txt",
        "trainer_state.json",
        "done.json",
        "extending.json",
        ".lock",
        // Of an outside trainer.
        "torch.json",
        "torch.log",
        "stopped.json",
        "excluded.json",
    ];
    match path.split_once('/') {
        None => own.contains(&path),
        Some(("model" | "best", name)) => of_model(name),
        Some((folder, name)) => {
            let step = folder.strip_prefix("checkpoint-").map(str::parse::<u64>);
            step.is_some_and(|step| step.is_ok()) && (of_checkpoint(name) || name == "state.json")
        }
    }
}

fn of_checkpoint(name: &str) -> bool {
    // The last two are written by `torch.distributed.checkpoint`.
    let ends = [".safetensors", ".distcp"].iter().any(|end| name.ends_with(end));
    !name.contains('/') && (ends || name == ".metadata")
}

impl FolderKind {
    /// A kind named `what`, such as `a corpus`.
    ///
    /// A folder is of this kind if it has one of the files `marks`, each with a text that stands
    /// near its start, and if `owns` knows the paths of all its other files. Paths are relative to
    /// the folder, with `/` between names.
    pub const fn new(
        what: &'static str,
        marks: &'static [(&'static str, &'static str)],
        owns: fn(&str) -> bool,
    ) -> Self {
        Self { what, marks, owns }
    }

    /// Checks, before any work, that a folder of this kind may be made at `target`.
    ///
    /// # Errors
    /// If something is there and must not be replaced. If it is an input, holds one, or is not
    /// clearly a folder that this tool made.
    pub fn check(&self, target: &Path, existing: Existing, inputs: &[&Path]) -> Result<()> {
        match existing {
            Existing::Refuse => refuse(target),
            Existing::Own => Ok(()),
            Existing::Replace => {
                spare(target, inputs)?;
                self.require(target)
            }
        }
    }

    /// Fails if what is at `target` is not of this kind, nor of another one that it may take the
    /// place of. Nothing and an empty folder pass.
    fn require(&self, target: &Path) -> Result<()> {
        let refused = match self.require_own(target) {
            Err(error) if error.is_not_ours() => error,
            passed => return passed,
        };
        let is_cheap = CHEAP.iter().any(|kind| kind.what == self.what);
        let passes = is_cheap && CHEAP.iter().any(|kind| kind.require_own(target).is_ok());
        if passes { Ok(()) } else { Err(refused) }
    }

    fn require_own(&self, target: &Path) -> Result<()> {
        if fs::symlink_metadata(target).is_err() {
            return Ok(());
        }
        let not_ours = |why: String| Err(not_ours(target, self.what, why));
        if !target.is_dir() {
            let is_link = fs::symlink_metadata(target).is_ok_and(|data| data.is_symlink());
            return not_ours(if is_link && !target.exists() {
                "it is a link that leads nowhere".to_owned()
            } else {
                "it is a file".to_owned()
            });
        }
        let mut files = Vec::new();
        list(target, "", &mut files)?;
        if files.is_empty() {
            return Ok(());
        }
        let marked = |(name, text): &(&str, &str)| head_of(&target.join(name)).contains(text);
        if !self.marks.iter().any(marked) {
            let names: Vec<String> =
                self.marks.iter().map(|(name, _)| format!("`{name}`")).collect();
            let there = self.marks.iter().find(|(name, _)| target.join(name).is_file());
            return not_ours(match there {
                Some((name, _)) => format!("its `{name}` is not ours"),
                None => format!("it has no {}", names.join(" or ")),
            });
        }
        let known =
            |file: &String| (self.owns)(file) || self.marks.iter().any(|(name, _)| name == file);
        match files.iter().find(|file| !known(file)) {
            Some(stranger) => not_ours(format!("it holds `{stranger}`")),
            None => Ok(()),
        }
    }
}

/// Adds the paths of all files and links below `folder/relative`, but for hidden ones of ours.
fn list(folder: &Path, relative: &str, files: &mut Vec<String>) -> Result<()> {
    let here = folder.join(relative);
    for entry in fs::read_dir(&here).map_err(io_error("list", &here))? {
        let entry = entry.map_err(io_error("list", &here))?;
        // A file manager leaves this one behind wherever it looks.
        if is_hidden(&entry.file_name()) || entry.file_name() == ".DS_Store" {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if relative.is_empty() { name } else { format!("{relative}/{name}") };
        if entry.file_type().map_err(io_error("list", &here))?.is_dir() {
            list(folder, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: FolderKind =
        FolderKind::new("a corpus", &[("corpus.json", "\"format\"")], |name| {
            ["train.bin", "sub/part"].contains(&name)
        });

    fn said(result: Result<()>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn only_what_we_made_is_replaced_whole_or_torn() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("out");
        let check = || KIND.check(&target, Existing::Replace, &[]);
        check().unwrap();
        fs::write(&target, "mine").unwrap();
        assert!(said(check()).ends_with("is not a corpus made by regrow: it is a file"));
        fs::remove_file(&target).unwrap();
        fs::create_dir_all(target.join("sub")).unwrap();
        check().unwrap();
        fs::write(target.join("train.bin"), "x").unwrap();
        assert!(said(check()).ends_with("it has no `corpus.json`"));
        fs::write(target.join("corpus.json"), "[\"texts of my own\"]").unwrap();
        assert!(said(check()).ends_with("its `corpus.json` is not ours"));
        // Torn: the end of the mark is missing, and other files are.
        fs::write(target.join("corpus.json"), "{\n  \"format\": 1, \"tok").unwrap();
        check().unwrap();
        fs::write(target.join("sub/part"), "x").unwrap();
        fs::write(target.join(".DS_Store"), "x").unwrap();
        fs::write(target.join(".train.bin.abc123.aside"), "x").unwrap();
        check().unwrap();
        fs::write(target.join("sub/diary"), "x").unwrap();
        assert!(said(check()).ends_with("it holds `sub/diary`"));
        assert!(KIND.check(&target, Existing::Refuse, &[]).unwrap_err().is_exists());
        KIND.check(&target, Existing::Own, &[]).unwrap();
    }

    #[test]
    fn an_input_and_what_holds_it_are_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("out");
        fs::create_dir_all(target.join("model")).unwrap();
        fs::write(target.join("corpus.json"), "{\"format\":1}").unwrap();
        let model = target.join("model");
        let dots = target.join("../out/./model/config.json");
        for input in [&target, &model, &dots] {
            let error = KIND.check(&target, Existing::Replace, &[root.path(), input]).unwrap_err();
            assert!(error.is_input(), "{error}");
            assert!(said(Err(error)).contains("which is read"));
        }
        KIND.check(&target, Existing::Replace, &[root.path()]).unwrap();
        // Nothing is there yet, so nothing can be lost.
        let new = root.path().join("new");
        KIND.check(&new, Existing::Replace, &[&new.join("model")]).unwrap();
    }

    #[test]
    fn a_corpus_may_give_way_to_a_model_and_a_run_to_a_run_alone() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path();
        fs::write(target.join("corpus.json"), "{\"format\":1}").unwrap();
        for (kind, passes) in [(&CORPUS, true), (&MODEL, true), (&RUN, false)] {
            assert_eq!(kind.check(target, Existing::Replace, &[]).is_ok(), passes, "{kind:?}");
        }
        fs::remove_file(target.join("corpus.json")).unwrap();
        fs::create_dir(target.join("checkpoint-7")).unwrap();
        fs::write(target.join("spec.toml"), "format = 1\n").unwrap();
        fs::write(target.join("checkpoint-7/weights.safetensors"), "x").unwrap();
        for (kind, passes) in [(&CORPUS, false), (&MODEL, false), (&RUN, true)] {
            assert_eq!(kind.check(target, Existing::Replace, &[]).is_ok(), passes, "{kind:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_hide_no_input_and_lead_to_no_stranger() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let (target, link) = (root.path().join("out"), root.path().join("link"));
        fs::create_dir(&target).unwrap();
        fs::write(target.join("corpus.json"), "{\"format\":1}").unwrap();
        symlink(&target, &link).unwrap();
        let is_input = |target: &Path, input: &Path| {
            KIND.check(target, Existing::Replace, &[input]).is_err_and(|error| error.is_input())
        };
        assert!(is_input(&target, &link.join("corpus.json")));
        assert!(is_input(&link, &link.join("corpus.json")));
        // Only the link would go, and this input does not need it.
        assert!(!is_input(&link, &target.join("corpus.json")));
        // A folder whose file is a link into the target.
        let snapshot = root.path().join("snapshot");
        fs::create_dir(&snapshot).unwrap();
        symlink(target.join("corpus.json"), snapshot.join("config.json")).unwrap();
        assert!(is_input(&target, &snapshot));
        let stranger = root.path().join("stranger");
        symlink(root.path().join("gone"), &stranger).unwrap();
        let nowhere = KIND.check(&stranger, Existing::Replace, &[]);
        assert!(said(nowhere).ends_with("it is a link that leads nowhere"));
    }
}
