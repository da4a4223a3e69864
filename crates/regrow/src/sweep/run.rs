//! Runs a sweep, from its recipe to its page.

use std::path::{Path, PathBuf};

use super::check::{groups_without_a_law, text_is_long_enough};
use super::finish::finish;
use super::folder::SweepFolder;
use super::options::SweepOptions;
use super::plan::{Purpose, SweepPlan};
use super::planned::planned;
use super::recipe::SweepRecipe;
use super::result::{LeftOutJob, SweepOutcome};
use super::steps::Steps;
use super::watch::Failures;
use super::work::work;
use crate::error::{ErrorKind, Result, bail};
use crate::executor::{DryRun, Executor, Job, JobState};
use crate::locks::without_locks;
use crate::observer::{Event, Observer};
use crate::stop::Stop;

/// The jobs of a sweep, as [`run`] submits them: the first ones make its text.
///
/// # Errors
/// Where the recipe is not valid.
pub fn jobs(recipe: &SweepRecipe, options: &SweepOptions) -> Result<Vec<Job>> {
    Ok(planned(recipe, options)?.to_submit())
}

/// The same jobs as command lines, for people.
///
/// # Errors
/// As for [`jobs`].
pub fn listing(recipe: &SweepRecipe, options: &SweepOptions) -> Result<String> {
    let plan = planned(recipe, options)?;
    let executor = DryRun::default().doing_again(changed_in(&plan, options));
    executor.submit(&plan.to_submit())?;
    Ok(executor.listing())
}

/// The names of the jobs whose results belong to an earlier recipe: they run again.
///
/// # Errors
/// As for [`jobs`].
pub fn changed(recipe: &SweepRecipe, options: &SweepOptions) -> Result<Vec<String>> {
    Ok(changed_in(&planned(recipe, options)?, options))
}

fn changed_in(plan: &SweepPlan, options: &SweepOptions) -> Vec<String> {
    let folder = SweepFolder::new(&options.out);
    Steps::of(plan, &folder).outdated(plan, &folder)
}

/// The folder for the logs of a sweep's jobs.
pub fn logs(out: &Path) -> PathBuf {
    SweepFolder::new(out).join("jobs")
}

/// The jobs of a sweep as [`run`] submits them: those that make its text, and once these are done
/// all others.
///
/// # Errors
/// Where the recipe is not valid.
pub fn stages(recipe: &SweepRecipe, options: &SweepOptions) -> Result<[Vec<Job>; 2]> {
    let plan = planned(recipe, options)?;
    let (text, rest) =
        plan.jobs.into_iter().partition::<Vec<_>, _>(|job| job.purpose == Purpose::Corpus);
    Ok([text, rest].map(|jobs| jobs.into_iter().map(|job| job.job).collect()))
}

/// Submits all jobs of a sweep at once and leaves them to the executor. [`run`] finds them again.
/// Returns how many were submitted or are at work.
///
/// # Errors
/// As for [`run`]. Whether the text is long enough is known only once it is there.
pub fn detach(
    recipe: &SweepRecipe,
    options: &SweepOptions,
    executor: &dyn Executor,
    observer: &mut dyn Observer,
) -> Result<usize> {
    let (plan, _lock) = prepare(recipe, options, executor, observer)?;
    let folder = SweepFolder::new(&options.out);
    if plan.only_corpus().jobs.iter().all(|job| job.job.is_done()) {
        text_is_long_enough(recipe.keys(), &folder, &plan)?;
    }
    let jobs = plan.to_submit();
    executor.attach_or_submit(&jobs)?;
    Ok(jobs.iter().filter(|job| !job.is_done()).count())
}

