//! The device that hours are counted for.

use std::str::FromStr;

use clap::Args;
use law::plan::Machine;

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct MachineFlags {
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
}

impl MachineFlags {
    /// The machine, if one is named.
    pub(crate) fn machine(&self) -> anyhow::Result<Option<Machine>> {
        let make = |peak: Peak| Machine::new(peak.0, self.utilisation, self.gpu_hour_price);
        Ok(self.device_peak.map(make).transpose()?)
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
struct Peak(f64);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_read_as_people_write_them() {
        let peaks = ["989T", "989e12", "0.989P", "h100"].map(|text| text.parse::<Peak>().unwrap());
        assert_eq!(peaks.map(|peak| peak.0.round()), [989e12; 4]);
        assert!("fast".parse::<Peak>().is_err() && "é".parse::<Peak>().is_err());
    }
}
