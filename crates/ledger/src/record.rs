//! The facts known when a run starts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::curve::{Curve, Phase};
use crate::cut_record::CutRecord;
use crate::format::Format;
use crate::method::MethodId;
use crate::spec::{RunSpec, Start};
use crate::units::{Nats, Params, Rate, Tokens};

/// The contents of `record.json`, written at the start of a run. Fields that repeat the spec are
/// copied from it, so the two agree.
///
/// ```
/// # #[cfg(feature = "testing")] {
/// use ledger::{Nats, Params, Rate, RunRecord, testing};
/// let spec = testing::run_spec();
/// let record = RunRecord::of(&spec, Params(1000), Params(850), testing::provenance())
///     .with_rates(Rate::realised(Params(1000), Params(850))?, Rate::new(0.2)?)
///     .with_loss0(Nats(2.5), None);
/// assert_eq!((record.id(), record.rate().get()), (spec.id().as_str(), 0.15));
/// # }
/// # Ok::<(), ledger::RateError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    format: Format<1>,
    id: String,
    series: String,
    method: String,
    base: String,
    n0: Params,
    parameters: Params,
    rate: Rate,
    rate_without_embedding: Rate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss0: Option<Nats>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss0_phase: Option<Phase>,
    corpus: String,
    heldout: String,
    tokenizer: String,
    start: Start,
    seed: u64,
    provenance: Provenance,
    /// Programs of an outside trainer, which it writes itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    versions: BTreeMap<String, String>,
    /// What the run was before it was extended, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    extended_from: Vec<EarlierRun>,
}

/// What a run was before it was extended to more tokens. Everything else stayed the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierRun {
    /// The id that it had. Its checkpoints carry it.
    pub id: String,
    /// The tokens of its spec.
    pub tokens: Tokens,
    /// The step after which it ended.
    pub steps: u64,
}

/// The program and machine of a run. It can explain a difference between runs, but changes no id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of regrow.
    pub regrow: String,
    /// The model of the CPU.
    pub machine: String,
    /// The number of threads.
    pub threads: usize,
    /// The arithmetic kernel that was chosen.
    pub kernel: String,
}

impl RunRecord {
    /// The format that this version writes and reads.
    pub const FORMAT: Format<1> = Format;

    /// The record of a run on a model of `parameters` parameters that had `n0` before pruning. Its
    /// rates are 0 until [`RunRecord::with_rates`] sets them.
    pub fn of(spec: &RunSpec, n0: Params, parameters: Params, provenance: Provenance) -> Self {
        Self {
            format: Format,
            id: spec.id(),
            series: spec.series.clone(),
            method: spec.method.clone(),
            base: spec.base.clone(),
            n0,
            parameters,
            rate: Rate::NONE,
            rate_without_embedding: Rate::NONE,
            loss0: None,
            loss0_phase: None,
            corpus: spec.corpus.clone(),
            heldout: spec.heldout.clone(),
            tokenizer: spec.tokenizer.clone(),
            start: spec.start.clone(),
            seed: spec.seed,
            provenance,
            versions: BTreeMap::new(),
            extended_from: Vec::new(),
        }
    }

    /// The record of the same run once it is extended from `spec`, where it ended after `steps`, to
    /// `to`.
    ///
    /// # Panics
    /// If the two specs differ in more than their tokens.
    #[must_use]
    pub fn extended(mut self, spec: &RunSpec, steps: u64, to: &RunSpec) -> Self {
        let differs = spec.differences(to).into_iter().find(|found| found.key() != "tokens");
        assert_eq!(differs, None, "only the tokens of a run can be extended");
        self.extended_from.push(EarlierRun { id: self.id, tokens: spec.tokens, steps });
        self.id = to.id();
        self
    }

    /// Sets the realised pruning rates: of all parameters, and without embeddings.
    pub fn with_rates(self, rate: Rate, rate_without_embedding: Rate) -> Self {
        Self { rate, rate_without_embedding, ..self }
    }

    /// Sets the held-out loss of the model before pruning, and the phase of the learning rate in
    /// which the training of that model ended, where known.
    pub fn with_loss0(self, loss: Nats, phase: Option<Phase>) -> Self {
        Self { loss0: Some(loss), loss0_phase: phase, ..self }
    }

