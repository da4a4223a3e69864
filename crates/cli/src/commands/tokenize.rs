//! `regrow tokenize`: tokenises text into a corpus folder.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use regrow::Count;
use regrow::count::grouped;
use text::{BuildOptions, Reading, TokenizerSource};

use crate::flags::force::existing;
use crate::flags::source::ReadingFlags;
use crate::show::table::{Align, TextTable};
use crate::terminal::{Exit, Output, TerminalObserver, interrupt};

const EXAMPLES: &str = "\
Examples:
  A corpus for a model that exists, documents separated by a marker:
    regrow tokenize stories.txt --separator '<|endoftext|>' --tokenizer llama-1b --out corpus

  JSONL and Parquet files in a folder, and a vocabulary of 4096 tokens trained on them:
    regrow tokenize texts/ --vocabulary 4096 --out corpus

  The field `content` of packed JSONL, lines that cannot be read left out and counted:
    regrow tokenize part-*.jsonl.zst --field content --skip-broken --tokenizer llama-1b --out corpus";

/// Arguments of `regrow tokenize`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Files of plain text, JSON lines (.jsonl, .ndjson, .json) and Parquet, or folders of them;
    /// the first two also packed (.gz, .zst)
    #[arg(required = true, value_name = "TEXT")]
    inputs: Vec<PathBuf>,
    /// The corpus folder to make
    #[arg(long, value_name = "CORPUS")]
    out: PathBuf,
    #[command(flatten)]
    tokenizer: TokenizerFlags,
    #[command(flatten)]
    reading: ReadingFlags,
    /// Leave out lines of JSONL and rows of Parquet that hold no text, and count them
    #[arg(long)]
    skip_broken: bool,
    /// Share of the documents to hold out, chosen by the hash of their text
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    heldout_share: f64,
    /// Stands before each document [default: as the tokenizer says]
    #[arg(long, value_name = "TOKEN")]
    begin_token: Option<String>,
    /// Replace `--out` if it exists
    #[arg(long)]
    force: bool,
    /// Print the counts and hashes as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct TokenizerFlags {
    /// Use this `tokenizer.json`, or the one of a model folder
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
    /// Train a byte-level BPE of N tokens on the training part
    #[arg(long, value_name = "N")]
    vocabulary: Option<Count>,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let tokenizer = match (&arguments.tokenizer.tokenizer, arguments.tokenizer.vocabulary) {
        (Some(path), _) => TokenizerSource::Load(path.clone()),
        (None, vocabulary) => {
            let vocabulary = vocabulary.expect("the parser demands one of the two").0;
            TokenizerSource::TrainBpe { vocabulary: usize::try_from(vocabulary)? }
        }
    };
    // `Refuse` keeps an existing corpus: runs refer to it by its hash.
    let existing = existing(arguments.force);
    let reading = Reading { skip_broken: arguments.skip_broken, ..arguments.reading.reading() };
    let (inputs, out) = (arguments.inputs.clone(), arguments.out.clone());
    let options = BuildOptions::new(inputs, tokenizer, arguments.heldout_share, out)
        .reading(reading)
        .begin_token(arguments.begin_token.clone())
        .existing(existing);
    let begun = Instant::now();
    let stop = interrupt::listen();
    let info = regrow::tokenize(&options, &stop, &mut TerminalObserver::new(output))?;
    if let Some(first) = info.first_broken() {
        let lines = if info.broken() == 1 { "line or row" } else { "lines or rows" };
        output.warn(&format!(
            "{} broken {lines} left out, the first: {first}",
            grouped(info.broken())
        ));
    }
    if arguments.json {
        output.json(&info)?;
        return Ok(Exit::Done);
    }
    let mut table = TextTable::new(&[
        ("part", Align::Left),
        ("documents", Align::Right),
        ("tokens", Align::Right),
        ("bytes of text", Align::Right),
        ("bytes per token", Align::Right),
    ]);
    for (name, part) in [("train", info.train()), ("heldout", info.heldout())] {
        // Begin tokens stand for no text, so they do not count here.
        let tokens = part.tokens() - part.documents();
        table.row([
            name.to_owned(),
            grouped(part.documents()),
            grouped(part.tokens()),
            grouped(part.bytes()),
            format!("{:.2}", part.bytes() as f64 / tokens.max(1) as f64),
        ]);
    }
    output.table(&table)?;
    let empty = if info.empty() == 0 {
        String::new()
    } else {
        format!(", {} empty documents dropped", info.empty())
    };
    let ignored = match info.ignored() {
        0 => String::new(),
        1 => ", 1 other file of the folder not read".to_owned(),
        count => format!(", {count} other files of the folders not read"),
    };
    output.say(&format!(
        "`{}`: vocabulary {}, `{}` before each document{empty}{ignored}; {:.1} s",
        arguments.out.display(),
        grouped(info.vocabulary() as u64),
        info.begin().text,
        begun.elapsed().as_secs_f64(),
    ));
    Ok(Exit::Done)
}
