//! What can be wrong with a log, by name.

use std::path::PathBuf;

use super::words::Unit;

/// Why a log cannot be imported. Its text names the file, the place, what was found and what was
/// expected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// No format is recognised.
    #[error("`{}` is no log that can be read: {why}; the formats are {}", path.display(), formats.join(", "))]
    Unknown {
        /// The file or folder.
        path: PathBuf,
        /// What it looks like.
        why: String,
        /// The names of all formats.
        formats: Vec<&'static str>,
    },
    /// The files of one run have different formats.
    #[error("`{}` is a log of `{first}`, and `{}` one of `{second}`, expected one format for one run", first_path.display(), second_path.display())]
    Mixed {
        /// A file.
        first_path: PathBuf,
        /// Its format.
        first: &'static str,
        /// A file of another format.
        second_path: PathBuf,
        /// That format.
        second: &'static str,
    },
    /// A file is not what its format promises.
    #[error("`{}` cannot be read as a log of `{format}`: {place}{why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// Where, such as `line 3: `; may be empty.
        place: String,
        /// What was found and expected.
        why: String,
    },
    /// A cell or a value that means a number is none.
    #[error("`{}` {place}: `{name}` is `{found}`, expected {expected}", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The row or line.
        place: String,
        /// The column.
        name: String,
        /// The beginning of its text.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A log holds several runs.
    #[error("the log holds {} runs: {}; expected one", runs.len(), quoted(runs))]
    SeveralRuns {
        /// Their names.
        runs: Vec<String>,
    },
    /// The run that was asked for is not in the log.
    #[error("the log holds no run `{asked}`; it holds {}", quoted(runs))]
    NoSuchRun {
        /// The name.
        asked: String,
        /// The names that are there.
        runs: Vec<String>,
    },
    /// A column that was named is not in the log.
    #[error("the log holds no `{asked}`; it holds {}", quoted(found))]
    NoSuchName {
        /// The name.
        asked: String,
        /// Names that are there.
        found: Vec<String>,
    },
    /// Rows cannot be told apart by step.
    #[error("the log does not say its steps; it holds {}", quoted(found))]
    NoSteps {
        /// Names that are there.
        found: Vec<String>,
    },
    /// There is no loss at all.
    #[error("the log holds no loss in nats per token; it holds {}", quoted(found))]
    NoLoss {
        /// Names that are there.
        found: Vec<String>,
    },
    /// There is only training loss.
    #[error("the log holds no held-out loss, only the training loss `{name}` at {points} steps")]
    OnlyTraining {
        /// Its name.
        name: String,
        /// At how many steps.
        points: usize,
    },
    /// Several columns could be the loss: other evaluation sets, or other losses.
    #[error("the log holds {} {kind} losses: {}; expected one", names.len(), quoted(names))]
    SeveralLosses {
        /// `held-out` or `training`.
        kind: &'static str,
        /// Their names.
        names: Vec<String>,
    },
    /// The only measure is in another unit, or a loss turned out to be.
    #[error("`{name}` is in {unit}, expected a loss in nats per token: {why}")]
    OtherUnit {
        /// The column.
        name: String,
        /// The unit.
        unit: Unit,
        /// How that is known.
        why: String,
    },
    /// A loss that no loss can have.
    #[error("`{name}` is {found} at step {step}, expected a loss above 0")]
    NotALoss {
        /// The column.
        name: String,
        /// The value.
        found: f64,
        /// The step.
        step: u64,
    },
    /// Every loss is NaN or infinite.
    #[error("`{name}` is never a finite number ({count} values)")]
    NothingFinite {
        /// The column.
        name: String,
        /// How many values there are.
        count: u64,
    },
    /// Tokens are not in the log and do not follow from it.
    #[error("the log does not say how many tokens were seen{known}")]
    NoTokens {
        /// What it says that could help; may be empty.
        known: String,
    },
    /// The tokens at a step lie outside what the log says.
    #[error("`{name}` says the tokens up to step {last}, and step {step} lies beyond")]
    TokensEnd {
        /// The column of tokens.
        name: String,
        /// The last step that it tells of.
        last: u64,
        /// The step of a loss.
        step: u64,
    },
    /// Tokens become fewer.
    #[error(
        "`{name}` falls from {before} to {after} at step {step}, expected tokens that never fall"
    )]
    TokensFall {
        /// The column.
        name: String,
        /// Tokens before.
        before: u64,
        /// Tokens then.
        after: u64,
        /// The step.
        step: u64,
    },
    /// Tokens stay the same: they are those of one step.
    #[error("`{name}` is {tokens} at every step, expected the tokens seen so far")]
    TokensStay {
        /// The column.
        name: String,
        /// The number.
        tokens: u64,
    },
    /// A number that no count of tokens can have.
    #[error("`{name}` is {found} at step {step}, expected a whole number of tokens")]
    NotTokens {
        /// The column.
        name: String,
        /// The value.
        found: f64,
        /// The step.
        step: u64,
    },
    /// Steps go back again and again.
    #[error(
        "the steps of `{name}` go back {times} times, first from {from} to {to}, expected a log in the order of its steps"
    )]
    StepsGoBack {
        /// The column.
        name: String,
        /// How often.
        times: u64,
        /// The step before.
        from: u64,
        /// The step after.
        to: u64,
    },
    /// More than any log of one run holds.
    #[error("the log holds more than {limit} {what}, expected one run's log")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// This build cannot read SQLite files.
    #[error("`{}` is an SQLite file, and this build has no reader of them", path.display())]
    NoSqlite {
        /// The file.
        path: PathBuf,
    },
}

/// The beginning of a hostile text, on one line.
pub(super) fn clipped(text: &str) -> String {
    text.chars().take(48).collect::<String>().escape_debug().to_string()
}

fn quoted(names: &[String]) -> String {
    const MOST: usize = 12;
    if names.is_empty() {
        return "nothing that means one".to_owned();
    }
    let shown: Vec<String> =
        names.iter().take(MOST).map(|name| format!("`{}`", clipped(name))).collect();
    let more = names.len().saturating_sub(MOST);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    shown.join(", ") + &rest
}
