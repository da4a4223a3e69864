//! What tokens cost: operations, machine hours, money.
//!
//! One token of post-training takes about six floating-point operations for each multiplied
//! parameter. That counts forward and backward, without attention scores (Kaplan et al. 2020). An
//! input embedding that is not tied to the output is looked up, not multiplied. Zeroed weights are
//! still multiplied.
//!
//! Training against a teacher also takes the teacher's forward pass, two operations for each of its
//! multiplied parameters. The teacher is the model before pruning. What a cached teacher gives was
//! computed beforehand and costs nothing here.

use std::fmt;
use std::str::FromStr;

use ledger::{MethodKind, Objective};
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use crate::error::{Error, Fault, Result};
use crate::place::Place;

/// Floating-point operations per parameter and token of training: two forward, four backward.
const PER_PARAMETER: f64 = 6.0;
/// The same of a teacher's forward pass.
const FORWARD: f64 = 2.0;
const SECONDS_AN_HOUR: f64 = 3600.0;

/// One GPU, or whatever device the hours are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The peak, floating-point operations per second.
    pub(crate) peak: f64,
    /// The share of the peak that training reaches.
    pub(crate) utilisation: f64,
    /// The price of an hour, US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hour_price: Option<f64>,
}

/// What a token of one model costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bill {
    embedding: f64,
    machine: Option<Machine>,
    cached_teacher: bool,
}

/// An amount of work, of machine hours or of money.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// Floating-point operations.
    Flops(f64),
    /// Hours of one machine.
    GpuHours(f64),
    /// US dollars.
    Usd(f64),
}

/// What something costs. Unknown values are left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub(crate) flops: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gpu_hours: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) usd: Option<f64>,
}

impl Cost {
    /// Floating-point operations.
    pub fn flops(&self) -> f64 {
        self.flops
    }

    /// Hours of one machine.
    pub fn gpu_hours(&self) -> Option<f64> {
        self.gpu_hours
    }

    /// US dollars.
    pub fn usd(&self) -> Option<f64> {
        self.usd
    }
}

/// What an uncertain number of tokens costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spend {
    /// Floating-point operations.
    pub flops: Amount,
    /// Hours of one machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_hours: Option<Amount>,
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<Amount>,
}

/// Parameters of a pruned model, including zeroed ones.
///
/// ```
/// use ledger::MethodKind;
/// let place = law::Place::new(8e9, 0.25, 2.0)?;
/// assert_eq!(law::plan::held_parameters(&place, MethodKind::Removes), 6e9);
/// assert_eq!(law::plan::held_parameters(&place, MethodKind::Zeroes), 8e9);
/// # Ok::<(), law::Error>(())
/// ```
pub fn held_parameters(place: &Place, kind: MethodKind) -> f64 {
    match kind {
        MethodKind::Removes => place.n0 * (1.0 - place.rate),
        // Zeroed weights are still stored.
        MethodKind::Zeroes => place.n0,
    }
}

/// Parameters that each token is multiplied by: those held, without an untied input embedding.
///
/// # Errors
/// If the embedding is negative, not a number, or not smaller than the parameters held.
pub fn multiplied_parameters(place: &Place, kind: MethodKind, embedding: f64) -> Result<f64> {
    let held = held_parameters(place, kind);
    // This refuses NaN too, which lies in no range.
    if !(0.0..held).contains(&embedding) {
        let expected = "from 0 to below the parameters that are left";
        return Err(Fault::Setting { name: "embedding", found: embedding, expected }.into());
    }
    Ok(held - embedding)
}

impl Machine {
    /// Checks the numbers and makes a machine.
    ///
    /// ```
    /// // 989 teraflops at 40 %, two dollars an hour.
    /// let machine = law::plan::Machine::new(989e12, 0.4, Some(2.0))?;
    /// assert_eq!(machine.hours(989e12 * 0.4 * 3600.0), 1.0);
    /// let error = law::plan::Machine::new(989e12, 40.0, None).unwrap_err();
    /// assert_eq!(error.to_string(), "`utilisation` is 40, expected above 0 and at most 1");
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn new(peak: f64, utilisation: f64, hour_price: Option<f64>) -> Result<Self> {
        let refuse = |name, found, expected| Err(Fault::Setting { name, found, expected }.into());
        match hour_price {
            _ if !(1.0..=1e30).contains(&peak) => {
                refuse("device-peak", peak, "from 1 to 1e30 floating-point operations a second")
            }
            _ if !(utilisation > 0.0 && utilisation <= 1.0) => {
                refuse("utilisation", utilisation, "above 0 and at most 1")
            }
            Some(price) if !(price > 0.0 && price <= 1e12) => {
                refuse("gpu-hour-price", price, "above 0 and at most 1e12 US dollars")
            }
            _ => Ok(Self { peak, utilisation, hour_price }),
        }
    }

