//! Devices by name, and what each does at most.

use std::str::FromStr;

/// Common devices, and what each does at most in bf16 without sparsity, teraflops: NVIDIA's data
/// sheets, SXM versions where there are several.
pub const DEVICES: [(&str, f64); 6] = [
    ("a100", 312.0),
    ("b200", 2250.0),
    ("h100", 989.0),
    ("h200", 989.0),
    ("l40s", 362.0),
    ("rtx4090", 165.0),
];

/// Floating-point operations per second, as people write them: `h100`, `989T` or `989e12`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak(pub f64);

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
