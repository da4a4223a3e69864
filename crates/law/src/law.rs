//! A fitted law as `law.json` holds it. `predict` and `plan` need no other file.

use std::collections::BTreeMap;

use ledger::{Estimate, Format, MethodKind, Objective};
use serde::{Deserialize, Serialize};

use crate::error::{Fault, Result};
use crate::fit::Loss;
use crate::fitting::{Bound, Convergence, Profile, Replicate};
use crate::form::{self, Axis, Form, MOST_PARAMETERS};
use crate::identify::Identifiability;
use crate::levels::Levels;
use crate::method::{kind_of, method_and_objective};
use crate::metric::Metrics;
use crate::plan::decision::Plan;
use crate::row::{Row, Scale};
use crate::student;
use crate::uncertainty::{LeftOut, Noise, half_width};
use crate::warning::Warning;

/// The fitted laws of a points table: one for each series, method and objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "LawFile")]
pub struct Law {
    /// The version of the file format.
    pub(crate) format: Format<2>,
    /// The laws.
    pub(crate) groups: Vec<GroupLaw>,
}

/// The law of one series, one method and one objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupLaw {
    /// The model series.
    pub(crate) series: String,
    /// The pruning method.
    pub(crate) method: String,
    /// What training minimised; `None` for the next-token loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) objective: Option<TrainedFor>,
    /// Whether the method sets weights to zero, where its id does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) zeroed: Option<bool>,
    /// The form fitted.
    pub(crate) form: String,
    /// The units of size and tokens in the constants.
    pub(crate) units: Units,
    /// The constants by name, in these units.
    pub(crate) constants: BTreeMap<String, Estimate>,
    /// Constants that were bounded from outside, in these units.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) bounds: BTreeMap<String, Bound>,
    /// The loss function that the fit minimised.
    #[serde(default)]
    pub(crate) loss: Loss,
    /// The minimum of that function. For least squares it is the sum of squared residuals, nats
    /// squared. Format 1 calls it `objective`.
    #[serde(default = "not_read")]
    pub(crate) fit_objective: f64,
    /// How the search ended.
    pub(crate) convergence: Convergence,
    /// How well the law describes the points it was fitted to.
    pub(crate) metrics: Metrics,
    /// The same measures for the last 20 % of each run's checkpoints, from a fit without them. The
    /// baseline of their skill is the better of the last value seen and a power law through each
    /// run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_out: Option<Metrics>,
    /// Points fitted.
    pub(crate) points: usize,
    /// Runs fitted.
    pub(crate) runs: usize,
    /// Which constants the data determine.
    pub(crate) identifiability: Identifiability,
    /// The warnings of this fit.
    pub(crate) warnings: Vec<Warning>,
    /// Smallest and largest value by column, in parameters, tokens and nats.
    pub(crate) ranges: BTreeMap<String, [f64; 2]>,
    /// The probability that an interval contains the true value.
    pub(crate) level: f64,
    /// The refits that intervals are computed from, in these units.
    pub(crate) replicates: Vec<Replicate>,
    /// Laws of the fuller form that describe the data equally well. Empty when the data determine
    /// the constants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) profile: Vec<Profile>,
    /// The noise around the law.
    pub(crate) noise: Noise,
    /// A plan for each size, rate and base of the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) decisions: Vec<Plan>,
    /// The posterior of curves, bases and runs, if it was sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) levels: Option<Levels>,
}

/// What training minimised, as a file names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum TrainedFor {
    Name(String),
    /// Format 1 calls the minimum of the fit `objective`. No law keeps this value.
    Minimum(f64),
}

fn not_read() -> f64 {
    f64::NAN
}

/// The units of size and tokens in a law's constants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Units {
    /// Billions of parameters, billions of tokens.
    #[default]
    Billions,
    /// Parameters and tokens one by one.
    Counts,
}

impl Units {
    /// How many parameters and tokens one unit holds.
    ///
    /// ```
    /// assert_eq!(law::Units::Billions.scale().tokens, 1e9);
    /// ```
    pub fn scale(self) -> Scale {
        match self {
            Self::Billions => Scale::BILLIONS,
            Self::Counts => Scale::COUNTS,
        }
    }
}

impl Law {
    /// The version of the file format.
    pub const FORMAT: Format<2> = Format;

    /// The laws themselves.
    pub fn into_groups(self) -> Vec<GroupLaw> {
        self.groups
    }

    /// The one group of this series and method. Either may be `None` if only one group remains.
    ///
    /// # Errors
    /// If a name is unknown, with the nearest one. If several groups remain, with their names.
    pub fn group(&self, series: Option<&str>, method: Option<&str>) -> Result<&GroupLaw> {
        self.group_for(series, method, None)
    }