    /// The hours that this many floating-point operations take.
    pub fn hours(&self, flops: f64) -> f64 {
        flops / (self.peak * self.utilisation) / SECONDS_AN_HOUR
    }
}

impl Bill {
    /// A bill for a model with `embedding` parameters in an untied input embedding, which cost
    /// nothing; 0 if it is tied or unknown. Without a machine, costs have neither hours nor money.
    pub fn new(embedding: f64, machine: Option<Machine>) -> Self {
        Self { embedding, machine, cached_teacher: false }
    }

    /// Says that a teacher's distributions are read from a cache.
    #[must_use]
    pub fn with_cached_teacher(self, cached_teacher: bool) -> Self {
        Self { cached_teacher, ..self }
    }

    /// The same bill for another embedding.
    pub(super) fn with_embedding(self, embedding: f64) -> Self {
        Self { embedding, ..self }
    }

    /// The floating-point operations of one token of training for this objective.
    ///
    /// # Errors
    /// If the embedding is not smaller than the parameters that are left.
    pub fn flops_per_token(&self, place: &Place, kind: MethodKind, objective: &str) -> Result<f64> {
        let trained = PER_PARAMETER * multiplied_parameters(place, kind, self.embedding)?;
        let taught = Objective::has_teacher(objective) && !self.cached_teacher;
        // The embedding is smaller than what is left of the model, so this is positive.
        Ok(trained + if taught { FORWARD * (place.n0 - self.embedding) } else { 0.0 })
    }

    /// The cost of this many floating-point operations.
    pub fn cost(&self, flops: f64) -> Cost {
        let gpu_hours = self.machine.map(|machine| machine.hours(flops));
        let price = self.machine.and_then(|machine| machine.hour_price);
        Cost { flops, gpu_hours, usd: gpu_hours.zip(price).map(|(hours, price)| hours * price) }
    }

    /// The same for an uncertain number of them.
    pub(super) fn spend(&self, flops: Amount) -> Spend {
        // Costs are proportional to operations, so the cost of one is enough.
        let one = self.cost(1.0);
        let times = |factor: f64| flops.times(factor);
        Spend { flops, gpu_hours: one.gpu_hours.map(times), usd: one.usd.map(times) }
    }
}

impl Budget {
    /// The floating-point operations that the budget buys.
    ///
    /// # Errors
    /// If it is in hours or money, and the speed or the price of the machine is unknown.
    ///
    /// ```
    /// use law::plan::{Budget, Machine};
    /// let machine = Machine::new(1e15, 0.5, Some(2.0))?;
    /// let hours: Budget = "10gpu-hours".parse().unwrap();
    /// assert_eq!(hours.flops(Some(&machine))?, 1e15 * 0.5 * 36_000.0);
    /// let money: Budget = "20usd".parse().unwrap();
    /// assert_eq!(money.flops(Some(&machine))?, hours.flops(Some(&machine))?);
    /// assert_eq!(hours.flops(None).unwrap_err().to_string(), "a budget of 10 GPU-hours needs the peak of the device");
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn flops(&self, machine: Option<&Machine>) -> Result<f64> {
        let need = |missing| Error::from(Fault::Unpriced { budget: self.to_string(), missing });
        let of_hours = |hours: f64| -> Result<f64> {
            let machine = machine.ok_or_else(|| need("the peak of the device"))?;
            Ok(hours * SECONDS_AN_HOUR * machine.peak * machine.utilisation)
        };
        let flops = match *self {
            Self::Flops(flops) => flops,
            Self::GpuHours(hours) => of_hours(hours)?,
            // Money buys hours, and hours buy operations.
            Self::Usd(usd) => {
                let price = machine.and_then(|machine| machine.hour_price);
                of_hours(
                    usd / price.ok_or_else(|| {
                        need("the peak of the device and the price of a GPU-hour")
                    })?,
                )?
            }
        };
        match flops > 0.0 && flops <= 1e40 {
            true => Ok(flops),
            false => {
                let expected = "above 0 and at most 1e40 floating-point operations";
                Err(Fault::Setting { name: "budget", found: flops, expected }.into())
            }
        }
    }
}

