//! The questions of a plan, from flags.

use std::str::FromStr;

use clap::Args;
use law::Wish;
use law::plan::{Bill, Budget, Limits};

use crate::flags::machine::MachineFlags;
use regrow::count::Count;

/// When tokens are enough.
#[derive(Debug, Args)]
pub(crate) struct WishFlags {
    /// Enough is where doubling the tokens buys less than this
    #[arg(long, value_name = "NATS", default_value_t = Wish::default().doubling_gain, allow_negative_numbers = true)]
    doubling_gain: f64,
    /// Enough is also where a million more tokens buy less than this
    #[arg(long, value_name = "NATS", allow_negative_numbers = true)]
    min_gain: Option<f64>,
    /// Say how many tokens this loss takes, nats per token
    #[arg(long, value_name = "NATS", allow_negative_numbers = true)]
    target_loss: Option<f64>,
}

impl WishFlags {
    pub(crate) fn wish(&self) -> Wish {
        Wish {
            doubling_gain: self.doubling_gain,
            min_gain: self.min_gain,
            target_loss: self.target_loss,
            ..Wish::default()
        }
    }
}

/// What may be spent, and what a token costs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cost and limits")]
pub(super) struct CostFlags {
    /// Spend no more than this: `1e21flop`, `300gpu-hours` or `500usd`
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<Budget>,
    #[command(flatten)]
    machine: MachineFlags,
    /// Keep no more than this many parameters
    #[arg(long, value_name = "N")]
    max_params: Option<Count>,
    /// Train for no more than this many tokens
    #[arg(long, value_name = "N")]
    max_tokens: Option<Count>,
    /// The teacher of distilled runs is read from a cache: its forward pass costs nothing more
    #[arg(long)]
    cached_teacher: bool,
}

impl CostFlags {
    /// What tokens cost; each candidate adds its own embedding.
    pub(super) fn bill(&self) -> anyhow::Result<Bill> {
        Ok(Bill::new(0.0, self.machine.machine()?).with_cached_teacher(self.cached_teacher))
    }

    /// What may be kept, trained on and spent at most.
    pub(super) fn limits(&self) -> anyhow::Result<Limits> {
        let machine = self.machine.machine()?;
        Ok(Limits {
            parameters: self.max_params.map(|count| count.0 as f64),
            tokens: self.max_tokens.map(|count| count.0 as f64),
            flops: self.budget.map(|budget| budget.flops(machine.as_ref())).transpose()?,
        })
    }
}

/// A share as people write it: `95%` or `0.95`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share(pub(super) f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) =
            // `95 %` with a space is also accepted.
            text.strip_suffix('%').map_or((text, 1.0), |number| (number.trim_end(), 100.0));
        let share = number.parse::<f64>().ok().map(|number| number / unit);
        // NaN fails both comparisons, so it is refused too.
        let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
        share.map(Self).ok_or_else(|| format!("`{text}` is no share such as 95% or 0.95"))
    }
}

/// Where a recovery begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum RecoveryStart {
    /// Right after pruning.
    Pruned,
    /// After so many tokens.
    Tokens(Count),
}

impl FromStr for RecoveryStart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pruned" => Ok(Self::Pruned),
            text => text
                .parse()
                .map(Self::Tokens)
                .map_err(|error| format!("{error}, nor is it `pruned`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_people_write_them() {
        assert_eq!(["95%", "0.95", "95 %"].map(|text| text.parse::<Share>().unwrap().0), [0.95; 3]);
        for text in ["", "0%", "101%", "nan", "-0.5", "half"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!("50M".parse(), Ok(RecoveryStart::Tokens(Count(50_000_000))));
        assert!("trained".parse::<RecoveryStart>().unwrap_err().contains("`pruned`"));
    }
}