    /// As [`Law::group`], of runs trained for this objective; `None` matches any.
    ///
    /// # Errors
    /// Those of [`Law::group`].
    pub fn group_for(
        &self,
        series: Option<&str>,
        method: Option<&str>,
        objective: Option<&str>,
    ) -> Result<&GroupLaw> {
        match self.groups_for(series, method, objective)?[..] {
            [group] => Ok(group),
            [] => Err(Fault::NoGroup.into()),
            ref several => {
                Err(Fault::SeveralGroups { known: labels(several.iter().copied()) }.into())
            }
        }
    }

    /// All groups of this series and method; `None` matches any. The list is never empty.
    ///
    /// # Errors
    /// If a name is unknown, with the nearest one.
    ///
    /// ```
    /// let law: law::Law = serde_json::from_str(r#"{"format": 2, "groups": []}"#).unwrap();
    /// assert_eq!(law.groups_of(None, None).unwrap_err().to_string(), "the law holds no group");
    /// ```
    pub fn groups_of(&self, series: Option<&str>, method: Option<&str>) -> Result<Vec<&GroupLaw>> {
        self.groups_for(series, method, None)
    }

    /// As [`Law::groups_of`], of runs trained for this objective; `None` matches any.
    ///
    /// # Errors
    /// Those of [`Law::groups_of`].
    pub fn groups_for(
        &self,
        series: Option<&str>,
        method: Option<&str>,
        objective: Option<&str>,
    ) -> Result<Vec<&GroupLaw>> {
        let mut found: Vec<&GroupLaw> = self.groups.iter().collect();
        type Name = fn(&GroupLaw) -> &str;
        let of_series: Name = |group| &group.series;
        let of_method: Name = |group| &group.method;
        let names = [
            ("series", series, of_series),
            ("method", method, of_method),
            ("objective", objective, GroupLaw::objective),
        ];
        for (what, wanted, name) in names {
            let Some(wanted) = wanted else { continue };
            let (fits, others): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|group| name(group) == wanted);
            if fits.is_empty() {
                let nearest = others.iter().min_by_key(|group| form::distance(wanted, name(group)));
                let nearest = nearest.ok_or(Fault::NoGroup)?;
                return Err(Fault::UnknownGroup {
                    what,
                    found: wanted.to_owned(),
                    nearest: name(nearest).to_owned(),
                    known: labels(self.groups.iter()),
                }
                .into());
            }
            // The next name is compared within these groups only, so that a method is looked up in
            // its series.
            found = fits;
        }
        if found.is_empty() { Err(Fault::NoGroup.into()) } else { Ok(found) }
    }

    /// Records whether methods zero weights or remove them, where their ids do not say so.
    ///
    /// # Errors
    /// If every method's id already says so, and one of them says the opposite.
    pub fn say_zeroed(&mut self, zeroed: bool) -> Result<()> {
        let mut is_open = false;
        for group in self.groups.iter_mut().filter(|group| group.kind().is_none()) {
            group.zeroed = Some(zeroed);
            is_open = true;
        }
        match is_open {
            true => Ok(()),
            false => {
                // Every id already decides: this only checks that none contradicts.
                let said = |group: &GroupLaw| kind_of(&group.method, Some(zeroed)).map(|_| ());
                self.groups.iter().try_for_each(said)
            }
        }
    }

    /// Checks that all numbers are finite, every form has all its constants and every range
    /// ascends. Every file that is read is checked.
    ///
    /// # Errors
    /// If one of these fails, with the number of the group, counted from 1.
    ///
    /// ```
    /// let error = serde_json::from_str::<law::Law>(r#"{"format": 3, "groups": []}"#).unwrap_err();
    /// assert!(error.to_string().starts_with("format is 3, expected 2"));
    /// ```
    pub fn validate(&self) -> Result<()> {
        for (i, group) in self.groups.iter().enumerate() {
            group.validate().map_err(|problem| Fault::Law { group: i + 1, problem })?;
        }
        Ok(())
    }
}

impl GroupLaw {
    /// Series, method and objective, for people. Next-token loss is left out.
    pub fn label(&self) -> String {
        format!("{} {}", self.series, self.method_and_objective())
    }

    /// The method, and what training minimised where that is not the next-token loss.
    pub fn method_and_objective(&self) -> String {
        method_and_objective(&self.method, Some(self.objective()))
    }

    /// What training minimised: `lm` for the next-token loss.
    pub fn objective(&self) -> &str {
        match &self.objective {
            Some(TrainedFor::Name(objective)) => objective,
            _ => Objective::LM,
        }
    }

