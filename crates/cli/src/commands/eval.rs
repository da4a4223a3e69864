//! `regrow eval`: the loss of a model on text, with the same evaluator that training uses.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ledger::Convention;
use model::evaluate::{Evaluated, Protocol};
use regrow::Count;
use regrow::count::grouped;
use regrow::measure::{MeasureOptions, keep, measure};
use serde::Serialize;

use crate::flags::source::{PartFlag, SourceFlags};
use crate::flags::whole::at_least_one;
use crate::show::table::{Align, TextTable};
use crate::terminal::{Exit, Output, TerminalObserver};

const EXAMPLES: &str = "\
Examples:
  The held-out part of a corpus:
    regrow eval llama-1b --corpus corpus

  Documents of a file, each alone after a begin token, with the model's own tokenizer:
    regrow eval stories260K --text stories.txt --separator '<|endoftext|>' --documents-limit 3 --each";

/// Arguments of `regrow eval`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "regrow eval MODEL (--corpus CORPUS | --text FILE...) [OPTIONS]")]
#[group(id = "what", required = true, args = ["corpus", "text"])]
pub struct Arguments {
    /// The model folder
    model: PathBuf,
    #[command(flatten)]
    source: SourceFlags,
    /// The part of `--corpus` to read
    #[arg(long, value_enum, value_name = "PART", default_value_t = PartFlag::Heldout)]
    part: PartFlag,
    /// How documents meet the context
    #[arg(long, value_enum, value_name = "HOW", default_value_t = ConventionName::Documents)]
    convention: ConventionName,
    /// Most tokens in a window [default: the model's own, 2048 at most]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    context: Option<NonZeroUsize>,
    /// Tokens between the beginnings of two windows [default: the context]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    stride: Option<NonZeroUsize>,
    /// Stop after this many predicted tokens [default: all]
    #[arg(long, value_name = "N")]
    tokens: Option<Count>,
    /// Keep the loss in a new file, which `regrow train --base-loss` takes
    #[arg(long, value_name = "FILE.json")]
    out: Option<PathBuf>,
    /// Print the loss of each document as well
    #[arg(long)]
    each: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How documents meet the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConventionName {
    /// Each document by itself
    Documents,
    /// Documents joined end to end
    Packed,
}

impl From<ConventionName> for Convention {
    fn from(name: ConventionName) -> Self {
        match name {
            ConventionName::Documents => Convention::Documents,
            ConventionName::Packed => Convention::Packed,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct EvalReport<'a> {
    format: u32,
    model: String,
    part: &'a str,
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_error: Option<f64>,
    /// Left out where it is larger than any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    perplexity: Option<f64>,
    tokens: u64,
    documents: usize,
    convention: &'a str,
    context: usize,
    stride: usize,
    /// SHA-256 of the text itself, so it does not depend on the tokenizer.
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    each: Option<Vec<DocumentRow>>,
}

#[derive(Serialize)]
struct DocumentRow {
    document: usize,
    tokens: u64,
    loss: f64,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let text = arguments
        .source
        .source(arguments.part.into())
        .expect("the parser demands a corpus or text");
    // Before the work, not after it.
    if let Some(file) = arguments.out.as_ref().filter(|file| file.exists()) {
        return Err(disk::Error::exists(file).into());
    }
    let measured =
        measure(&arguments.model, &text, &options(arguments), &mut TerminalObserver::new(output))?;
    if let Some(file) = &arguments.out {
        keep(&measured, file)?;
    }
    let (found, protocol, text) = (measured.found(), measured.protocol(), measured.text());
    if arguments.json {
        let report = EvalReport {
            format: 1,
            model: measured.model(),
            part: text.name(),
            loss: found.loss().0,
            standard_error: found.standard_error().map(|nats| nats.0),
            perplexity: Some(found.loss().0.exp()).filter(|found| found.is_finite()),
            tokens: found.tokens(),
            documents: found.documents.len(),
            convention: protocol.convention.name(),
            context: protocol.context,
            stride: protocol.stride,
            text: text.info().text(),
            // Left out without `--each`: a corpus can have many thousand documents.
            each: arguments.each.then(|| each(found)),
        };
        output.json(&report)?;
        return Ok(Exit::Done);
    }
    if arguments.each {
        let mut table = TextTable::new(&[
            ("document", Align::Right),
            ("tokens", Align::Right),
            ("loss (nats/token)", Align::Right),
        ]);
        for document in each(found) {
            table.row([
                document.document.to_string(),
                grouped(document.tokens),
                format!("{:.4}", document.loss),
            ]);
        }
        output.table(&table)?;
        // An empty line separates the two tables.
        output.data("\n")?;
    }
    let error = found
        .standard_error()
        .map_or_else(String::new, |nats| format!(" (standard error {:.4} over documents)", nats.0));
    let mut table = TextTable::facts();
    table
        .fact("loss", format!("{:.4} nats per token{error}", found.loss().0))
        // Perplexity is exp(loss), with the loss in nats per token.
        .fact("perplexity", format!("{:.3}", found.loss().0.exp()))
        .fact("tokens", format!("{} predicted", grouped(found.tokens())))
        .fact("documents", grouped(found.documents.len() as u64))
        .fact("text", format!("{}, {}", text.name(), text.info().text()))
        .fact("convention", in_words(protocol));
    output.table(&table)?;
    Ok(Exit::Done)
}

fn options(arguments: &Arguments) -> MeasureOptions {
    let mut options = MeasureOptions::new().convention(arguments.convention.into());
    if let Some(context) = arguments.context {
        options = options.context(context.get());
    }
    if let Some(stride) = arguments.stride {
        options = options.stride(stride.get());
    }
    if let Some(tokens) = arguments.tokens {
        options = options.tokens(tokens.0);
    }
    options
}

fn each(found: &Evaluated) -> Vec<DocumentRow> {
    let loss = |document: &model::evaluate::DocumentLoss| DocumentRow {
        document: document.document,
        tokens: document.tokens,
        loss: document.nats / document.tokens as f64,
    };
    found.documents.iter().map(loss).collect()
}

/// The evaluation settings as a sentence. A loss means little without them, so they are printed
/// beside it.
fn in_words(protocol: &Protocol) -> String {
    let Protocol { convention, context, stride, .. } = protocol;
    let documents = match convention {
        Convention::Documents => {
            "documents: each alone after its begin token, which is not predicted"
        }
        Convention::Packed => "packed: documents end to end, begin tokens predicted too",
    };
    let windows = if stride == context {
        "side by side".to_owned()
    } else {
        format!("{} tokens apart", grouped(*stride as u64))
    };
    format!("{documents}; windows of {} tokens, {windows}", grouped(*context as u64))
}
