//! Checks a sweep's recipe, as far as possible without its models.

use std::collections::BTreeSet;
use std::path::Path;

use super::keys::{CorpusKeys, MethodKeys, ModelKeys, SizeKeys, SweepKeys};
use crate::error::{Result, bail};

/// Refuses recipes that can never run.
pub(super) fn check(sweep: &SweepKeys) -> Result<()> {
    check_corpus(&sweep.corpus, sweep.models().next().is_some())?;
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
        if series.sizes.is_empty() && series.models.is_empty() {
            bail!("series `{}` has neither `sizes` nor `models`", series.name);
        }
        unique("sizes", series.sizes.iter().map(SizeKeys::name))?;
        unique("models", series.models.iter().map(ModelKeys::name))?;
        for model in &series.models {
            check_path("model", Path::new(&model.model))?;
            check_name("model", model.name())?;
            check_learning_rate(model.learning_rate, &series.name, model.name())?;
        }
        if !series.sizes.is_empty() {
            sweep.base_training()?;
        }
        for size in &series.sizes {
            let seeds = sweep.seeds(size);
            if seeds.is_empty() {
                bail!("`seeds` of {} {} is empty, expected one or more", series.name, size.name());
            }
            unique("seeds", seeds.iter())?;
            check_learning_rate(size.learning_rate, &series.name, &size.name())?;
        }
    }
    if sweep.base.as_ref().is_some_and(|base| base.0.trainer().is_some()) {
        bail!(
            "`trainer` has no place in `base`: bases begin with random weights, which regrow's own trainer does; expected it in `heal`"
        );
    }
    for case in &sweep.cases {
        if let Some(name) = &case.add {
            check_name("`add`", name)?;
        }
        unique("seeds", case.seeds.iter())?;
    }
    sweep.methods.iter().try_for_each(check_method)
}

/// Refuses a path that a program would take for a flag.
pub(super) fn check_path(key: &str, path: &Path) -> Result<()> {
    let text = path.as_os_str().as_encoded_bytes();
    if text.is_empty() || text.starts_with(b"-") {
        bail!("`{key}` is `{}`, expected a path; write `./-a` for `-a`", path.display());
    }
    Ok(())
}

fn check_learning_rate(rate: Option<f64>, series: &str, name: &str) -> Result<()> {
    if rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
        bail!("`learning_rate` of {series} {name} is not a positive number");
    }
    Ok(())
}

fn check_corpus(corpus: &CorpusKeys, models: bool) -> Result<()> {
    let sources = [!corpus.inputs.is_empty(), corpus.grammar.is_some(), corpus.folder.is_some()];
    match sources.into_iter().filter(|named| *named).count() {
        1 => {}
        found => bail!(
            "`corpus` names {} text, expected one of `inputs`, `grammar` and `folder`",
            if found == 0 { "no" } else { "twice its" }
        ),
    }
    for input in corpus.inputs.iter().chain(&corpus.heal_inputs) {
        check_path("inputs", input)?;
    }
    if !corpus.heal_inputs.is_empty() && corpus.inputs.is_empty() {
        bail!("`heal_inputs` stands beside `inputs`; beside `folder` it is `heal_folder`");
    }
    if corpus.heal_folder.is_some() && corpus.folder.is_none() {
        bail!("`heal_folder` stands beside `folder`; beside `inputs` it is `heal_inputs`");
    }
    if corpus.folder.is_some() {
        let other = [
            ("documents", corpus.documents.is_some()),
            ("separator", corpus.separator.is_some()),
            ("vocabulary", corpus.vocabulary.is_some()),
            ("tokenizer", corpus.tokenizer.is_some()),
            ("heldout_share", corpus.heldout_share.is_some()),
        ];
        if let Some((key, _)) = other.into_iter().find(|(_, given)| *given) {
            bail!("`{key}` is for text; `folder` of `corpus` is tokenised and split already");
        }
        return Ok(());
    }
    match (corpus.vocabulary.is_some(), corpus.tokenizer.is_some(), models) {
        (true, true, _) => bail!("`corpus` has both `vocabulary` and `tokenizer`, expected one"),
        (true, false, true) => bail!(
            "`vocabulary` trains a tokenizer, but models that exist have their own: leave it out"
        ),
        (false, false, false) => bail!("`corpus` has neither `vocabulary` nor `tokenizer`"),
        _ => {}
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
    let Some(share) = corpus.heldout_share else {
        bail!("`heldout_share` is missing: the share of documents that no training sees");
    };
    text::check_share(share)?;
    Ok(())
}

fn check_method(keys: &MethodKeys) -> Result<()> {
    let method = prune::method(&keys.name)?;
    let takes = method.takes();
    let given = [
        ("rates", !keys.rates.is_empty()),
        ("blocks", !keys.blocks.is_empty()),
        ("drop", !keys.drop.is_empty()),
        ("as_blocks", !keys.as_blocks.is_empty()),
    ];
    let given: Vec<&str> =
        given.into_iter().filter_map(|(key, given)| given.then_some(key)).collect();
    let depth = matches!(method, prune::Method::Select(_)) && !takes.contains(&prune::Takes::Sizes);
    if takes.contains(&prune::Takes::Pattern) {
        if let Some(key) = given.first() {
            bail!("`{}` takes no `{key}`: its pattern says how much goes", keys.name);
        }
    } else if !takes.contains(&prune::Takes::Rate) {
        if given != ["drop"] {
            bail!(
                "method `{}` needs `drop` alone: lists of blocks, counted from 0, as in `drop = [[2], [2, 3]]`",
                keys.name
            );
        }
    } else if given.contains(&"drop") {
        bail!("method `{}` chooses itself what goes, `drop` is for `depth-list`", keys.name);
    } else if given.len() != 1 {
        let known = if depth { "`rates` or `blocks`" } else { "`rates` or `as_blocks`" };
        bail!("method `{}` needs either {known}", keys.name);
    } else if depth && given == ["as_blocks"] {
        bail!("method `{}` removes whole blocks: give `blocks`", keys.name);
    } else if !depth && given == ["blocks"] {
        bail!(
            "`{}` takes no `blocks`, it keeps them all: give `rates`, or `as_blocks` for the rates that so many blocks have",
            keys.name
        );
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

pub(super) fn unique<T: Ord + std::fmt::Display>(
    what: &str,
    items: impl Iterator<Item = T>,
) -> Result<()> {
    let mut seen = BTreeSet::new();
    for item in items {
        if seen.contains(&item) {
            bail!("`{what}` holds `{item}` twice");
        }
        seen.insert(item);
    }
    Ok(())
}
