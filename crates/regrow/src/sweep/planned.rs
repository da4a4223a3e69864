//! The plan of a recipe, checked as far as possible before anything is made.

use ledger::{RunSpec, Start};

use super::folder::SweepFolder;
use super::options::SweepOptions;
use super::plan::{SweepJob, SweepPlan, Trains};
use super::recipe::{SweepKeys, SweepRecipe};
use crate::error::{Context, Error, Result, bail};
use crate::recipe::{CorpusFacts, Setting};

/// Plans a sweep and refuses what the trainer would refuse.
///
/// # Errors
/// Where the recipe is not valid, or a number of it cannot be trained with.
pub(super) fn planned(recipe: &SweepRecipe, options: &SweepOptions) -> Result<SweepPlan> {
    let folder = SweepFolder::new(&options.out);
    text_is_there(recipe.keys())?;
    let plan = SweepPlan::new(recipe.keys(), &folder, &options.program)?;
    one_tokenizer(recipe.keys())?;
    for job in &plan.jobs {
        if let Some(trains) = &job.trains {
            train::milestones::check(&spec(job, trains, recipe.keys())?)
                .with_context(|| format!("`{}` cannot be trained", job.job.name()))?;
        }
    }
    Ok(plan)
}

/// Checks that the files and folders of the text exist.
fn text_is_there(sweep: &SweepKeys) -> Result<()> {
    let corpus = &sweep.corpus;
    for input in corpus.inputs.iter().chain(&corpus.heal_inputs) {
        std::fs::metadata(input).map_err(disk::io_error("open", input))?;
    }
    for folder in corpus.folder.iter().chain(&corpus.heal_folder) {
        text::Corpus::open(folder)
            .with_context(|| format!("`{}` of `corpus` cannot be used", folder.display()))?;
    }
    Ok(())
}

/// Checks that all models that exist have one tokenizer, and the text was or will be made with it.
fn one_tokenizer(sweep: &SweepKeys) -> Result<()> {
    let corpus = &sweep.corpus;
    let mut first: Option<(String, String)> = None;
    for folder in corpus.folder.iter().chain(&corpus.heal_folder) {
        let found = text::Corpus::open(folder)?.info().tokenizer().to_owned();
        same(&mut first, (folder.display().to_string(), found))?;
    }
    if let Some(path) = &corpus.tokenizer {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.clone() };
        same(&mut first, (path.display().to_string(), disk::sha256(&file)?.to_string()))?;
    }
    for model in sweep.models() {
        // A model that is not here yet is checked when its text is read.
        let file = model.place().join("tokenizer.json");
        if file.is_file() {
            same(&mut first, (model.model.clone(), disk::sha256(&file)?.to_string()))?;
        }
    }
    Ok(())
}

/// Refuses a tokenizer that is not the first one.
fn same(first: &mut Option<(String, String)>, (place, hash): (String, String)) -> Result<()> {
    match first {
        Some((other, known)) if *known != hash => bail!(
            "the tokenizer of `{place}` is not that of `{other}`: SHA-256 {hash}, expected {known}; models of \
             one sweep read one text"
        ),
        Some(_) => {}
        None => *first = Some((place, hash)),
    }
    Ok(())
}

/// The spec of a job, as far as it is known before its text and its base are made.
pub(super) fn spec(job: &SweepJob, trains: &Trains, sweep: &SweepKeys) -> Result<RunSpec> {
    let keys = trains.keys.keys().with_tokens(job.tokens()).or(None, Some(sweep.context));
    // Hashes are known once the teacher is there; the numbers are checked now.
    let objective = keys
        .objective(keys.teacher().map(|_| (String::new(), None)))
        // A flag would be named by the error, and here is none.
        .map_err(|error| Error::msg(error.to_string()))
        .with_context(|| format!("`{}` cannot be trained", job.job.name()))?;
    keys.resolve(Setting {
        series: String::new(),
        method: String::new(),
        base: String::new(),
        corpus: CorpusFacts::unknown(),
        context: 0,
        start: Start::Random { config_hash: String::new() },
        objective,
        begun_with: None,
    })
}
