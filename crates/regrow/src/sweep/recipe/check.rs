//! Checks a sweep's recipe, as far as possible without its models.

use std::collections::BTreeSet;

use super::keys::{CorpusKeys, MethodKeys, SizeKeys, SweepKeys};
use crate::error::{Result, bail};

/// Refuses recipes that can never run.
pub(super) fn check(sweep: &SweepKeys) -> Result<()> {
    check_corpus(&sweep.corpus)?;
    for (list, length) in [
        ("seeds", sweep.seeds.len()),
        ("series", sweep.series.len()),
        ("methods", sweep.methods.len()),
    ] {
        if length == 0 {
            bail!("`{list}` is empty, expected one or more");
        }
    }
    if !(2..=1 << 24).contains(&sweep.context.0) {
        bail!("`context` is {}, expected 2 to 16777216", sweep.context);
    }
    unique("seeds", sweep.seeds.iter())?;
    unique("series", sweep.series.iter().map(|series| &series.name))?;
    unique("methods", sweep.methods.iter().map(|method| &method.name))?;
    for series in &sweep.series {
        check_name("series", &series.name)?;
        if series.sizes.is_empty() {
            bail!("series `{}` has no `sizes`", series.name);
        }
        unique("sizes", series.sizes.iter().map(SizeKeys::name))?;
        for size in &series.sizes {
            let seeds = sweep.seeds(size);
            if seeds.is_empty() {
                bail!("`seeds` of {} {} is empty, expected one or more", series.name, size.name());
            }
            unique("seeds", seeds.iter())?;
            if size.learning_rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
                bail!(
                    "`learning_rate` of {} {} is not a positive number",
                    series.name,
                    size.name()
                );
            }
        }
    }
    sweep.methods.iter().try_for_each(check_method)
}

fn check_corpus(corpus: &CorpusKeys) -> Result<()> {
    if corpus.inputs.is_empty() == corpus.grammar.is_none() {
        bail!(
            "`corpus` names {} text, expected either `inputs` or `grammar`",
            if corpus.grammar.is_none() { "no" } else { "twice its" }
        );
    }
    if corpus.grammar.is_some() && (corpus.documents.is_some() || corpus.separator.is_some()) {
        bail!(
            "`documents` and `separator` are for `inputs`; the grammar knows where its documents end"
        );
    }
    if let Some(rule) =
        corpus.documents.as_deref().filter(|rule| !["file", "blank-line"].contains(rule))
    {
        bail!("`documents` is `{rule}`, expected `file` or `blank-line`");
    }
    if corpus.documents.is_some() && corpus.separator.is_some() {
        bail!("both `documents` and `separator` are given, expected one");
    }
    text::check_share(corpus.heldout_share)?;
    Ok(())
}

fn check_method(keys: &MethodKeys) -> Result<()> {
    let method = prune::method(&keys.name)?;
    let takes_list = !method.takes().contains(&prune::Takes::Rate);
    // Exactly one of the three lists: `drop` for `depth-list`, `rates` or `blocks` for the others.
    match (takes_list, !keys.rates.is_empty(), !keys.blocks.is_empty(), !keys.drop.is_empty()) {
        (true, false, false, true) | (false, true, false, false) | (false, false, true, false) => {}
        (true, ..) => bail!(
            "method `{}` needs `drop` alone: lists of blocks, counted from 0, as in `drop = [[2], [2, 3]]`",
            keys.name
        ),
        (false, .., true) => {
            bail!("method `{}` chooses blocks itself, `drop` is for `depth-list`", keys.name)
        }
        (false, ..) => bail!("method `{}` needs either `rates` or `blocks`", keys.name),
    }
    if keys.drop.iter().any(Vec::is_empty) {
        bail!("`drop` of method `{}` holds an empty list, expected blocks to drop", keys.name);
    }
    if let Some(rate) = keys.rates.iter().find(|&&rate| !(rate > 0.0 && rate < 1.0)) {
        bail!("`rates` of method `{}` holds {rate}, expected above 0 and below 1", keys.name);
    }
    Ok(())
}

/// Checks a name, because it becomes a part of folder names.
fn check_name(what: &str, name: &str) -> Result<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(plain) {
        bail!(
            "{what} name `{name}`, expected letters, digits, `-`, `_` and `.`, at most 64 and no `.` first"
        );
    }
    Ok(())
}

fn unique<T: Ord + std::fmt::Display>(what: &str, items: impl Iterator<Item = T>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for item in items {
        if seen.contains(&item) {
            bail!("`{what}` holds `{item}` twice");
        }
        seen.insert(item);
    }
    Ok(())
}
