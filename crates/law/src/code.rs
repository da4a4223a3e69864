//! The ids of warnings and caveats, as they appear in files.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A reason to doubt a result, or a finding about its data.
///
/// ```
/// use law::Code;
/// assert_eq!(Code::LevelsTooFew.id(), "levels-too-few");
/// assert_eq!(Code::from("levels-too-few".to_owned()), Code::LevelsTooFew);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum Code {
    /// Too few bases to tell how much a base's own loss shifts its runs.
    BasesTooFew,
    /// Every loss of a run is below the unpruned model's.
    BelowBase,
    /// No number of tokens reaches the loss that was asked for.
    BelowFloor,
    /// The chains of the posterior have not met.
    ChainsApart,
    /// The table lacks columns, so there are no plans for its models.
    ColumnsAbsent,
    /// The intervals leave constants open.
    ConstantUndetermined,
    /// A constraint was given for a constant that the form does not have.
    ConstraintUnused,
    /// A run was measured only under a falling learning rate.
    DecayingSchedule,
    /// A contender predicts nothing about the held-out part.
    DoesNotApply,
    /// The place or the number lies outside the data.
    Extrapolation,
    /// A measured run lies below the floor that the law gives it.
    FloorContradicted,
    /// The law's floor lies below the unpruned model's loss.
    FloorFallsWithRate,
    /// Nothing tests how the floor depends on the size.
    FloorUnjudged,
    /// The interval is too wide for a single number.
    IntervalTooWide,
    /// The form is wrong for its own data.
    LackOfFit,
    /// Too few sizes, rates or token counts to determine a constant.
    LevelsTooFew,
    /// A run has points under a falling learning rate and others.
    MixedSchedule,
    /// A new run may never reach the loss.
    NewRunMayMiss,
    /// No finite fit was found.
    NoFit,
    /// There is no interval.
    NoInterval,
    /// One run does not show how runs differ.
    OneRun,
    /// A constant lies at its bound.
    ParameterAtBound,
    /// A run saw text a second time.
    RepeatedData,
    /// Constants were set before the fit.
    SetBeforehand,
    /// Losses of several series are compared.
    SeveralSeries,
    /// An unpruned model is no larger and has no more loss.
    SiblingIsBetter,
    /// Intervals come from simulated data.
    SimulatedIntervals,
    /// A point lies far off its own run.
    SpoiltPoint,
    /// Tokens grow with the size in every run.
    TokensFollowSize,
    /// The data do not show what more tokens gain.
    TokensUntold,
    /// Too few points to judge the constants.
    TooFewPoints,
    /// The limits allow fewer tokens than the data begin with.
    TooFewTokens,
    /// More parameters are kept than allowed.
    TooLarge,
    /// Numbers look as if they were in another unit.
    UnlikelyUnit,
    /// Points of the warm-up are set aside.
    WarmUpLeftOut,
    /// It is unknown whether the method removes weights or sets them to zero.
    ZeroedUntold,
    /// An id from a file of another version, unknown to this one.
    Other(String),
}

/// Every code with its id.
const IDS: [(Code, &str); 36] = [
    (Code::BasesTooFew, "bases-too-few"),
    (Code::BelowBase, "below-base"),
    (Code::BelowFloor, "below-floor"),
    (Code::ChainsApart, "chains-apart"),
    (Code::ColumnsAbsent, "columns-absent"),
    (Code::ConstantUndetermined, "constant-undetermined"),
    (Code::ConstraintUnused, "constraint-unused"),
    (Code::DecayingSchedule, "decaying-schedule"),
    (Code::DoesNotApply, "does-not-apply"),
    (Code::Extrapolation, "extrapolation"),
    (Code::FloorContradicted, "floor-contradicted"),
    (Code::FloorFallsWithRate, "floor-falls-with-rate"),
    (Code::FloorUnjudged, "floor-unjudged"),
    (Code::IntervalTooWide, "interval-too-wide"),
    (Code::LackOfFit, "lack-of-fit"),
    (Code::LevelsTooFew, "levels-too-few"),
    (Code::MixedSchedule, "mixed-schedule"),
    (Code::NewRunMayMiss, "new-run-may-miss"),
    (Code::NoFit, "no-fit"),
    (Code::NoInterval, "no-interval"),
    (Code::OneRun, "one-run"),
    (Code::ParameterAtBound, "parameter-at-bound"),
    (Code::RepeatedData, "repeated-data"),
    (Code::SetBeforehand, "set-beforehand"),
    (Code::SeveralSeries, "several-series"),
    (Code::SiblingIsBetter, "sibling-is-better"),
    (Code::SimulatedIntervals, "simulated-intervals"),
    (Code::SpoiltPoint, "spoilt-point"),
    (Code::TokensFollowSize, "tokens-follow-size"),
    (Code::TokensUntold, "tokens-untold"),
    (Code::TooFewPoints, "too-few-points"),
    (Code::TooFewTokens, "too-few-tokens"),
    (Code::TooLarge, "too-large"),
    (Code::UnlikelyUnit, "unlikely-unit"),
    (Code::WarmUpLeftOut, "warm-up-left-out"),
    (Code::ZeroedUntold, "zeroed-untold"),
];

impl Code {
    /// The kebab-case id.
    pub fn id(&self) -> &str {
        match self {
            Self::Other(id) => id,
            known => IDS.iter().find(|(code, _)| code == known).map_or("", |(_, id)| id),
        }
    }
}

impl From<String> for Code {
    fn from(id: String) -> Self {
        let known = IDS.iter().find(|(_, known)| *known == id).map(|(code, _)| code.clone());
        // An unknown id is kept as it is, so that newer files can still be read and written.
        known.unwrap_or(Self::Other(id))
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.id().to_owned()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` respects a width, which tables need.
        f.pad(self.id())
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, id: &&str) -> bool {
        self.id() == *id
    }
}

impl PartialEq<str> for Code {
    fn eq(&self, id: &str) -> bool {
        self.id() == id
    }
}

/// Adds a code once.
pub(crate) fn mark(codes: &mut Vec<Code>, code: Code) {
    if !codes.contains(&code) {
        codes.push(code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_back_from_its_id() {
        for (code, id) in IDS {
            assert_eq!((code.id(), Code::from(id.to_owned())), (id, code.clone()));
            // The id is the variant's name in kebab case.
            let name = format!("{code:?}").to_lowercase();
            assert_eq!(id.replace('-', ""), name);
        }
        let other: Code = serde_json::from_str("\"of-tomorrow\"").unwrap();
        assert_eq!(other, Code::Other("of-tomorrow".into()));
        assert_eq!(serde_json::to_string(&other).unwrap(), "\"of-tomorrow\"");
    }
}
