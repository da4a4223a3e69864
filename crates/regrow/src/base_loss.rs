//! The loss of a model before pruning, measured once and kept in a file for every run that needs
//! it.

use std::path::Path;

use ledger::{Convention, Format, Nats, RunSpec};
use model::evaluate::Protocol;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Result, bail};
use crate::measure::Measured;

/// The largest file that is read, in bytes.
const LIMIT: u64 = 1 << 16;

/// A kept loss, with all that decides it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseLoss {
    format: Format<1>,
    /// SHA-256 of the weights.
    weights: String,
    /// SHA-256 of the text.
    text: String,
    /// SHA-256 of the tokenizer; none where the model has no tokenizer.
    tokenizer: Option<String>,
    convention: Convention,
    context: usize,
    stride: usize,
    /// The most tokens that were read.
    tokens: u64,
    /// Nats per token.
    loss: f64,
    regrow: String,
}

/// Keeps a measured loss in the new file `path`.
///
/// # Errors
/// Where the file exists or cannot be written, or the weights cannot be read.
pub fn keep(measured: &Measured, path: &Path) -> Result<()> {
    if path.exists() {
        return Err(disk::Error::exists(path).into());
    }
    let Protocol { convention, context, stride, limit } = *measured.protocol();
    let folder = measured.folder();
    let tokenizer = folder.tokenizer_json().map(|file| disk::sha256(&file)).transpose()?;
    let kept = BaseLoss {
        format: Format::<1>,
        weights: folder.weights_hash()?,
        text: measured.text().info().text().to_owned(),
        tokenizer: tokenizer.map(|hash| hash.to_string()),
        convention,
        context,
        stride,
        tokens: limit,
        loss: measured.found().loss().0,
        regrow: crate::VERSION.to_owned(),
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
    }
    let mut bytes = serde_json::to_vec_pretty(&kept)?;
    bytes.push(b'\n');
    Ok(disk::write(path, &bytes)?)
}

/// Reads the kept loss of the model with the hash `weights`, as a run with `spec` would measure it.
///
/// # Errors
/// Where the file cannot be read, or the loss is that of another model, text or evaluation.
pub(crate) fn read(path: &Path, weights: &str, spec: &RunSpec) -> Result<Nats> {
    let bytes = disk::read(path, LIMIT)?;
    let kept: BaseLoss = serde_json::from_slice(&bytes)
        .with_context(|| format!("`{}` is no kept loss", path.display()))?;
    let wanted = &spec.evaluation;
    let differs = [
        ("weights", kept.weights, weights.to_owned()),
        ("held-out text", kept.text, spec.heldout.clone()),
        ("tokenizer", kept.tokenizer.unwrap_or_default(), spec.tokenizer.clone()),
        ("convention", kept.convention.name().into(), wanted.convention.name().into()),
        ("context", kept.context.to_string(), wanted.context.to_string()),
        ("stride", kept.stride.to_string(), wanted.stride.to_string()),
        ("held-out tokens", kept.tokens.to_string(), wanted.tokens.0.to_string()),
    ];
    if let Some((what, found, expected)) =
        differs.iter().find(|(_, found, expected)| found != expected)
    {
        bail!(
            "the loss in `{}` was measured with another {what}: {found}, expected {expected} as this run has it",
            path.display()
        );
    }
    if !(kept.loss.is_finite() && kept.loss >= 0.0) {
        bail!(
            "the loss in `{}` is {}, expected nats per token, 0 or more",
            path.display(),
            kept.loss
        );
    }
    Ok(Nats(kept.loss))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::testing::run_spec;

    #[test]
    fn a_loss_of_another_model_text_or_evaluation_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loss.json");
        let spec = run_spec();
        let kept = BaseLoss {
            format: Format::<1>,
            weights: "w".into(),
            text: spec.heldout.clone(),
            tokenizer: Some(spec.tokenizer.clone()),
            convention: spec.evaluation.convention,
            context: spec.evaluation.context,
            stride: spec.evaluation.stride,
            tokens: spec.evaluation.tokens.0,
            loss: 2.5,
            regrow: "0".into(),
        };
        let said = |kept: &BaseLoss, weights: &str| {
            std::fs::write(&path, serde_json::to_vec(kept).unwrap()).unwrap();
            read(&path, weights, &spec).map_err(|error| error.to_string())
        };
        assert_eq!(said(&kept, "w"), Ok(Nats(2.5)));
        let refused = |kept: &BaseLoss, weights: &str, what: &str| {
            let error = said(kept, weights).unwrap_err();
            assert!(error.contains(&format!("another {what}: ")), "{error}");
        };
        refused(&kept, "v", "weights");
        refused(&BaseLoss { text: "t".into(), ..kept.clone() }, "w", "held-out text");
        refused(&BaseLoss { tokenizer: None, ..kept.clone() }, "w", "tokenizer");
        let packed = BaseLoss { convention: Convention::Packed, ..kept.clone() };
        refused(&packed, "w", "convention");
        refused(&BaseLoss { context: 7, ..kept.clone() }, "w", "context");
        refused(&BaseLoss { stride: 7, ..kept.clone() }, "w", "stride");
        refused(&BaseLoss { tokens: 7, ..kept.clone() }, "w", "held-out tokens");
        let error = said(&BaseLoss { loss: -1.0, ..kept }, "w").unwrap_err();
        assert!(error.contains("is -1, expected nats per token"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        assert!(read(&path, "w", &spec).unwrap_err().to_string().contains("is no kept loss"));
    }
}
