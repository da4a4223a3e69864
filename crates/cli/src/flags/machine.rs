//! The device that hours are counted for.

use clap::Args;
use law::plan::{Machine, Peak};

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
