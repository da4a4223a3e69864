//! Rotary positions in a configuration. Transformers 4 writes `rope_theta` and `rope_scaling`;
//! transformers 5 writes `rope_parameters`.

use std::f64::consts::TAU;

use serde_json::{Value, json};

use super::read::{FieldReader, MAX_SIZE};
use crate::Result;
use crate::family::Family;

/// `rope_scaling` of type `llama3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Llama3Scaling {
    /// The factor by which long wavelengths are stretched.
    pub factor: f64,
    /// Wavelengths above `original / low_freq_factor` are stretched by the full factor.
    pub low_freq_factor: f64,
    /// Wavelengths below `original / high_freq_factor` stay as they are.
    pub high_freq_factor: f64,
    /// Context of the first training, in tokens.
    pub original_max_position_embeddings: usize,
}

impl Llama3Scaling {
    /// The speed of a channel pair after stretching, in radians per position.
    ///
    /// Wavelengths above `original / low_freq_factor` are stretched by `factor`. Those below
    /// `original / high_freq_factor` stay. Between the two, the speeds are blended (the `llama3`
    /// rule of the Llama 3.1 release).
    pub fn stretch(&self, speed: f64) -> f64 {
        let original = self.original_max_position_embeddings as f64;
        let wavelength = TAU / speed;
        if wavelength < original / self.high_freq_factor {
            return speed;
        }
        if wavelength > original / self.low_freq_factor {
            return speed / self.factor;
        }
        // 0 at the wavelength that is stretched fully, 1 at the one that stays.
        let share = (original / wavelength - self.low_freq_factor)
            / (self.high_freq_factor - self.low_freq_factor);
        (1.0 - share) * speed / self.factor + share * speed
    }
}

/// The rotary settings of a model.
pub(super) struct RotaryFields {
    pub(super) theta: f64,
    pub(super) scaling: Option<Llama3Scaling>,
}

/// Reads either style. If a file contains both, they must agree.
pub(super) fn read(reader: &FieldReader<'_>, family: &Family) -> Result<RotaryFields> {
    check_partial(reader)?;
    let old_theta = reader.positive("rope_theta")?;
    let old = reader.object("rope_scaling")?;
    let new = reader.object("rope_parameters")?;
    // Transformers 5 may put the base into `rope_scaling`, its other name for `rope_parameters`.
    let mut theta = old_theta;
    for object in [&old, &new].into_iter().flatten() {
        let Some(inner) = object.positive("rope_theta")? else { continue };
        // Two different bases would be two different models.
        if theta.is_some_and(|outer| outer != inner) {
            return Err(object.wrong_value(
                "rope_theta",
                &inner.to_string(),
                "the other `rope_theta` of this file",
            ));
        }
        theta = Some(inner);
    }
    let old_scaling = old.as_ref().map(scaling).transpose()?;
    let new_scaling = new.as_ref().map(scaling).transpose()?;
    if let (Some(old), Some(new)) = (old_scaling, new_scaling)
        && old != new
    {
        return Err(reader.wrong_value(
            "rope_parameters",
            "different",
            "the same as `rope_scaling`",
        ));
    }
    Ok(RotaryFields {
        theta: theta.unwrap_or(family.rope_theta),
        // Outer `None`: the object is missing. Inner `None`: it asks for no scaling.
        scaling: new_scaling.or(old_scaling).flatten(),
    })
}

/// `rope_scaling` as transformers 4 writes it.
pub(super) fn to_json(scaling: Llama3Scaling) -> Value {
    json!({
        "rope_type": "llama3",
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_freq_factor,
        "high_freq_factor": scaling.high_freq_factor,
        "original_max_position_embeddings": scaling.original_max_position_embeddings,
    })
}

fn scaling(reader: &FieldReader<'_>) -> Result<Option<Llama3Scaling>> {
    check_partial(reader)?;
    if let Some((field, found)) = reader.fields().find(|(_, value)| value.is_object()) {
        return Err(reader.unsupported(field, found, "the same positions in every block"));
    }
    // Older files call the key `type`.
    let field = if reader.get("rope_type").is_some() { "rope_type" } else { "type" };
    match reader.text(field)? {
        None | Some("default") => Ok(None),
        Some("llama3") => llama3(reader).map(Some),
        Some(other) => Err(reader.unsupported(field, &json!(other), "`default` and `llama3`")),
    }
}

fn llama3(reader: &FieldReader<'_>) -> Result<Llama3Scaling> {
    let scaling = Llama3Scaling {
        factor: reader.required_positive("factor")?,
        low_freq_factor: reader.required_positive("low_freq_factor")?,
        high_freq_factor: reader.required_positive("high_freq_factor")?,
        original_max_position_embeddings: reader
            .size("original_max_position_embeddings", MAX_SIZE)?,
    };
    if scaling.factor < 1.0 {
        return Err(reader.wrong_value("factor", &scaling.factor.to_string(), "1 or more"));
    }
    if scaling.high_freq_factor <= scaling.low_freq_factor {
        let expected = format!("more than `low_freq_factor`, {}", scaling.low_freq_factor);
        return Err(reader.wrong_value(
            "high_freq_factor",
            &scaling.high_freq_factor.to_string(),
            &expected,
        ));
    }
    Ok(scaling)
}

fn check_partial(reader: &FieldReader<'_>) -> Result<()> {
    match reader.get("partial_rotary_factor") {
        Some(found) if found.as_f64() != Some(1.0) => {
            Err(reader.unsupported("partial_rotary_factor", found, "1"))
        }
        _ => Ok(()),
    }
}
