//! Constants that are known beforehand: `--fix` and `--bound`.

use std::str::FromStr;

use clap::Args;
use law::Scale;
use law::fit::Constraints;

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is known beforehand")]
pub(crate) struct KnownFlags {
    /// Set a constant of the form, in the units of `--units`: `gamma=-1.2`
    #[arg(long, value_name = "NAME=VALUE")]
    fix: Vec<FixedFlag>,
    /// Hold a constant of the form between two ends, in the units of `--units`; either may be left
    /// out: `E=0..`
    #[arg(long, value_name = "NAME=LOW..HIGH")]
    bound: Vec<BoundFlag>,
}

#[derive(Clone, Debug, PartialEq)]
struct FixedFlag {
    name: String,
    value: f64,
}

#[derive(Clone, Debug, PartialEq)]
struct BoundFlag {
    name: String,
    ends: [f64; 2],
}

impl KnownFlags {
    /// The constraints from the flags, in these units.
    pub(crate) fn constraints(&self, units: Scale) -> law::Result<Constraints> {
        let mut constraints = Constraints::new(units);
        for FixedFlag { name, value } in &self.fix {
            constraints = constraints.fix(name, *value)?;
        }
        for BoundFlag { name, ends: [low, high] } in &self.bound {
            constraints = constraints.bound(name, *low, *high)?;
        }
        Ok(constraints)
    }
}

impl FromStr for FixedFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no NAME=VALUE such as gamma=-1.2");
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self { name: name.trim().to_owned(), value: number(value).ok_or_else(wrong)? })
    }
}

impl FromStr for BoundFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no NAME=LOW..HIGH such as beta=0.1..1 or E=0..");
        let (name, ends) = text.split_once('=').ok_or_else(wrong)?;
        let (low, high) = ends.split_once("..").ok_or_else(wrong)?;
        // An end that is left out is infinite.
        let end = |text: &str, open: f64| match text.trim() {
            "" => Ok(open),
            text => number(text).ok_or_else(wrong),
        };
        let ends = [end(low, f64::NEG_INFINITY)?, end(high, f64::INFINITY)?];
        Ok(Self { name: name.trim().to_owned(), ends })
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|x: &f64| x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_read_as_people_write_them() {
        let fixed = |text: &str| text.parse::<FixedFlag>();
        assert_eq!(fixed("gamma=-1.2"), Ok(FixedFlag { name: "gamma".into(), value: -1.2 }));
        for wrong in ["gamma", "gamma=", "gamma=a", "gamma=inf", "gamma=nan", ""] {
            assert!(fixed(wrong).unwrap_err().contains("no NAME=VALUE"), "{wrong}");
        }
        let ends = |text: &str| text.parse::<BoundFlag>().map(|bound| bound.ends);
        assert_eq!(ends("beta=0.1..1"), Ok([0.1, 1.0]));
        assert_eq!(ends("E=-1e-3.."), Ok([-1e-3, f64::INFINITY]));
        assert_eq!(ends("E=..0.5"), Ok([f64::NEG_INFINITY, 0.5]));
        for wrong in ["beta", "beta=1", "beta=a..1", "beta=0..nan", "beta=0...1.2.3"] {
            assert!(ends(wrong).unwrap_err().contains("no NAME=LOW..HIGH"), "{wrong}");
        }
    }
}
