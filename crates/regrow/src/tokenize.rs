//! Tokenises text into a corpus folder.

use std::time::Instant;

use text::{BuildOptions, CorpusInfo, Stage};

use crate::error::Result;
use crate::observer::{Event, Observer};
use crate::stop::Stop;
use ledger::count::grouped;

/// Makes the corpus folder that `options` names. If `stop` is requested, nothing is left behind.
///
/// # Errors
/// Where the text cannot be read, the folder cannot be written, or `stop` was requested.
pub fn tokenize(
    options: &BuildOptions,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<CorpusInfo> {
    let mut shown: Option<(Stage, Instant)> = None;
    let mut hear = |progress: text::BuildProgress| {
        if shown.is_none_or(|(stage, _)| stage != progress.stage) {
            let stage = match progress.stage {
                Stage::Tokenizer => "reading for the tokenizer",
                Stage::Tokens => "tokenising",
            };
            let total = progress.total_bytes;
            observer.hear(&Event::Begun { stage, total, unit: "bytes", done: 0 });
            shown = Some((progress.stage, Instant::now()));
        }
        if let Some((_, since)) = shown {
            let speed = progress.bytes as f64 / since.elapsed().as_secs_f64().max(1e-3) / 1e6;
            observer.hear(&Event::Progress {
                done: progress.bytes,
                message: &format!("{} documents, {speed:.1} MB/s", grouped(progress.documents)),
            });
        }
    };
    let info = text::build_until(options, &mut hear, stop.flag());
    // Before `?`, so that an error also ends the stage.
    observer.hear(&Event::Ended);
    Ok(info?)
}