    /// Where a record from a file contradicts the spec of its run, its cut, or itself.
    pub fn contradiction(&self, spec: &RunSpec, cut: Option<&CutRecord>) -> Option<String> {
        let words = [
            ("series", &self.series, &spec.series),
            ("method", &self.method, &spec.method),
            ("base", &self.base, &spec.base),
            ("corpus", &self.corpus, &spec.corpus),
            ("heldout", &self.heldout, &spec.heldout),
            ("tokenizer", &self.tokenizer, &spec.tokenizer),
        ];
        if let Some((field, found, expected)) =
            words.into_iter().find(|(_, found, expected)| found != expected)
        {
            return Some(format!("`{field}` is `{found}`, expected `{expected}` as in its spec"));
        }
        if self.seed != spec.seed || self.start != spec.start {
            return Some("`seed` or `start` is another than in its spec".to_owned());
        }
        if let Some(why) = self.contradicts_extension(spec) {
            return Some(why);
        }
        match cut {
            Some(cut) => self.contradicts_cut(cut),
            None => self.contradicts_itself(),
        }
    }

    /// Only the tokens of a run can be extended, so its earlier ids follow from its spec.
    fn contradicts_extension(&self, spec: &RunSpec) -> Option<String> {
        let mut before = 0;
        for earlier in &self.extended_from {
            // Nobody can have trained such a run, and no evaluation can be placed in it.
            if earlier.tokens.0 == 0 || earlier.steps == 0 {
                return Some(format!("`extended_from` names run `{}` of no tokens", earlier.id));
            }
            let expected = RunSpec { tokens: earlier.tokens, ..spec.clone() }.id();
            if earlier.id != expected {
                let (found, tokens) = (&earlier.id, earlier.tokens);
                return Some(format!(
                    "`extended_from` names run `{found}`, expected `{expected}` for {tokens}"
                ));
            }
            // A run that a rule ended may be extended to its own tokens, and end there again.
            if earlier.steps < before {
                let found = earlier.steps;
                return Some(format!("`extended_from` goes back from step {before} to {found}"));
            }
            before = earlier.steps;
        }
        None
    }

    fn contradicts_cut(&self, cut: &CutRecord) -> Option<String> {
        if let Some(why) = cut.held.contradiction() {
            return Some(format!("its `cut.json` contradicts itself: {why}"));
        }
        let counts =
            [("n0", self.n0.0, cut.held.n0().0), ("parameters", self.parameters.0, cut.stored().0)];
        let rates = [
            ("rate", self.rate, cut.held.rate()),
            (
                "rate_without_embedding",
                self.rate_without_embedding,
                cut.held.rate_without_embedding(),
            ),
        ];
        let differ = |field: &str, found: String, expected: String| {
            format!("`{field}` is {found}, expected {expected} as in its `cut.json`")
        };
        if let Some((field, found, expected)) = counts.into_iter().find(|(_, a, b)| a != b) {
            return Some(differ(field, found.to_string(), expected.to_string()));
        }
        if let Some((field, found, expected)) = rates.into_iter().find(|(_, a, b)| a != b) {
            return Some(differ(field, found.get().to_string(), expected.get().to_string()));
        }
        (self.method != cut.method)
            .then(|| differ("method", format!("`{}`", self.method), format!("`{}`", cut.method)))
    }

    /// Without its cut, as for an unpruned model or a run of another program.
    fn contradicts_itself(&self) -> Option<String> {
        // A cut that makes zeros keeps every parameter: only its own record tells its rate.
        if self.parameters == self.n0 {
            return None;
        }
        let expected = Rate::realised(self.n0, self.parameters);
        let same = expected.as_ref().is_ok_and(|rate| (rate.get() - self.rate.get()).abs() < 1e-9);
        (!same).then(|| {
            format!(
                "`rate` is {}, expected {} for {} of {} parameters",
                self.rate.get(),
                expected
                    .map_or_else(|_| "no rate at all".to_owned(), |rate| rate.get().to_string()),
                self.parameters.0,
                self.n0.0
            )
        })
    }

    /// The id of the run's [`RunSpec`].
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the run was before it was extended, oldest first; empty where it never was.
    pub fn extended_from(&self) -> &[EarlierRun] {
        &self.extended_from
    }

    /// The model series.
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The pruning method; `none` for controls and training from scratch.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The name of the model before pruning.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Parameters before pruning.
    pub fn n0(&self) -> Params {
        self.n0
    }

    /// Parameters of the model that is trained.
    pub fn parameters(&self) -> Params {
        self.parameters
    }

    /// The realised pruning rate.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Held-out loss of the model before pruning, where it was measured.
    pub fn loss0(&self) -> Option<Nats> {
        self.loss0
    }

    /// The phase of the learning rate in which the training of that model ended, where known.
    pub fn loss0_phase(&self) -> Option<Phase> {
        self.loss0_phase
    }

    /// SHA-256 of the training text.
    pub fn corpus(&self) -> &str {
        &self.corpus
    }

    /// SHA-256 of the held-out text.
    pub fn heldout(&self) -> &str {
        &self.heldout
    }

