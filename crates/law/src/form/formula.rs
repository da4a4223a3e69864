//! What a form is: a formula for the loss, its constants, and the axes that it depends on.

use super::axis::{Axis, Follows, Grid};
use crate::row::{Row, Scale};

/// A formula for the loss with unknown constants.
///
/// ```
/// use law::{Row, form};
/// let chinchilla = form::by_name("chinchilla")?;
/// let names: Vec<&str> = chinchilla.parameters().iter().map(|parameter| parameter.name()).collect();
/// assert_eq!((names.join(" ").as_str(), chinchilla.linear()), ("A B E alpha beta", 3));
/// // 1 billion parameters, a fifth of them pruned, after 2 billion tokens.
/// let (constants, row) = ([0.6, 0.4, 1.8, 0.35, 0.37], Row::new(1.0, 0.2, 2.2, 2.0));
/// let loss = chinchilla.value(&constants, &row);
/// assert!((loss - (1.8 + 0.6 * 0.8_f64.powf(-0.35) + 0.4 * 2.0_f64.powf(-0.37))).abs() < 1e-12);
/// let mut gradient = [0.0; 5];
/// chinchilla.gradient(&constants, &row, &mut gradient);
/// assert_eq!(gradient[2], 1.0); // by E
/// # Ok::<(), law::Error>(())
/// ```
pub trait Form: Sync {
    /// The name in files and flags.
    fn name(&self) -> &'static str;

    /// The formula as plain text.
    fn formula(&self) -> &'static str;

    /// The formula as LaTeX.
    fn latex(&self) -> &'static str;

    /// The constants: the linear ones first, then the exponents.
    fn parameters(&self) -> &[Parameter];

    /// The axes that it reads. A table must have these columns.
    fn axes(&self) -> &'static [Axis];

    /// How the loss depends on an axis.
    fn follows(&self, axis: Axis) -> Follows {
        match self.axes().contains(&axis) {
            true => Follows::Curve,
            false => Follows::Not,
        }
    }

    /// The form to fit instead if the data have only these levels. `None` if this form has no
    /// substitute.
    fn reduces_to(&self, levels: Grid) -> Option<&'static dyn Form> {
        // The parameter has a name for the documentation; only the P2 family uses it.
        let _ = levels;
        None
    }

    /// The form with separate constants where this one has a single constant, because two levels
    /// cannot tell them apart.
    fn fuller(&self) -> Option<&'static dyn Form> {
        None
    }

    /// The part of the loss that no constant changes.
    fn offset(&self, row: &Row) -> f64 {
        row.loss0
    }

    /// The factors of the linear constants.
    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]);

    /// The derivative of the loss by each constant.
    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]);

    /// The loss at a row.
    fn value(&self, parameters: &[f64], row: &Row) -> f64 {
        let (constants, exponents) = parameters.split_at(self.linear());
        // On the stack, because this runs for every point of every step.
        let mut basis = [0.0; MOST_PARAMETERS];
        self.basis(exponents, row, &mut basis[..constants.len()]);
        self.offset(row)
            + constants.iter().zip(&basis).map(|(constant, x)| constant * x).sum::<f64>()
    }

    /// Converts constants for variables divided by `scale` into constants for the variables
    /// themselves.
    fn rescale(&self, parameters: &mut [f64], scale: &Scale);

    /// The units of the formula itself, if it has any. Such a form is fitted, stored and evaluated
    /// in these units only.
    fn own_units(&self) -> Option<Scale> {
        None
    }

    /// The position of `beta`, if within one run all derivatives are linear in `1`, `D^-beta` and
    /// `D^-beta ln D`. Such a form also has [`Form::along_run`].
    fn token_exponent(&self) -> Option<usize> {
        None
    }

    /// For each constant, the coefficients of its derivative on `1`, `D^-beta` and `D^-beta ln D`.
    /// They are the same for a whole run.
    fn along_run(&self, parameters: &[f64], row: &Row, out: &mut [[f64; 3]]) {
        // Not reached: `token_exponent` is `None` for such a form.
        let _ = (parameters, row, out);
        unreachable!("only a form with a token exponent is asked for it");
    }

    /// How many constants are linear.
    fn linear(&self) -> usize {
        self.parameters().iter().filter(|parameter| !parameter.is_exponent).count()
    }

    /// The position of a constant by its name.
    fn position(&self, name: &str) -> Option<usize> {
        self.parameters().iter().position(|parameter| parameter.name == name)
    }
}

impl PartialEq for dyn Form + '_ {
    /// Forms are equal if their names are.
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// The most constants that a form may have. Work space has this size.
pub const MOST_PARAMETERS: usize = 9;

/// A constant of a form, with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    pub(crate) name: &'static str,
    /// Whether it enters other than linearly. In the forms here it is then an exponent.
    pub(crate) is_exponent: bool,
    /// The lower bound; for a linear constant 0 or minus infinity.
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Values closer to 0 than this are excluded.
    pub(crate) gap: f64,
    /// If set, the bounds hold for the sum with this exponent, not for the value itself.
    pub(crate) sum_with: Option<&'static str>,
    /// The range in which searches start.
    pub(crate) start: (f64, f64),
    /// Whether starts are spread evenly in the logarithm.
    pub(crate) log_start: bool,
}

impl Parameter {
    /// The name in files.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is an exponent. All others enter linearly.
    pub fn is_exponent(&self) -> bool {
        self.is_exponent
    }

    /// A linear constant with its lower bound: 0 or minus infinity.
    pub const fn linear(name: &'static str, min: f64) -> Self {
        Self {
            name,
            is_exponent: false,
            min,
            max: f64::INFINITY,
            gap: 0.0,
            sum_with: None,
            start: (0.0, 0.0),
            log_start: false,
        }
    }

    /// An exponent with its bounds and the range of its starts, evenly spread in the logarithm or
    /// not.
    pub const fn exponent(
        name: &'static str,
        bounds: (f64, f64),
        start: (f64, f64),
        log_start: bool,
    ) -> Self {
        Self {
            name,
            is_exponent: true,
            min: bounds.0,
            max: bounds.1,
            gap: 0.0,
            sum_with: None,
            start,
            log_start,
        }
    }
}
