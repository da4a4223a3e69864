//! The record of a run that another program trained, read from that program's log.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::curve::Phase;
use crate::cut_record::CutRecord;
use crate::format::Format;
use crate::method::MethodId;
use crate::sha256::Sha256;
use crate::units::{Nats, Params, Rate};

/// The contents of `record.json` of an imported run. It says what is known and leaves out the rest:
/// there is no spec, no id, and no hash of a text or of weights.
///
/// ```
/// use ledger::{Facts, ImportedRecord, LossKind, Nats, Params, Rate, Sha256};
/// let facts = Facts::default().with_size(Params(1000)).with_loss0(Nats(2.5), None);
/// let facts = facts.with_rate(Rate::new(0.25)?).with_group(Some("llama-3".into()), None);
/// let record = ImportedRecord::of("trainer-state", facts, LossKind::HeldOut("eval_loss".into()))
///     .with_tokens("`num_input_tokens_seen` of the log".into())
///     .with_curve(Sha256::of(b""));
/// assert_eq!(record.facts().n0(), Some(Params(1000)));
/// assert_eq!(record.facts().method(), None);
/// # Ok::<(), ledger::RateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportedRecord {
    format: Format<1>,
    kind: Kind,
    log: String,
    files: Vec<LogFile>,
    #[serde(flatten)]
    facts: Facts,
    loss: LossKind,
    tokens: String,
    remarks: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    curve: Option<String>,
    regrow: String,
}

/// What is known of the model and of its pruning. Every fact may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n0: Option<Params>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss0: Option<Nats>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss0_phase: Option<Phase>,
}

/// A file that a run was imported from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFile {
    name: String,
    bytes: u64,
}

/// Which losses of an imported run are compared with others, and their name in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// On text that no training step saw.
    HeldOut(String),
    /// Of the training steps themselves. They are never compared with held-out losses.
    Training(String),
}

/// Marks the record; written as `"imported"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind;

impl ImportedRecord {
    /// The format that this version writes and reads.
    pub const FORMAT: Format<1> = Format;
    /// What stands as the `kind` of such a record.
    pub const KIND: &str = "imported";

    /// The record of a run whose log has the format named `log`.
    pub fn of(log: &str, facts: Facts, loss: LossKind) -> Self {
        Self {
            format: Format,
            kind: Kind,
            log: log.to_owned(),
            files: Vec::new(),
            facts,
            loss,
            tokens: String::new(),
            remarks: Vec::new(),
            curve: None,
            regrow: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Sets the sentence that says where tokens come from.
    pub fn with_tokens(self, tokens: String) -> Self {
        Self { tokens, ..self }
    }

    /// Sets the files that were read.
    pub fn with_files(self, files: Vec<LogFile>) -> Self {
        Self { files, ..self }
    }

    /// Sets what was said about the log.
    pub fn with_remarks(self, remarks: Vec<String>) -> Self {
        Self { remarks, ..self }
    }

    /// Sets the SHA-256 of the file that holds the curve.
    pub fn with_curve(self, hash: Sha256) -> Self {
        Self { curve: Some(hash.to_string()), ..self }
    }

    /// The name of the log's format.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The files that were read.
    pub fn files(&self) -> &[LogFile] {
        &self.files
    }

    /// What is known of the model.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Which losses are compared with others.
    pub fn loss(&self) -> &LossKind {
        &self.loss
    }

    /// Where tokens come from, for a person.
    pub fn tokens(&self) -> &str {
        &self.tokens
    }

    /// What was said about the log when it was read.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The SHA-256 of the file that holds the curve.
    pub fn curve(&self) -> Option<&str> {
        self.curve.as_deref()
    }
}

impl Facts {
    /// What the record of a cut says.
    pub fn of_cut(cut: &CutRecord) -> Self {
        Self {
            series: Some(cut.series.clone()),
            method: Some(cut.method.clone()),
            base: Some(cut.base.clone()),
            n0: Some(cut.held.n0()),
            rate: Some(cut.held.rate()),
            loss0: cut.loss0,
            loss0_phase: cut.loss0_phase,
        }
    }

    /// Sets the parameters before pruning.
    pub fn with_size(self, n0: Params) -> Self {
        Self { n0: Some(n0), ..self }
    }

    /// Sets the pruning rate. Nothing is pruned at rate 0, so its method is `none`.
    pub fn with_rate(self, rate: Rate) -> Self {
        let method = if rate == Rate::NONE { Some(MethodId::NONE.into()) } else { self.method };
        Self { rate: Some(rate), method, ..self }
    }

    /// Sets the loss before pruning, and the phase that the training of that model ended in.
    pub fn with_loss0(self, loss0: Nats, phase: Option<Phase>) -> Self {
        Self { loss0: Some(loss0), loss0_phase: phase, ..self }
    }

    /// Sets the series and the method.
    pub fn with_group(self, series: Option<String>, method: Option<String>) -> Self {
        Self { series: series.or(self.series), method: method.or(self.method), ..self }
    }

    /// Sets the name of the model before pruning.
    pub fn with_base(self, base: String) -> Self {
        Self { base: Some(base), ..self }
    }

    /// Where these facts contradict each other.
    pub fn contradiction(&self) -> Option<String> {
        let none = self.method.as_deref() == Some(MethodId::NONE);
        match self.rate {
            Some(rate) if rate == Rate::NONE && !none && self.method.is_some() => Some(format!(
                "the rate is 0, and the method `{}`, expected `none`",
                self.method.as_deref().unwrap_or_default()
            )),
            Some(rate) if rate != Rate::NONE && none => {
                Some(format!("the method is `none`, and the rate {}, expected 0", rate.get()))
            }
            _ => match (self.n0, self.loss0) {
                (Some(Params(0)), _) => Some("it has 0 parameters".to_owned()),
                (_, Some(loss)) if loss.0 <= 0.0 => {
                    Some(format!("the loss before pruning is {}, expected above 0", loss.0))
                }
                _ => None,
            },
        }
    }

    /// The names of the facts that a law of pruned models needs and that are unknown.
    pub fn missing(&self) -> Vec<&'static str> {
        let known = [
            ("n0", self.n0.is_some()),
            ("rate", self.rate.is_some()),
            ("loss0", self.loss0.is_some()),
        ];
        known.into_iter().filter(|(_, known)| !known).map(|(name, _)| name).collect()
    }

    /// The model series.
    pub fn series(&self) -> Option<&str> {
        self.series.as_deref()
    }

    /// The pruning method; `none` where nothing was pruned.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The name of the model before pruning.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// Parameters before pruning.
    pub fn n0(&self) -> Option<Params> {
        self.n0
    }

    /// The pruning rate.
    pub fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// Held-out loss of the model before pruning.
    pub fn loss0(&self) -> Option<Nats> {
        self.loss0
    }

    /// The phase of the learning rate in which the training of that model ended.
    pub fn loss0_phase(&self) -> Option<Phase> {
        self.loss0_phase
    }
}

impl LogFile {
    /// A file of so many bytes, by its name without folders.
    pub fn of(name: String, bytes: u64) -> Self {
        Self { name, bytes }
    }