/// Runs a sweep, or resumes one from its folder. Once `stop` is requested, the jobs save and stop.
/// The same call resumes them later.
///
/// # Errors
/// Where the recipe is not valid, the folder contains something else, or too many jobs fail.
pub fn run(
    recipe: &SweepRecipe,
    options: &SweepOptions,
    executor: &dyn Executor,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<SweepOutcome> {
    let sweep = recipe.keys();
    let folder = SweepFolder::new(&options.out);
    let (plan, _lock) = prepare(recipe, options, executor, observer)?;
    // The text first and alone, so that a text that is too short is refused before anything is
    // trained.
    let text = plan.only_corpus();
    let Some(states) = work(&text, Failures::Leave, executor, stop, observer)? else {
        return Ok(SweepOutcome::Interrupted);
    };
    if let Some(LeftOutJob { job, why }) = left_out(&text, &states).first() {
        bail!("`{job}` failed: {why}");
    }
    // The number of tokens is known only after the text was tokenised.
    text_is_long_enough(sweep, &folder, &plan)?;
    let Some(states) = work(&plan, Failures::Warn, executor, stop, observer)? else {
        return Ok(SweepOutcome::Interrupted);
    };
    let mut left_out = left_out(&plan, &states);
    let lacking = groups_without_a_law(&plan, &states, &left_out)?;
    for why in lacking.values() {
        observer.hear(&Event::Warning(&format!("{why}: they get no law")));
    }
    let lacks = |purpose: &Purpose| match purpose {
        Purpose::Heal { group, .. } => lacking.get(group),
        _ => None,
    };
    for (job, _) in plan.jobs.iter().zip(&states).filter(|(_, state)| **state == JobState::Done) {
        if let Some(why) = lacks(&job.purpose) {
            let (job, why) = (job.job.name().to_owned(), format!("it is done, but {why}"));
            left_out.push(LeftOutJob { job, why });
        }
    }
    let is_run = |purpose: &Purpose| {
        matches!(purpose, Purpose::Heal { .. } | Purpose::Control { .. })
            && lacks(purpose).is_none()
    };
    let runs = done(&plan, &states, is_run);
    let bases =
        done(&plan, &states, |purpose| matches!(purpose, Purpose::Base { settled: true, .. }));
    let title = &options.title;
    let result = finish(sweep, &folder, title, (runs, bases), left_out, observer)?;
    Ok(SweepOutcome::Done(Box::new(result)))
}

/// Plans a sweep, locks its folder, and puts everything there that its jobs read.
fn prepare(
    recipe: &SweepRecipe,
    options: &SweepOptions,
    executor: &dyn Executor,
    observer: &mut dyn Observer,
) -> Result<(SweepPlan, disk::Lock)> {
    let folder = SweepFolder::new(&options.out);
    // First of all what cannot be run at all, then what takes long to fetch.
    let plan = match planned(recipe, options) {
        Err(error) if *error.kind() == ErrorKind::UnknownModel => None,
        plan => Some(plan?),
    };
    let fetched = fetch(recipe, observer)?;
    let plan = match plan.filter(|_| !fetched) {
        Some(plan) => plan,
        None => planned(recipe, options)?,
    };
    executor.check(&plan.to_submit())?;
    let (lock, earlier) = folder.take(recipe)?;
    if !lock.is_held() {
        observer.hear(&Event::Warning(&without_locks(&options.out)));
    }
    let steps = Steps::of(&plan, &folder);
    // The recipe before says which step a result without a note came from.
    match earlier.as_ref().map(|earlier| planned(earlier, options)) {
        None => steps.adopt(&plan, &folder)?,
        Some(Ok(earlier)) => Steps::of(&earlier, &folder).adopt(&earlier, &folder)?,
        // What cannot be planned any more was noted when it was run.
        Some(Err(_)) => {}
    }
    // Before their folders are moved: a job of the earlier recipe that still waits on a cluster
    // would make its result in place of the new one's.
    for name in executor.withdraw(&steps.outdated(&plan, &folder))? {
        observer.hear(&Event::Warning(&format!(
            "`{name}` of the earlier recipe was still on the cluster, and was cancelled"
        )));
    }
    steps.settle(&plan, &folder, observer)?;
    if earlier.is_some() {
        // Last: a kill before this leaves the earlier recipe, and the same steps again.
        folder.keep(recipe)?;
    }
    // Recipes and configurations that the jobs' command lines refer to.
    for (path, bytes) in &plan.files {
        put(path, bytes)?;
    }
    Ok((plan, lock))
}

/// Fetches the models that are not in the cache of the hub. Returns whether there were any.
fn fetch(recipe: &SweepRecipe, observer: &mut dyn Observer) -> Result<bool> {
    let mut fetched = false;
    for model in recipe.keys().models() {
        let path = Path::new(&model.model);
        if !path.exists() && crate::hub::cached_folder(path).is_none() {
            crate::hub::folder(path, observer)?;
            fetched = true;
        }
    }
    Ok(fetched)
}

/// Writes a file that jobs read, unless it already has these contents. Jobs that a killed sweep
/// left running may be reading it.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    if disk::read(path, bytes.len() as u64 + 1).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
    }
    Ok(disk::write(path, bytes)?)
}

