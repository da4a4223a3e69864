//! The models of the certified problems as forms: the predictor stands where the law has its
//! tokens.

use law::form::{Axis, Form, Parameter};
use law::{Row, Scale};

/// Columns of the linear constants, and by column and exponent their derivatives.
type Model = fn(&[f64], f64) -> (Vec<f64>, Vec<Vec<f64>>);

/// A model; `of` turns published constants into ours, `back` ours into published ones.
pub(crate) struct Nist {
    name: &'static str,
    parameters: &'static [Parameter],
    model: Model,
    of: fn(&[f64]) -> Vec<f64>,
    back: fn(&[f64]) -> Vec<f64>,
}

const C: Parameter = Parameter::linear("c", f64::NEG_INFINITY);
const X: Parameter =
    Parameter::exponent("x", (f64::NEG_INFINITY, f64::INFINITY), (0.1, 1.0), false);

fn same(b: &[f64]) -> Vec<f64> {
    b.to_vec()
}

/// One linear constant before a function and its derivatives.
fn one(value: f64, derivatives: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    (vec![value], vec![derivatives.to_vec()])
}

fn misra1a(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    one(1.0 - (-e[0] * x).exp(), &[x * (-e[0] * x).exp()])
}

fn misra1b(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let base = 1.0 + e[0] * x / 2.0;
    one(1.0 - base.powi(-2), &[x * base.powi(-3)])
}

fn misra1c(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let base = 1.0 + 2.0 * e[0] * x;
    one(1.0 - base.powf(-0.5), &[x * base.powf(-1.5)])
}

fn misra1d(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let base = 1.0 + e[0] * x;
    one(e[0] * x / base, &[x / (base * base)])
}

fn dan_wood(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    one(x.powf(e[0]), &[x.powf(e[0]) * x.ln()])
}

fn lanczos(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let columns: Vec<f64> = e.iter().map(|e| (-e * x).exp()).collect();
    let slopes =
        (0..3).map(|i| (0..3).map(|j| if i == j { -x * columns[i] } else { 0.0 }).collect());
    (columns.clone(), slopes.collect())
}

fn mgh17(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let [a, b] = [(-e[0] * x).exp(), (-e[1] * x).exp()];
    (vec![1.0, a, b], vec![vec![0.0, 0.0], vec![-x * a, 0.0], vec![0.0, -x * b]])
}

fn thurber(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let below = 1.0 + x * (e[0] + x * (e[1] + x * e[2]));
    let columns: Vec<f64> = (0..4).map(|k| x.powi(k) / below).collect();
    let slopes = columns.iter().map(|column| (1..4).map(|k| -column * x.powi(k) / below).collect());
    (columns.clone(), slopes.collect())
}

fn mgh09(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (above, below) = (x * x + x * e[0], x * x + x * e[1] + e[2]);
    one(above / below, &[x / below, -above * x / (below * below), -above / (below * below)])
}

fn mgh10(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let value = (e[0] / (x + e[1])).exp();
    one(value, &[value / (x + e[1]), -value * e[0] / (x + e[1]).powi(2)])
}

fn rat42(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let power = (e[0] - e[1] * x).exp();
    let slope = -power / (1.0 + power).powi(2);
    one((1.0 + power).recip(), &[slope, -x * slope])
}

fn rat43(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let power = (e[0] - e[1] * x).exp();
    let value = (1.0 + power).powf(-1.0 / e[2]);
    let slope = -value * power / (e[2] * (1.0 + power));
    one(value, &[slope, -x * slope, value * power.ln_1p() / (e[2] * e[2])])
}

fn eckerle4(e: &[f64], x: f64) -> (Vec<f64>, Vec<Vec<f64>>) {
    let off = (x - e[1]) / e[0];
    let value = (-0.5 * off * off).exp() / e[0];
    one(value, &[value * (off * off - 1.0) / e[0], value * off / e[0]])
}

/// Lanczos3 and MGH17 are published with each constant beside its exponent, or not.
fn pairs(b: &[f64]) -> Vec<f64> {
    vec![b[0], b[2], b[4], b[1], b[3], b[5]]
}

fn unpaired(p: &[f64]) -> Vec<f64> {
    vec![p[0], p[3], p[1], p[4], p[2], p[5]]
}

static ALL: [Nist; 14] = {
    const fn plain(name: &'static str, parameters: &'static [Parameter], model: Model) -> Nist {
        Nist { name, parameters, model, of: same, back: same }
    }
    [
        plain("Misra1a", &[C, X], misra1a),
        plain("Misra1b", &[C, X], misra1b),
        plain("Misra1c", &[C, X], misra1c),
        plain("Misra1d", &[C, X], misra1d),
        plain("DanWood", &[C, X], dan_wood),
        Nist {
            name: "Lanczos3",
            parameters: &[C, C, C, X, X, X],
            model: lanczos,
            of: pairs,
            back: unpaired,
        },
        plain("MGH17", &[C, C, C, X, X], mgh17),
        plain("Thurber", &[C, C, C, C, X, X, X], thurber),
        plain("MGH09", &[C, X, X, X], mgh09),
        plain("MGH10", &[C, X, X], mgh10),
        plain("Rat42", &[C, X, X], rat42),
        plain("Rat43", &[C, X, X, X], rat43),
        plain("BoxBOD", &[C, X], misra1a),
        plain("Eckerle4", &[C, X, X], eckerle4),
    ]
};

impl Nist {
    pub(crate) fn of(name: &str) -> &'static Self {
        ALL.iter().find(|model| model.name == name).expect("every problem has a model")
    }

    pub(crate) fn ours(&self, published: &[f64]) -> Vec<f64> {
        (self.of)(published)
    }

    pub(crate) fn theirs(&self, ours: &[f64]) -> Vec<f64> {
        (self.back)(ours)
    }
}

impl Form for Nist {
    fn name(&self) -> &'static str {
        self.name
    }

    fn formula(&self) -> &'static str {
        ""
    }

    fn latex(&self) -> &'static str {
        ""
    }

    fn parameters(&self) -> &'static [Parameter] {
        self.parameters
    }

    fn axes(&self) -> &'static [Axis] {
        &[Axis::Tokens]
    }

    fn offset(&self, _: &Row) -> f64 {
        0.0
    }

    fn basis(&self, exponents: &[f64], row: &Row, out: &mut [f64]) {
        let (columns, _) = (self.model)(exponents, row.tokens());
        out[..columns.len()].copy_from_slice(&columns);
    }

    fn gradient(&self, parameters: &[f64], row: &Row, out: &mut [f64]) {
        let (constants, exponents) = parameters.split_at(self.linear());
        let (columns, slopes) = (self.model)(exponents, row.tokens());
        out[..columns.len()].copy_from_slice(&columns);
        for (j, out) in out[columns.len()..parameters.len()].iter_mut().enumerate() {
            *out =
                constants.iter().zip(&slopes).map(|(constant, slopes)| constant * slopes[j]).sum();
        }
    }

    fn rescale(&self, _: &mut [f64], _: &Scale) {}

    fn own_units(&self) -> Option<Scale> {
        Some(Scale::COUNTS)
    }
}