    /// What the method does to weights; `None` if neither its id nor the table says so.
    pub fn kind(&self) -> Option<MethodKind> {
        kind_of(&self.method, self.zeroed).ok().flatten()
    }

    /// The form.
    pub fn form(&self) -> Result<&'static dyn Form> {
        form::by_name(&self.form)
    }

    /// The constants in the order of the form.
    pub(crate) fn parameters(&self, form: &dyn Form) -> Vec<f64> {
        // Indexing cannot fail: `validate` has checked that every constant of the form is present.
        form.parameters().iter().map(|parameter| self.constants[parameter.name].value).collect()
    }

    /// The units of size and tokens in this law. A form with units of its own uses those.
    pub fn scale(&self) -> Scale {
        self.form().ok().and_then(|form| form.own_units()).unwrap_or_else(|| self.units.scale())
    }

    /// A row in this law's units.
    pub(crate) fn row(&self, row: &Row) -> Row {
        row.divided_by(&self.scale())
    }

    /// The law of each refit, without intervals, and what was left out of its data.
    pub fn refits(&self) -> impl Iterator<Item = (&LeftOut, Self)> {
        // Replicates and plans of the whole fit do not hold for a refit.
        let bare =
            Self { replicates: Vec::new(), decisions: Vec::new(), levels: None, ..self.clone() };
        self.replicates.iter().map(move |replicate| {
            let estimate = |(name, value): (&String, &f64)| (name.clone(), Estimate::bare(*value));
            let constants = replicate.constants.iter().map(estimate).collect();
            (&replicate.left_out, Self { constants, ..bare.clone() })
        })
    }

    /// A quantity at the fitted constants, and half the width of its interval.
    pub(crate) fn spread(
        &self,
        form: &dyn Form,
        quantity: impl Fn(&[f64]) -> Option<f64>,
    ) -> Option<(f64, Option<f64>)> {
        // A refit without the quantity makes the width unknown: see `half_width`.
        let finite = |parameters: &[f64]| quantity(parameters).filter(|x| x.is_finite());
        let value = finite(&self.parameters(form))?;
        let refits = self.replicates.iter().map(|replicate| {
            let parameters: Vec<f64> = form
                .parameters()
                .iter()
                .map(|parameter| replicate.constants[parameter.name])
                .collect();
            (&replicate.left_out, finite(&parameters))
        });
        Some((value, half_width(value, refits, self.level, self.degrees())))
    }

    /// Degrees of freedom for intervals from simulated data. Points of one run err together, so
    /// runs are counted. With one run only its points are left to count.
    pub(crate) fn degrees(&self) -> usize {
        match self.runs {
            0 | 1 => self.points.saturating_sub(self.constants.len()).max(1),
            runs => runs - 1,
        }
    }

    /// Half the width of the interval for a point of a new run on a new base. `mean_half` is that
    /// of the mean curve. `None` with one run, because one run does not show how runs differ.
    pub(crate) fn new_run_half(&self, mean_half: f64) -> Option<f64> {
        (self.runs > 1).then_some(())?;
        let left_out = |kind: fn(&LeftOut) -> bool| {
            self.replicates.iter().filter(|replicate| kind(&replicate.left_out)).count()
        };
        let t = |left_out: usize| {
            // The degrees of a deviation follow from the groups that it was estimated from.
            let degrees = if left_out > 1 { left_out - 1 } else { self.degrees() };
            student::two_sided(self.level, degrees)
        };
        let [of_runs, of_bases] = [
            t(left_out(|l| matches!(l, LeftOut::Run(_)))),
            t(left_out(|l| matches!(l, LeftOut::Base(_)))),
        ];
        let Noise { run, base, point, .. } = self.noise;
        let square = |t: f64, deviation: Option<f64>| (t * deviation.unwrap_or(0.0)).powi(2);
        // Independent errors add in squares, each at its own quantile `t`.
        let variance = mean_half.powi(2)
            + square(of_runs, run)
            + square(of_runs, point)
            + square(of_bases, base);
        Some(variance.sqrt())
    }

    fn validate(&self) -> std::result::Result<(), String> {
        let form = self.form().map_err(|error| error.to_string())?;
        kind_of(&self.method, self.zeroed).map_err(|error| error.to_string())?;
        if !(0.0 < self.level && self.level < 1.0) {
            return Err(format!(
                "`level` is {}, expected a probability between 0 and 1",
                self.level
            ));
        }
        let estimates: BTreeMap<String, f64> =
            self.constants.iter().map(|(name, estimate)| (name.clone(), estimate.value)).collect();
        complete(form, &estimates, "constants")?;
        for replicate in &self.replicates {
            complete(form, &replicate.constants, "replicates")?;
        }
        for profile in &self.profile {
            let form = form::by_name(&profile.form).map_err(|error| error.to_string())?;
            complete(form, &profile.constants, "profile")?;
        }
        for axis in [Axis::N0, Axis::Rate, Axis::Tokens] {
            // A form that does not read an axis may come from a table without that column.
            let needed = form.axes().contains(&axis);
            let column = axis.name();
            match self.ranges.get(column) {
                None if !needed => {}
                Some([min, max]) if 0.0 < *min && min <= max && max.is_finite() => {}
                Some(range) => {
                    return Err(format!(
                        "range of `{column}` is {range:?}, expected two ascending numbers"
                    ));
                }
                None => return Err(format!("there is no range of `{column}`")),
            }
        }
        if let Some(levels) = &self.levels {
            levels.validate()?;
        }
        // A fit may end at an infinite number, which JSON cannot hold.
        let noise = [self.noise.run, self.noise.base, self.noise.point, self.noise.autocorrelation];
        let numbers =
            noise.into_iter().flatten().chain([self.fit_objective, self.convergence.gradient]);
        match numbers.into_iter().find(|number| !number.is_finite()) {
            Some(number) => Err(format!("a number is {number}, expected a finite one")),
            None => Ok(()),
        }
    }
}

