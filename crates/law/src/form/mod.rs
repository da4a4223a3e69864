//! Forms: formulas with unknown constants. A file and a line in [`FORMS`] each.
//!
//! A form says how its constants enter. Those that enter linearly come first in
//! [`Form::parameters`]: for given exponents they are found exactly, so only the exponents are
//! searched.

mod chinchilla;
mod compression;
mod family;
mod p2;
mod pruning;
mod shifted;
mod sparsity;

pub use p2::{Floor, P2, TokenTerm};

use crate::row::{Row, Scale};
use crate::{Error, Result};

/// A formula for the loss with unknown constants.
///
/// ```
/// use law::{Row, form};
/// let chinchilla = form::by_name("chinchilla")?;
/// let names: Vec<&str> = chinchilla.parameters().iter().map(|parameter| parameter.name).collect();
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
    fn parameters(&self) -> &'static [Parameter];

    /// What a table must hold for this form.
    fn columns(&self) -> &'static [Column];

    /// The part of the loss that no constant touches.
    fn offset(&self, row: &Row) -> f64 {
        row.loss0
    }

    /// What each linear constant is multiplied by.
    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]);

    /// The derivative of the loss by each constant.
    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]);

    /// The loss at a row.
    fn value(&self, parameters: &[f64], row: &Row) -> f64 {
        let (constants, exponents) = parameters.split_at(self.linear());
        let mut basis = [0.0; MOST_PARAMETERS];
        self.basis(exponents, row, &mut basis[..constants.len()]);
        self.offset(row)
            + constants.iter().zip(&basis).map(|(constant, x)| constant * x).sum::<f64>()
    }

    /// Turns constants that hold for variables divided by `scale` into those for the variables
    /// themselves.
    fn rescale(&self, parameters: &mut [f64], scale: &Scale);

    /// The units that the formula itself is bound to: it is fitted, kept and evaluated in these
    /// alone.
    fn own_units(&self) -> Option<Scale> {
        None
    }

    /// The position of `beta` in a form whose derivatives are, within one run, linear in
    /// `1`, `D^-beta` and `D^-beta ln D`. Such a form also has [`Form::along_run`].
    fn token_exponent(&self) -> Option<usize> {
        None
    }

    /// By constant: the coefficients of the derivative on `1`, `D^-beta` and `D^-beta ln D`, the
    /// same for a whole run.
    fn along_run(&self, parameters: &[f64], row: &Row, out: &mut [[f64; 3]]) {
        let _ = (parameters, row, out);
        unreachable!("only a form with a token exponent is asked for it");
    }

    /// How many constants are linear.
    fn linear(&self) -> usize {
        self.parameters().iter().filter(|parameter| parameter.role == Role::Constant).count()
    }

    /// The position of a constant by its name.
    fn position(&self, name: &str) -> Option<usize> {
        self.parameters().iter().position(|parameter| parameter.name == name)
    }
}

/// More constants than any form may have: work space is this large.
pub const MOST_PARAMETERS: usize = 9;

/// How a constant enters a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Linearly.
    Constant,
    /// In any other way; for the laws here, as an exponent.
    Exponent,
}

/// A constant of a form and where it may lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// The name in files.
    pub name: &'static str,
    /// How it enters.
    pub role: Role,
    /// The least value. For a constant 0 or minus infinity.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// Values nearer to 0 than this are left out.
    pub gap: f64,
    /// The bounds hold for the sum with this other exponent, not for the value alone.
    pub sum_with: Option<&'static str>,
    /// Between which values starts are spread.
    pub start: (f64, f64),
    /// Whether starts are spread evenly in the logarithm.
    pub log_start: bool,
}

/// A column of a points table that a form reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// `n0`.
    N0,
    /// `rate`.
    Rate,
    /// `loss0`.
    Loss0,
    /// `tokens`.
    Tokens,
}

impl Column {
    /// Every column that a form may read, in the order of a table.
    pub const ALL: [Self; 4] = [Self::N0, Self::Rate, Self::Loss0, Self::Tokens];

    /// The name in a table.
    ///
    /// ```
    /// let columns = law::form::by_name("chinchilla")?.columns();
    /// assert_eq!(columns.iter().map(|column| column.name()).collect::<Vec<_>>(), ["n0", "tokens"]);
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::N0 => "n0",
            Self::Rate => "rate",
            Self::Loss0 => "loss0",
            Self::Tokens => "tokens",
        }
    }
}

/// Every form.
///
/// ```
/// assert!(law::form::FORMS.iter().any(|form| form.name() == "p2"));
/// ```
pub static FORMS: &[&dyn Form] = &family::ALL;

/// The form of a name; an unknown name is answered with the nearest.
///
/// ```
/// assert_eq!(law::form::by_name("p2")?.parameters().len(), 7);
/// let error = law::form::by_name("p2-no-dleta").err().unwrap();
/// assert_eq!(error.to_string(), "there is no form `p2-no-dleta`; the nearest is `p2-no-delta`");
/// # Ok::<(), law::Error>(())
/// ```
pub fn by_name(name: &str) -> Result<&'static dyn Form> {
    let found = FORMS.iter().find(|form| form.name() == name);
    found.copied().ok_or_else(|| {
        let nearest = FORMS.iter().min_by_key(|form| distance(name, form.name()));
        Error::UnknownForm {
            found: name.to_owned(),
            nearest: nearest.map_or("p2", |form| form.name()),
        }
    })
}

/// Letters to change, add or drop to come from one word to the other (Levenshtein). Only the start
/// of a long name is looked at: it may come from a file, and the time grows with its length.
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let start: String = from.chars().take(64).collect();
    strsim::levenshtein(&start, to)
}
