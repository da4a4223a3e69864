//! Rotary angles of a configuration, with Llama-3's stretching of the long wavelengths.

use shape::config::ModelConfig;

/// The speeds of the channel pairs, in radians per position.
#[derive(Debug, Clone, PartialEq)]
pub struct RotaryAngles {
    speeds: Vec<f64>,
}

impl RotaryAngles {
    /// Speeds theta^(-2i / dim), stretched if the configuration says so.
    pub fn new(config: &ModelConfig) -> Self {
        let dim = config.head_dim() as f64;
        let speeds = (0..config.head_dim() / 2)
            .map(|pair| config.rope_theta().powf(-2.0 * pair as f64 / dim))
            .map(|speed| config.rope_scaling().map_or(speed, |scaling| scaling.stretch(speed)))
            .collect();
        RotaryAngles { speeds }
    }

    /// Cosines and sines of positions `0..positions`, each `[position, dim / 2]`.
    pub fn table(&self, positions: usize) -> (Vec<f64>, Vec<f64>) {
        let angles = (0..positions)
            .flat_map(|position| self.speeds.iter().map(move |speed| position as f64 * speed));
        angles.map(|angle| (angle.cos(), angle.sin())).unzip()
    }
}
