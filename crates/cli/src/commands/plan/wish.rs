//! The questions of a plan, from flags.

use std::str::FromStr;

use clap::Args;
use law::Wish;
use law::plan::{Bill, Budget, Machine};

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
    /// What one GPU could do at most, floating-point operations a second: `h100`, or `989T` for
    /// 989e12
    #[arg(long, value_name = "FLOPS")]
    device_peak: Option<Peak>,
    /// The share of the peak that training reaches; Llama 3 was trained at 0.38 to 0.43 (Dubey et
    /// al. 2024)
    #[arg(
        long,
        value_name = "SHARE",
        default_value_t = 0.4,
        requires = "device_peak",
        allow_negative_numbers = true
    )]
    utilisation: f64,
    /// What an hour of one GPU costs, US dollars
    #[arg(long, value_name = "USD", requires = "device_peak", allow_negative_numbers = true)]
    gpu_hour_price: Option<f64>,
    /// Keep no more than this many parameters
    #[arg(long, value_name = "N")]
    pub(super) max_params: Option<Count>,
    /// Train for no more than this many tokens
    #[arg(long, value_name = "N")]
    pub(super) max_tokens: Option<Count>,
    /// The teacher of distilled runs is read from a cache: its forward pass costs nothing more
    #[arg(long)]
    cached_teacher: bool,
}

impl CostFlags {
    pub(super) fn machine(&self) -> anyhow::Result<Option<Machine>> {
        let make = |peak: Peak| Machine::new(peak.0, self.utilisation, self.gpu_hour_price);
        Ok(self.device_peak.map(make).transpose()?)
    }

    /// What tokens of a model with such an untied input embedding cost.
    pub(super) fn bill(&self, embedding: f64) -> anyhow::Result<Bill> {
        Ok(Bill::new(embedding, self.machine()?).with_cached_teacher(self.cached_teacher))
    }

    /// The budget as floating-point operations.
    pub(super) fn flops(&self) -> anyhow::Result<Option<f64>> {
        let machine = self.machine()?;
        Ok(self.budget.map(|budget| budget.flops(machine.as_ref())).transpose()?)
    }
}

/// Common devices, and what each does at most in bf16 without sparsity, teraflops: NVIDIA's data
/// sheets, SXM versions where there are several.
const DEVICES: [(&str, f64); 6] = [
    ("a100", 312.0),
    ("b200", 2250.0),
    ("h100", 989.0),
    ("h200", 989.0),
    ("l40s", 362.0),
    ("rtx4090", 165.0),
];

/// Floating-point operations per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Peak(f64);

impl FromStr for Peak {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_it = |device: &&(&str, f64)| device.0.eq_ignore_ascii_case(text);
        if let Some((_, teraflops)) = DEVICES.iter().find(is_it) {
            return Ok(Self(teraflops * 1e12));
        }
        let (number, unit) = match text.char_indices().last() {
            Some((at, 'G')) => (&text[..at], 1e9),
            Some((at, 'T')) => (&text[..at], 1e12),
            Some((at, 'P')) => (&text[..at], 1e15),
            _ => (text, 1.0),
        };
        let wrong = || {
            let known: Vec<&str> = DEVICES.iter().map(|(name, _)| *name).collect();
            format!(
                "`{text}` is neither a number of operations a second such as 989e12 or 989T, nor a device ({})",
                known.join(", ")
            )
        };
        number.parse::<f64>().map(|number| Self(number * unit)).map_err(|_| wrong())
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
    fn peaks_and_shares_are_read_as_people_write_them() {
        assert_eq!(
            ["989T", "989e12", "0.989P"].map(|text| text.parse::<Peak>().unwrap().0.round()),
            [989e12; 3]
        );
        assert_eq!(["95%", "0.95", "95 %"].map(|text| text.parse::<Share>().unwrap().0), [0.95; 3]);
        for text in ["", "0%", "101%", "nan", "-0.5", "half"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert!("fast".parse::<Peak>().is_err() && "é".parse::<Peak>().is_err());
        assert_eq!("50M".parse(), Ok(RecoveryStart::Tokens(Count(50_000_000))));
        assert!("trained".parse::<RecoveryStart>().unwrap_err().contains("`pruned`"));
    }
}