fn left_out(plan: &SweepPlan, states: &[JobState]) -> Vec<LeftOutJob> {
    let reason = |state: &JobState| match state {
        JobState::Failed { why } => Some(why.clone()),
        JobState::Skipped { because } => Some(format!("`{because}` failed")),
        _ => None,
    };
    let each = plan.jobs.iter().zip(states);
    each.filter_map(|(job, state)| {
        Some(LeftOutJob { job: job.job.name().to_owned(), why: reason(state)? })
    })
    .collect()
}

/// The sorted folder names of the finished jobs with a given purpose.
fn done(plan: &SweepPlan, states: &[JobState], of: impl Fn(&Purpose) -> bool) -> Vec<String> {
    let each = plan.jobs.iter().zip(states);
    let done = each.filter(|(job, state)| of(&job.purpose) && **state == JobState::Done);
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = done.filter_map(|(job, _)| name(job.job.folder())).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::Silent;
    use crate::executor::JobId;

    const RECIPE: &str = r#"
        format = 1
        context = 32
        corpus = { grammar = { documents = 200, seed = 1 }, vocabulary = 300, heldout_share = 0.1 }
        base = { tokens = 500 }
        calibration = { samples = 4, length = 32 }
        methods = [{ name = "depth-block-influence", blocks = [1] }]
        heal = { tokens = 400 }
        [[series]]
        name = "small"
        model_type = "llama"
        [[series.sizes]]
        hidden_size = 8
        num_hidden_layers = 3
        num_attention_heads = 2
        num_key_value_heads = 1
        intermediate_size = 16
    "#;

    /// An executor for tests: it makes a real corpus, and every other job ends in the state `end`.
    struct OnPaper {
        end: JobState,
        submitted: Mutex<Vec<Job>>,
    }

    impl OnPaper {
        fn new(end: JobState) -> Self {
            Self { end, submitted: Mutex::default() }
        }
    }

    impl Executor for OnPaper {
        fn pace(&self) -> Duration {
            Duration::ZERO
        }

        fn attach(&self, jobs: &[Job]) -> Result<Vec<Option<JobId>>> {
            Ok(vec![None; jobs.len()])
        }

        fn submit(&self, jobs: &[Job]) -> Result<Vec<JobId>> {
            self.submitted.lock().unwrap().extend_from_slice(jobs);
            if let Some(corpus) = jobs.iter().find(|job| job.name() == "corpus" && !job.is_done()) {
                let texts = corpus.folder().with_file_name("texts.jsonl");
                let lines =
                    (0..200).map(|number| format!("{{\"text\":\"text number {number}\"}}\n"));
                std::fs::write(&texts, lines.collect::<String>()).unwrap();
                let tokenizer = text::TokenizerSource::TrainBpe { vocabulary: 270 };
                let out = corpus.folder().to_path_buf();
                let options = text::BuildOptions::new(vec![texts], tokenizer, 0.1, out);
                text::build(&options, &mut |_| {})?;
            }
            Ok(jobs.iter().map(|job| JobId::new(job.name())).collect())
        }

        fn states(&self, jobs: &[JobId]) -> Result<Vec<JobState>> {
            let state = |id: &JobId| match id.as_str() {
                "text" | "corpus" => JobState::Done,
                _ => self.end.clone(),
            };
            Ok(jobs.iter().map(state).collect())
        }

        fn cancel(&self, _jobs: &[JobId]) -> Result<()> {
            Ok(())
        }
    }

    fn run_on_paper(executor: &OnPaper, options: &SweepOptions) -> Result<SweepOutcome> {
        let recipe = SweepRecipe::parse(RECIPE).unwrap();
        run(&recipe, options, executor, &Stop::new(), &mut Silent)
    }

    #[test]
    fn the_listing_shows_exactly_what_is_submitted() {
        let folder = tempfile::tempdir().unwrap();
        let options = SweepOptions::new(folder.path().join("out"), "/usr/bin/regrow");
        let recipe = SweepRecipe::parse(RECIPE).unwrap();
        let (listed, shown) =
            (jobs(&recipe, &options).unwrap(), listing(&recipe, &options).unwrap());
        let executor = OnPaper::new(JobState::Failed { why: "on paper".into() });
        let error = run_on_paper(&executor, &options).unwrap_err().to_string();
        assert!(error.starts_with("0 of 1 runs of series `small`"), "{error}");
        let submitted = executor.submitted.into_inner().unwrap();
        // The jobs of the text are submitted twice: first alone, then with all others.
        let text = &listed[..2];
        assert_eq!(submitted, [text, &listed[..]].concat());
        let lines: Vec<&str> = shown.lines().collect();
        for (job, pair) in listed.iter().zip(lines.chunks(2)) {
            assert!(pair[0].starts_with(&format!("# {}", job.name())), "{pair:?}");
            assert!(pair[1].starts_with("regrow "), "{pair:?}");
            let words = job.argv().iter().map(|word| word.to_string_lossy());
            assert_eq!(pair[1][7..], words.collect::<Vec<_>>().join(" "));
        }
    }

    #[test]
    fn a_group_without_runs_gets_no_law_and_the_sweep_goes_on_with_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let options = SweepOptions::new(folder.path().join("out"), "regrow");
        let depth = r#"{ name = "depth-block-influence", blocks = [1] }"#;
        let both = format!(r#"{depth}, {{ name = "2:4-magnitude" }}"#);
        let recipe = SweepRecipe::parse(&RECIPE.replace(depth, &both)).unwrap();
        let plan = planned(&recipe, &options).unwrap();
        let states = |fails: &str| -> Vec<JobState> {
            let jobs = plan.jobs.iter().map(|job| job.job.name());
            let failed = || JobState::Failed { why: "on paper".into() };
            jobs.map(|name| if name.contains(fails) { failed() } else { JobState::Done }).collect()
        };
        let lacking = |fails: &str| {
            let states = states(fails);
            groups_without_a_law(&plan, &states, &left_out(&plan, &states))
                .map(|lacking| lacking.into_values().collect::<Vec<_>>())
                .map_err(|error| error.to_string())
        };
        assert_eq!(lacking("nothing"), Ok(Vec::new()));
        let why =
            "0 of 1 runs of series `small`, method `2:4-magnitude` are done, expected at least 1";
        assert_eq!(lacking("run-small-8x3-2:4"), Ok(vec![why.to_owned()]));
        let all = lacking("run-").unwrap_err();
        assert!(all.starts_with(why) && all.contains("failed or skipped: `run-"), "{all}");
    }

    #[test]
    fn a_sweep_whose_jobs_were_stopped_is_no_failure_and_goes_on_another_time() {
        let folder = tempfile::tempdir().unwrap();
        let options = SweepOptions::new(folder.path().join("out"), "regrow");
        let outcome = run_on_paper(&OnPaper::new(JobState::Resumable), &options).unwrap();
        assert!(matches!(outcome, SweepOutcome::Interrupted), "{outcome:?}");
    }
}