impl FromStr for Budget {
    type Err = String;

    /// Reads `1e21flop`, `300gpu-hours` or `500usd`, with or without a space.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("`{text}` is no budget such as 1e21flop, 300gpu-hours or 500usd");
        let lower = text.trim().to_ascii_lowercase();
        type Make = fn(f64) -> Budget;
        let [flops, hours, usd]: [Make; 3] = [Self::Flops, Self::GpuHours, Self::Usd];
        let units = [
            ("flops", flops),
            ("flop", flops),
            ("gpu-hours", hours),
            ("gpu-hour", hours),
            ("gpuh", hours),
            ("usd", usd),
        ];
        let found = units
            .iter()
            .find_map(|(unit, make)| Some((lower.strip_suffix(unit)?.trim_end(), make)));
        let (number, make) = found.ok_or_else(wrong)?;
        // Underscores may group digits, as in Rust.
        match number.replace('_', "").parse::<f64>() {
            Ok(number) if number > 0.0 && number.is_finite() => Ok(make(number)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flops(x) => write!(f, "{x:e} FLOPs"),
            Self::GpuHours(x) => write!(f, "{x} GPU-hours"),
            Self::Usd(x) => write!(f, "{x} US dollars"),
        }
    }
}

impl Machine {
    /// The peak, floating-point operations per second.
    pub fn peak(&self) -> f64 {
        self.peak
    }

    /// The share of the peak that training reaches.
    pub fn utilisation(&self) -> f64 {
        self.utilisation
    }

    /// The price of an hour, US dollars.
    pub fn hour_price(&self) -> Option<f64> {
        self.hour_price
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read_as_people_write_them() {
        for (text, budget) in [
            ("1e21flop", Budget::Flops(1e21)),
            ("1e21 FLOPs", Budget::Flops(1e21)),
            ("300gpu-hours", Budget::GpuHours(300.0)),
            ("1 gpu-hour", Budget::GpuHours(1.0)),
            ("1_000.5usd", Budget::Usd(1000.5)),
        ] {
            assert_eq!(text.parse(), Ok(budget), "{text}");
        }
        for text in [
            "",
            "usd",
            "1e21",
            "0usd",
            "-5usd",
            "nanflop",
            "infusd",
            "1e999usd",
            "5eur",
            "gpu-hours 3",
        ] {
            let message = text.parse::<Budget>().unwrap_err();
            assert!(message.contains("is no budget such as"), "{text}: {message}");
        }
    }

    #[test]
    fn a_cost_is_six_operations_a_parameter_that_is_multiplied() {
        use MethodKind::{Removes, Zeroes};
        let place = Place { n0: 8e9, rate: 0.25, loss0: 2.0 };
        let machine = Machine::new(1e15, 0.4, Some(3.0)).unwrap();
        let bill = Bill::new(5e8, Some(machine));
        let flops = bill.flops_per_token(&place, Removes, "lm").unwrap();
        assert_eq!(flops, 6.0 * 5.5e9);
        assert_eq!(bill.flops_per_token(&place, Zeroes, "lm").unwrap(), 6.0 * 7.5e9);
        // The teacher is the unpruned model: two operations for each of its 7.5e9.
        for objective in ["distil", "mix"] {
            let of = |bill: Bill| bill.flops_per_token(&place, Removes, objective).unwrap();
            assert_eq!(of(bill), flops + 2.0 * 7.5e9);
            assert_eq!(of(bill.with_cached_teacher(true)), flops);
        }
        let cost = bill.cost(flops * 1e9);
        let hours = 6.0 * 5.5e18 / 4e14 / 3600.0;
        assert!((cost.gpu_hours.unwrap() / hours - 1.0).abs() < 1e-12);
        assert!((cost.usd.unwrap() / (3.0 * hours) - 1.0).abs() < 1e-12);
        for embedding in [-1.0, 6e9, f64::NAN, f64::INFINITY] {
            assert!(
                Bill::new(embedding, None).flops_per_token(&place, Removes, "lm").is_err(),
                "{embedding}"
            );
        }
    }

    #[test]
    fn money_without_a_price_is_refused() {
        let machine = Machine::new(1e15, 0.4, None).unwrap();
        let error = Budget::Usd(500.0).flops(Some(&machine)).unwrap_err();
        assert!(error.to_string().contains("price of a GPU-hour"), "{error}");
        assert!(Budget::GpuHours(1e300).flops(Some(&machine)).is_err());
    }
}