    /// Its name, without folders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its length in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl LossKind {
    /// Whether the losses are held-out ones.
    pub fn is_held_out(&self) -> bool {
        matches!(self, Self::HeldOut(_))
    }

    /// Their name in the log.
    pub fn name(&self) -> &str {
        let (Self::HeldOut(name) | Self::Training(name)) = self;
        name
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(ImportedRecord::KIND)
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kind = String::deserialize(deserializer)?;
        if kind == ImportedRecord::KIND {
            return Ok(Self);
        }
        Err(serde::de::Error::custom(format_args!(
            "`kind` is `{kind}`, expected `{}`",
            ImportedRecord::KIND
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts::default().with_size(Params(1000)).with_rate(Rate::new(0.25).unwrap())
    }

    #[test]
    fn a_record_comes_back_and_leaves_out_what_is_unknown() {
        let record = ImportedRecord::of("csv", facts(), LossKind::Training("loss".into()))
            .with_files(vec![LogFile::of("log.csv".into(), 12)])
            .with_remarks(vec!["no held-out loss".into()]);
        let text = serde_json::to_string(&record).unwrap();
        assert!(text.starts_with(r#"{"format":1,"kind":"imported","log":"csv""#), "{text}");
        for unknown in ["null", "loss0", "series", "corpus", "heldout", "\"id\"", "curve"] {
            assert!(!text.contains(unknown), "{text}");
        }
        assert_eq!(serde_json::from_str::<ImportedRecord>(&text).unwrap(), record);
        let other = text.replace("imported", "trained");
        let error = serde_json::from_str::<ImportedRecord>(&other).unwrap_err().to_string();
        assert!(error.contains("`kind` is `trained`, expected `imported`"), "{error}");
    }

    #[test]
    fn facts_that_contradict_each_other_are_told_and_missing_ones_are_named() {
        assert_eq!(facts().contradiction(), None);
        assert_eq!(facts().missing(), ["loss0"]);
        let control = Facts::default().with_rate(Rate::NONE);
        assert_eq!(control.method(), Some("none"));
        assert_eq!(control.contradiction(), None);
        let wrong = control.with_group(None, Some("depth-list".into()));
        assert!(wrong.contradiction().unwrap().contains("method `depth-list`, expected `none`"));
        let wrong = facts().with_group(None, Some("none".into()));
        assert!(wrong.contradiction().unwrap().contains("the rate 0.25, expected 0"));
        let wrong = facts().with_loss0(Nats(-1.0), None);
        assert!(wrong.contradiction().unwrap().contains("loss before pruning is -1"));
    }
}