    /// SHA-256 of the tokenizer.
    pub fn tokenizer(&self) -> &str {
        &self.tokenizer
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The program and machine that ran it.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Versions of the programs that an outside trainer ran on, such as `torch`. Empty for our own.
    pub fn versions(&self) -> &BTreeMap<String, String> {
        &self.versions
    }

    /// Held-out loss of the freshly pruned model: the first point, if it was measured at step 0.
    /// `None` for a model that was not pruned.
    pub fn loss_pruned(&self, curve: &Curve) -> Option<Nats> {
        // A curve of another trainer may start later. Its first loss is then not that of the pruned
        // model.
        let first = curve.points().first().filter(|point| point.step == 0)?;
        (self.method != MethodId::NONE).then_some(first.loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run_record as record;

    #[test]
    fn a_record_comes_back_and_leaves_out_what_is_unknown() {
        let text = serde_json::to_string(&record()).unwrap();
        assert!(!text.contains("null") && !text.contains("loss0"), "{text}");
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), record());
        // As older versions wrote it.
        assert!(!text.contains("extended_from") && record().extended_from().is_empty(), "{text}");
        let known = record().with_loss0(Nats(1.25), Some(Phase::Decay));
        let text = serde_json::to_string(&known).unwrap();
        assert!(text.contains(r#""loss0":1.25,"loss0_phase":"decay""#), "{text}");
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), known);
    }

    #[test]
    fn a_record_repeats_its_spec() {
        let (record, spec) = (record(), crate::testing::run_spec());
        assert_eq!(record.id(), spec.id());
        let value = serde_json::to_value(&record).unwrap();
        for (key, said) in [
            ("series", &spec.series),
            ("method", &spec.method),
            ("base", &spec.base),
            ("corpus", &spec.corpus),
            ("heldout", &spec.heldout),
            ("tokenizer", &spec.tokenizer),
        ] {
            assert_eq!(value[key], **said, "{key}");
        }
        assert_eq!((record.start, record.seed), (spec.start, spec.seed));
    }

    #[test]
    fn a_record_is_held_against_its_spec_and_its_own_counts() {
        let (record, spec) = (record(), crate::testing::run_spec());
        assert_eq!(record.contradiction(&spec, None), None);
        let odd = |change: fn(&mut RunRecord)| {
            let mut odd = record.clone();
            change(&mut odd);
            odd.contradiction(&spec, None).unwrap()
        };
        assert!(odd(|r| r.rate = Rate::new(0.5).unwrap()).starts_with("`rate` is 0.5, expected "));
        assert!(odd(|r| r.n0 = Params(r.n0.0 + 1)).starts_with("`rate` is "));
        assert!(
            odd(|r| r.heldout = "other".into()).starts_with("`heldout` is `other`, expected `")
        );
        assert!(odd(|r| r.seed += 1).contains("than in its spec"));
    }

    #[test]
    fn a_record_knows_what_its_run_was_before_it_was_extended() {
        let old = crate::testing::run_spec();
        let new = RunSpec { tokens: Tokens(3 * old.tokens.0), ..old.clone() };
        let extended = record().extended(&old, 4, &new);
        assert_eq!((extended.id(), extended.contradiction(&new, None)), (&*new.id(), None));
        let earlier = EarlierRun { id: old.id(), tokens: old.tokens, steps: 4 };
        assert_eq!(extended.extended_from(), [earlier]);
        let text = serde_json::to_string(&extended).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), extended);
        let text = text.replace(&old.id(), "0123456789abcdef");
        let odd = serde_json::from_str::<RunRecord>(&text).unwrap().contradiction(&new, None);
        assert!(odd.unwrap().starts_with("`extended_from` names run `0123456789abcdef`"));
        let none = RunSpec { tokens: Tokens(0), ..old.clone() };
        for odd in [record().extended(&old, 0, &new), record().extended(&none, 4, &new)] {
            assert!(odd.contradiction(&new, None).unwrap().ends_with("of no tokens"));
        }
        let back = extended.extended(&new, 3, &new).contradiction(&new, None).unwrap();
        assert!(back.ends_with("goes back from step 4 to 3"), "{back}");
    }

    #[test]
    fn other_formats_and_impossible_rates_are_refused() {
        let text = serde_json::to_string(&record()).unwrap();
        for (from, to) in [(r#""format":1"#, r#""format":2"#), (r#""rate":0.15"#, r#""rate":1.0"#)]
        {
            assert!(text.contains(from), "{text}");
            assert!(serde_json::from_str::<RunRecord>(&text.replace(from, to)).is_err(), "{to}");
        }
    }
}
