//! Writes texts of the language into a folder: `documents.jsonl`, and `grammar.json` with the
//! settings.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use disk::kinds::GRAMMAR;
use disk::{Aside, Existing, NewFolder};
use serde_json::json;

use super::language::{Grammar, LANGUAGE};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};

/// Which texts to write, and where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GrammarOptions {
    /// The folder to make.
    pub out: PathBuf,
    /// How many texts.
    pub documents: u64,
    /// Chooses the texts; the language is the same for every seed.
    pub seed: u64,
    /// What to do where the folder exists.
    pub existing: Existing,
}

impl GrammarOptions {
    /// `documents` texts of seed 0 in the new folder `out`.
    pub fn new(out: impl Into<PathBuf>, documents: u64) -> Self {
        Self { out: out.into(), documents, seed: 0, existing: Existing::Refuse }
    }
}

/// Writes the texts. Returns the least possible loss on all of them together, in nats. The folder
/// appears when it is complete.
///
/// # Errors
/// Where the folder exists and is to stay, or cannot be written.
pub fn write(options: &GrammarOptions, observer: &mut dyn Observer) -> Result<f64> {
    let folder = NewFolder::create(&options.out, options.existing, &GRAMMAR)?;
    let mut file = Aside::create(&folder.path().join("documents.jsonl"))?;
    let total = options.documents;
    observer.hear(&Event::Begun { stage: "telling", total, unit: "documents", done: 0 });
    let grammar = Grammar::new();
    let mut line = String::new();
    let mut nats = 0.0;
    for number in 0..total {
        let told = grammar.tell(options.seed, number);
        nats += told.nats;
        line.clear();
        writeln!(line, "{}", json!({ "text": told.text, "nats": told.nats }))
            .map_err(Error::passed)?;
        file.write_all(line.as_bytes())?;
        observer.hear(&Event::Progress { done: number + 1, message: "" });
    }
    observer.hear(&Event::Ended);
    file.commit()?;
    let about = json!({
        "format": 1, "language": LANGUAGE, "seed": options.seed, "documents": total, "nats": nats,
    });
    disk::write(&folder.path().join("grammar.json"), &serde_json::to_vec_pretty(&about)?)?;
    folder.commit()?;
    Ok(nats)
}
