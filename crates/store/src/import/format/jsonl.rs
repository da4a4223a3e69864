//! Lines of JSON: one object a line, under names of any program.

use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::json::{Cell, Row, whole};
use crate::import::reader::Import;
use crate::import::source::{Head, Lines, name_of};
use crate::import::spot::Spot;
use crate::import::words::{Word, phase_code};

pub(in crate::import) struct JsonLines;

const NAME: &str = "jsonl";

impl Import for JsonLines {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "lines of JSON, one object each, under names that can be mapped"
    }

    fn recognises(&self, head: &Head) -> bool {
        let text = head.text();
        text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| {
            // A line that is longer than the head cannot be parsed here.
            Row::parse(line.as_bytes()).is_ok()
        })
    }

    fn read(&self, path: &Path, _: &Asked, into: &mut Gathered) -> Result<()> {
        let mut lines = Lines::open(path)?;
        let mut numbered = Numbered::default();
        while let Some(row) = parse(NAME, path, &mut lines, into)? {
            numbered.take(&row, into, || {
                let line = line_error(lines.number());
                Spot { path, format: NAME }.damaged(&line, "its step is no whole number")
            })?;
        }
        Ok(())
    }
}

/// `line 3`.
pub(super) fn line_error(number: u64) -> String {
    format!("line {number}")
}

/// The next row. An incomplete last line is passed over aloud; any other bad line is an error.
pub(super) fn parse(
    format: &'static str,
    path: &Path,
    lines: &mut Lines<'_>,
    into: &mut Gathered,
) -> Result<Option<Row>> {
    loop {
        let Some(line) = lines.next()? else { return Ok(None) };
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let row = Row::parse(line);
        match row {
            // The summary of the Trainer: its losses are means over the whole run.
            Ok(row) if row.has("train_runtime") || row.has("train/train_runtime") => {}
            Ok(row) => return Ok(Some(row)),
            Err(_) if !lines.is_whole() && lines.number() > 1 => {
                into.remark(format!(
                    "`{}` ends within line {}: its writer was killed or is still at work",
                    name_of(path),
                    lines.number()
                ));
            }
            Err(error) => {
                let why = error.to_string().replace(" at line 1 column", " at column");
                return Err(Spot { path, format }.damaged(&line_error(lines.number()), why));
            }
        }
    }
}

/// Rows with the steps that they state, or counted where they state none.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    rows: u64,
    names: Option<Option<String>>,
}

impl Numbered {
    /// Takes in a row.
    pub(super) fn take(
        &mut self,
        row: &Row,
        into: &mut Gathered,
        bad_step: impl Fn() -> crate::Error,
    ) -> Result<()> {
        self.rows += 1;
        // The first row of numbers that we know decides which field is the step: a log does not
        // change its mind.
        if self.names.is_none() {
            let counts =
                |word| !matches!(word, Some(Word::Step | Word::Epoch | Word::Phase) | None);
            if !row.numbers().iter().any(|(name, _)| counts(into.word(name))) {
                return Ok(());
            }
            let steps: Vec<&str> = row
                .numbers()
                .iter()
                .filter(|(name, _)| into.word(name) == Some(Word::Step))
                .map(|(name, _)| *name)
                .collect();
            // `_step` of W&B counts log calls; the trainer's own step is better known.
            let best = steps.iter().min_by_key(|name| (name.starts_with('_'), name.len()));
            self.names = Some(best.map(|name| (*name).to_owned()));
        }
        let named = self.names.clone().flatten();
        let step = match named.as_deref() {
            Some(name) => match row.number(name) {
                Some(number) => whole(number).ok_or_else(bad_step)?,
                // A row of something else, such as a summary.
                None => return Ok(()),
            },
            None => {
                into.number_rows();
                self.rows
            }
        };
        into.row(step, &row.numbers())?;
        let phases = row.fields.iter().filter_map(|(name, cell)| match cell {
            Cell::Text(text) => Some((name, phase_code(text)?)),
            Cell::Number(_) => None,
        });
        for (name, code) in phases {
            if into.word(name) == Some(Word::Phase) {
                into.number(name, Word::Phase, step, code)?;
            }
        }
        Ok(())
    }
}
