//! Tables under names of any program, and of regrow's own points tables.

use std::path::Path;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::json::whole;
use crate::import::reader::Import;
use crate::import::source::Head;
use crate::import::spot::Spot;
use crate::import::table::{Table, delimiter};
use crate::import::words::{Word, phase_code};

pub(in crate::import) struct Csv;

const NAME: &str = "csv";

impl Import for Csv {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "a table with commas, tabs or semicolons, under names that can be mapped"
    }

    fn recognises(&self, head: &Head) -> bool {
        looks_like_table(&head.text())
    }

    fn read(&self, path: &Path, _: &Asked, into: &mut Gathered) -> Result<()> {
        let mut table = Table::open(path, NAME)?;
        let columns: Vec<(usize, String)> = table
            .heads()
            .iter()
            .cloned()
            .enumerate()
            .filter(|(_, head)| !head.is_empty())
            .collect();
        read_rows(&mut table, &columns, path, NAME, into)
    }
}

/// Whether a text begins with names in a row, and with numbers in the next.
pub(super) fn looks_like_table(text: &str) -> bool {
    let mut lines = text.lines();
    let (Some(heads), Some(first)) = (lines.next(), lines.next()) else { return false };
    let mark = char::from(delimiter(heads.as_bytes()));
    let is_number = |cell: &str| cell.trim().trim_matches('"').parse::<f64>().is_ok();
    let names = heads.split(mark).filter(|cell| !is_number(cell)).count();
    names > 1 && names == heads.split(mark).count() && first.split(mark).any(is_number)
}

/// Reads the rows of a table: its columns by position, with the names that count.
pub(super) fn read_rows(
    table: &mut Table<'_>,
    columns: &[(usize, String)],
    path: &Path,
    format: &'static str,
    into: &mut Gathered,
) -> Result<()> {
    let words: Vec<(usize, &str, Word)> = columns
        .iter()
        .filter_map(|(at, name)| Some((*at, name.as_str(), into.word(name)?)))
        .collect();
    // `_step` of W&B counts log calls; the trainer's own step is better known.
    let steps = words.iter().filter(|(.., word)| *word == Word::Step);
    let step = steps.min_by_key(|(_, name, _)| name.starts_with('_')).map(|(at, ..)| *at);
    if step.is_none() {
        into.number_rows();
    }
    let mut numbers = Vec::new();
    while table.next()? {
        let number = match step {
            None => table.row(),
            Some(at) => {
                let Some(number) = table.number(at)? else { continue };
                whole(number).ok_or_else(|| {
                    Spot { path, format }.damaged(
                        &format!("row {}", table.row()),
                        format!("its step is {number}, expected a whole number"),
                    )
                })?
            }
        };
        numbers.clear();
        for &(at, name, word) in &words {
            let value = match word {
                Word::Step => continue,
                Word::Phase => phase_code(table.text(at)),
                _ => table.number(at)?,
            };
            numbers.extend(value.map(|value| (name, value)));
        }
        into.row(number, &numbers)?;
    }
    Ok(())
}
