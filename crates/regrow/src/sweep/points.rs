//! The measured points of a sweep as one table, `points.csv`.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, bail};
use store::RunFolder;

/// The columns, in their order.
pub(crate) const COLUMNS: &str = "series,method,run,n0,rate,loss0,tokens,loss,phase,learning_rate,base";

/// Reads the runs `ids` in the folder `runs` into a table: every held-out point after the first step.
///
/// # Errors
/// Where a run is not done, cannot be read, or does not know the loss of its base; or where two runs were not
/// measured alike: on another text, with another tokenizer or by another convention.
pub(crate) fn table<'a>(runs: &Path, ids: impl Iterator<Item = &'a str>) -> anyhow::Result<String> {
    let mut text = format!("{COLUMNS}\n");
    let mut first: Option<(String, RunFolder)> = None;
    for id in ids {
        let folder = RunFolder::open(&runs.join(id))?;
        if !folder.is_done() {
            bail!("run `{id}` is not done");
        }
        match &first {
            Some((name, other)) => alike(name, other, id, &folder)?,
            None => first = Some((id.to_owned(), folder.clone())),
        }
        rows(id, &folder, &mut text)?;
    }
    Ok(text)
}

fn rows(id: &str, folder: &RunFolder, text: &mut String) -> anyhow::Result<()> {
    let record = folder.record();
    let loss0 = record.loss0.with_context(|| format!("run `{id}` does not know the loss of its base"))?.0;
    for point in folder.points()? {
        let Some(loss) = point.eval_loss.filter(|_| point.tokens.0 > 0) else { continue };
        let rate = point.learning_rate.map_or_else(String::new, |rate| rate.to_string());
        writeln!(
            text,
            "{},{},{},{},{},{loss0},{},{loss},{},{rate},{}",
            field(&record.series),
            field(&record.method),
            field(id),
            record.n0.0,
            record.rate.get(),
            point.tokens.0,
            point.phase,
            field(&record.base),
        )
        .expect("a string takes all that is written");
    }
    Ok(())
}

/// Losses can be compared only where they are of one text, cut into the same tokens and read the same way.
fn alike(first: &str, a: &RunFolder, second: &str, b: &RunFolder) -> anyhow::Result<()> {
    let (x, y) = (a.spec(), b.spec());
    for (what, same) in [
        ("held-out text", x.heldout == y.heldout),
        ("tokenizer", x.tokenizer == y.tokenizer),
        (
            "way to measure held-out loss",
            (x.evaluation.convention, x.evaluation.context, x.evaluation.stride, x.evaluation.tokens)
                == (y.evaluation.convention, y.evaluation.context, y.evaluation.stride, y.evaluation.tokens),
        ),
    ] {
        if !same {
            bail!("runs `{first}` and `{second}` have not the same {what}, expected one in a sweep");
        }
    }
    Ok(())
}

/// A text as a field of CSV (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_and_quotes_stay_one_field() {
        assert_eq!([field("2:4-wanda"), field("a,b"), field("a\"b")], ["2:4-wanda", "\"a,b\"", "\"a\"\"b\""]);
    }
}
