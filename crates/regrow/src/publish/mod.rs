//! A healed model as a folder for a hub: its files, a card, its curve, and what a law foretold.
//! Nothing is sent anywhere.

mod card;
mod foretold;

use std::fs;
use std::path::Path;

use disk::kinds::PUBLISHED;
use disk::{Existing, NewFolder, io_error};
use law::Law;
use ledger::{CutRecord, Done};
use model::folder::ModelFolder;
use serde::Serialize;
use store::RunFolder;

use self::card::Card;
pub use self::foretold::Foretold;
use self::foretold::measured;
use crate::error::{Context, Result, bail};

/// Files of a model that are not taken over: these are written anew.
const OURS: [&str; 2] = ["README.md", "cut.json"];

/// What the card says beside what the run knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublishOptions<'a> {
    law: Option<&'a Law>,
    name: Option<&'a str>,
    base_model: Option<&'a str>,
    licence: Option<&'a str>,
}

impl<'a> PublishOptions<'a> {
    /// Says on the card what this law expected of the run.
    #[must_use]
    pub fn with_law(self, law: Option<&'a Law>) -> Self {
        Self { law, ..self }
    }

    /// The model's name on the card; else that of the run's folder.
    #[must_use]
    pub fn with_name(self, name: Option<&'a str>) -> Self {
        Self { name, ..self }
    }

    /// The repository of the model before pruning; else its name in the record.
    #[must_use]
    pub fn with_base_model(self, base_model: Option<&'a str>) -> Self {
        Self { base_model, ..self }
    }

    /// The licence, as an identifier of the hub.
    #[must_use]
    pub fn with_licence(self, licence: Option<&'a str>) -> Self {
        Self { licence, ..self }
    }
}

/// A healed model and all that is said of it.
#[derive(Debug)]
pub struct Publication {
    run: RunFolder,
    name: String,
    done: Done,
    foretold: Option<Foretold>,
    card: String,
    picture: Option<String>,
    files: Vec<(String, u64)>,
}

/// The contents of `published.json`.
#[derive(Serialize)]
struct Published<'a> {
    format: u32,
    regrow: &'a str,
    name: &'a str,
    /// The id of the run.
    run: &'a str,
    /// SHA-256 of the weights.
    weights: &'a str,
    /// Measured held-out loss, nats per token.
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    foretold: Option<&'a Foretold>,
}

impl Publication {
    /// Reads a run that is done, and checks its model against it.
    ///
    /// # Errors
    /// Where the run is not done, its model is not the one that it ended with, or the law cannot be
    /// asked about it.
    pub fn of(run: &Path, options: &PublishOptions<'_>) -> Result<Self> {
        let run = RunFolder::open(run)?;
        let path = run.path();
        let Some(done) = run.done()? else {
            bail!("`{}` has not ended: only a run that is done has its model", path.display());
        };
        let folder = ModelFolder::open(&run.model_path())?;
        let (found, expected) = (folder.weights_hash()?, done.weights());
        if found != expected {
            bail!(
                "`{}` has weights with SHA-256 {found}, expected {expected} as in `done.json`",
                run.model_path().display()
            );
        }
        let own = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let own = own.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = options.name.map_or_else(|| own.clone(), str::to_owned);
        let cut = cut_of(&run)?;
        let curve = run.curve()?;
        let foretold = match options.law {
            Some(law) => Some(Foretold::of(law, &run, &own, &done)?),
            None => None,
        };
        let card = Card {
            name: &name,
            run: &run,
            done: &done,
            cut: cut.as_ref(),
            foretold: foretold.as_ref(),
            curve: &curve,
            base_model: options.base_model,
            licence: options.licence,
        }
        .text();
        let points: Vec<[f64; 2]> =
            curve.points().iter().map(|point| [point.tokens.0 as f64, point.loss.0]).collect();
        let asked = options.law.zip(foretold.as_ref());
        let asked = asked.and_then(|(law, foretold)| foretold.curve(law, &run));
        let loss0 = run.record().loss0().map(|loss| loss.0);
        let picture = report::run_picture(&name, &points, loss0, asked);
        let files = files_of(&run.model_path())?;
        Ok(Self { run, name, done, foretold, card, picture, files })
    }

    /// The model card, Markdown with a head of YAML.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// Names and bytes of the model's files that are copied.
    pub fn files(&self) -> &[(String, u64)] {
        &self.files
    }

    /// What a law foretold, if one was asked.
    pub fn foretold(&self) -> Option<&Foretold> {
        self.foretold.as_ref()
    }

    /// The model's name on the card.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes the folder. It appears whole.
    ///
    /// # Errors
    /// Where the folder cannot be made or a file cannot be copied.
    pub fn write(&self, out: &Path, existing: Existing) -> Result<()> {
        PUBLISHED.check(out, existing, &[self.run.path()])?;
        let new = NewFolder::create(out, existing, &PUBLISHED)?;
        for (name, _) in &self.files {
            disk::copy(&self.run.model_path().join(name), &disk::inside(new.path(), name)?)?;
        }
        let cut = self.run.path().join("cut.json");
        if cut.exists() {
            disk::copy(&cut, &new.path().join("cut.json"))?;
        }
        let add = |name: &str, bytes: &[u8]| disk::write(&new.path().join(name), bytes);
        add("README.md", self.card.as_bytes())?;
        add("curve.csv", &store::points_csv(&self.run.point_rows()?))?;
        if let Some(picture) = &self.picture {
            add("curve.svg", picture.as_bytes())?;
        }
        let mut published = serde_json::to_vec_pretty(&Published {
            format: 1,
            regrow: crate::VERSION,
            name: &self.name,
            run: self.run.record().id(),
            weights: self.done.weights(),
            loss: measured(&self.done),
            foretold: self.foretold.as_ref(),
        })?;
        published.push(b'\n');
        add("published.json", &published)?;
        Ok(new.commit()?)
    }
}

/// The cut of the run's model, if it was pruned.
fn cut_of(run: &RunFolder) -> Result<Option<CutRecord>> {
    let path = run.path().join("cut.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = disk::read_to_string(&path, 64 << 20)?;
    let wrong = || format!("`{}` is not the record of a cut", path.display());
    Ok(Some(serde_json::from_str(&text).with_context(wrong)?))
}

/// The files of a model folder that go to a hub, by name. Links are followed; folders stay.
fn files_of(model: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(model).map_err(io_error("list", model))? {
        let entry = entry.map_err(io_error("list", model))?;
        let (path, name) = (entry.path(), entry.file_name());
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        if path.is_file() && !OURS.contains(&name) {
            let bytes = fs::metadata(&path).map_err(io_error("open", &path))?.len();
            files.push((name.to_owned(), bytes));
        }
    }
    files.sort_unstable();
    Ok(files)
}
