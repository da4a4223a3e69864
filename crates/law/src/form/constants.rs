//! Constants that several forms share, with their bounds.

use super::formula::Parameter;

pub(super) const N_C: Parameter = Parameter::linear("N_C", 0.0);
pub(super) const FLOOR_SLOPE: Parameter = Parameter::linear("floor_slope", f64::NEG_INFINITY);
pub(super) const D_C: Parameter = Parameter::linear("D_C", 0.0);
pub(super) const TOKEN_SLOPE: Parameter = Parameter::linear("token_slope", 0.0);
pub(super) const E: Parameter = Parameter::linear("E", f64::NEG_INFINITY);
/// The sum of `E` and the token term, if two token counts cannot tell them apart.
pub(super) const LEVEL: Parameter = Parameter::linear("level", f64::NEG_INFINITY);
pub(super) const FLOOR: Parameter = Parameter::linear("floor", f64::NEG_INFINITY);
/// Near 0 the floor's two terms are the same, and their constants diverge.
pub(super) const ALPHA: Parameter =
    Parameter { gap: 0.02, ..Parameter::exponent("alpha", (-3.0, 4.0), (-0.6, 1.2), false) };
/// Without `delta`, alpha + delta > 0 becomes alpha > 0.
pub(super) const ALPHA_ALONE: Parameter =
    Parameter::exponent("alpha", (0.02, 4.0), (0.05, 1.5), true);
pub(super) const BETA: Parameter = Parameter::exponent("beta", (0.01, 5.0), (0.05, 1.6), true);
/// Free. The loss grows with the rate, so the fitted value is negative.
pub(super) const GAMMA: Parameter = Parameter::exponent("gamma", (-10.0, 5.0), (-2.5, 0.1), false);
/// Bounded through alpha + delta > 0.
pub(super) const DELTA: Parameter = Parameter {
    sum_with: Some("alpha"),
    ..Parameter::exponent("delta", (0.001, 8.0), (0.05, 1.2), true)
};
pub(super) const DELTA_ALONE: Parameter =
    Parameter::exponent("delta", (-4.0, 4.0), (-0.4, 0.8), false);