/// The groups by name: `` `llama` by `depth-list` ``, and `` for `distil` `` where that is known.
fn labels<'a>(groups: impl Iterator<Item = &'a GroupLaw>) -> String {
    let label = |group: &GroupLaw| {
        let label = format!("`{}` by `{}`", group.series, group.method);
        match group.objective.is_some() {
            true => format!("{label} for `{}`", group.objective()),
            false => label,
        }
    };
    groups.map(label).collect::<Vec<_>>().join(", ")
}

/// Checks that exactly the constants of the form are present, and finite.
fn complete(
    form: &dyn Form,
    constants: &BTreeMap<String, f64>,
    place: &str,
) -> std::result::Result<(), String> {
    assert!(form.parameters().len() <= MOST_PARAMETERS, "`{}` has too many constants", form.name());
    for parameter in form.parameters() {
        match constants.get(parameter.name) {
            Some(value) if value.is_finite() => {}
            Some(value) => {
                return Err(format!(
                    "`{}` in `{place}` is {value}, expected a finite number",
                    parameter.name
                ));
            }
            None => {
                return Err(format!(
                    "`{}` is missing in `{place}`, form `{}` needs it",
                    parameter.name,
                    form.name()
                ));
            }
        }
    }
    // An extra name means that the file belongs to another form.
    match constants.keys().find(|name| form.position(name).is_none()) {
        Some(name) => {
            Err(format!("`{name}` in `{place}` is no constant of form `{}`", form.name()))
        }
        None => Ok(()),
    }
}

// Reading goes through this type, so that every law that is read is also checked.
#[derive(Deserialize)]
struct LawFile {
    format: Readable,
    groups: Vec<GroupLaw>,
}

/// Format 1 is format 2 without `levels`.
#[derive(Deserialize)]
#[serde(try_from = "FormatNumber")]
struct Readable;

#[derive(Deserialize)]
#[serde(transparent)]
struct FormatNumber(u32);

impl TryFrom<FormatNumber> for Readable {
    type Error = String;

    fn try_from(FormatNumber(found): FormatNumber) -> std::result::Result<Self, String> {
        match found {
            1 | 2 => Ok(Self),
            _ => Err(format!("format is {found}, expected 2 (1 is read too)")),
        }
    }
}

impl TryFrom<LawFile> for Law {
    type Error = String;

    fn try_from(file: LawFile) -> std::result::Result<Self, String> {
        let LawFile { format: Readable, mut groups } = file;
        for (i, group) in groups.iter_mut().enumerate() {
            match group.objective {
                Some(TrainedFor::Minimum(minimum)) if group.fit_objective.is_nan() => {
                    (group.fit_objective, group.objective) = (minimum, None);
                }
                Some(TrainedFor::Minimum(number)) => {
                    let expected = "the name of what training minimised";
                    return Err(format!(
                        "group {}: `objective` is {number}, expected {expected}",
                        i + 1
                    ));
                }
                _ if group.fit_objective.is_nan() => {
                    return Err(format!("group {}: `fit_objective` is missing", i + 1));
                }
                _ => {}
            }
        }
        let law = Law { format: Self::FORMAT, groups };
        law.validate().map_err(|error| error.to_string())?;
        Ok(law)
    }
}

impl Law {
    /// The version of the file format.
    pub fn format(&self) -> Format<2> {
        self.format
    }

    /// The laws.
    pub fn groups(&self) -> &[GroupLaw] {
        &self.groups
    }
}
