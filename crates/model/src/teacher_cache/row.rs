//! One row: the most probable tokens of a position as bytes, and back.

use half::f16;
use pulp::Arch;

use super::info::CacheInfo;
use crate::backend::Scalar;
use crate::error::ModelFault;
use crate::lesson::TopTokens;
use crate::wide::widest;
use crate::{Error, Result};

/// Chooses the most probable tokens of rows of logits, and writes them as rows of a cache.
#[derive(Debug)]
pub struct Chooser<'a> {
    info: &'a CacheInfo,
    arch: Arch,
}

impl<'a> Chooser<'a> {
    /// Writes rows as a cache of this description has them.
    pub fn new(info: &'a CacheInfo) -> Self {
        Chooser { info, arch: Arch::new() }
    }

    /// The row of a position, from its logits. Of equal logits, the smaller id comes first. The
    /// logits are overwritten.
    ///
    /// # Errors
    /// If a logit is NaN, or the largest is infinite.
    pub fn row(&self, logits: &mut [f32], order: &mut Vec<u32>, out: &mut [u8]) -> Result<()> {
        let (top, vocabulary) = (self.info.top(), self.info.vocabulary());
        assert_eq!((logits.len(), out.len()), (vocabulary, self.info.row_bytes()));
        if let Some(at) = logits.iter().position(|logit| logit.is_nan()) {
            return Err(Error::from(ModelFault::Teach {
                reason: format!("the teacher's logit of token {at} is NaN"),
            }));
        }
        order.clear();
        order.extend(0..vocabulary as u32);
        let likelier =
            |&a: &u32, &b: &u32| logits[b as usize].total_cmp(&logits[a as usize]).then(a.cmp(&b));
        if top < vocabulary {
            order.select_nth_unstable_by(top - 1, likelier);
        }
        order[..top].sort_unstable_by(likelier);
        let chosen = &order[..top];
        let most = logits[chosen[0] as usize];
        if !most.is_finite() {
            return Err(Error::from(ModelFault::Teach {
                reason: format!("the teacher's largest logit is {most}"),
            }));
        }
        let known: Vec<f32> = chosen.iter().map(|&id| logits[id as usize]).collect();
        for &id in chosen {
            // Out of the sum over the others, which thereby loses no digits.
            logits[id as usize] = -1e30;
        }
        let id_bytes = self.info.id_bytes();
        let (ids, rest) = out.split_at_mut(top * id_bytes);
        let (values, shares) = rest.split_at_mut(2 * top);
        for (out, &id) in ids.chunks_exact_mut(id_bytes).zip(chosen) {
            out.copy_from_slice(&id.to_le_bytes()[..id_bytes]);
        }
        let mut log_sum = 0.0;
        let shares = shares.chunks_exact_mut(4).zip(self.info.temperatures());
        for (number, (out, &temperature)) in shares.enumerate() {
            let others = others(self.arch, logits, most, temperature);
            let of = |logit: &f32| (f64::from(logit - most) / temperature).exp();
            let sum = others + known.iter().map(of).sum::<f64>();
            if number == 0 {
                log_sum = sum.ln();
            }
            out.copy_from_slice(&((others / sum) as f32).to_le_bytes());
        }
        for (out, logit) in values.chunks_exact_mut(2).zip(&known) {
            // The first temperature is 1, so this is ln p of the whole vocabulary.
            let log_p = f64::from(logit - most) - log_sum;
            out.copy_from_slice(&f16::from_f64(log_p.max(-65_504.0)).to_le_bytes());
        }
        Ok(())
    }
}

/// Sum of exp((logit - most) / temperature).
fn others(arch: Arch, logits: &[f32], most: f32, temperature: f64) -> f64 {
    let inverse = (1.0 / temperature) as f32;
    widest(
        arch,
        #[inline(always)]
        || {
            let mut lanes = [0.0_f32; 16];
            let (lines, rest) = logits.as_chunks::<16>();
            for line in lines {
                for (lane, &logit) in lanes.iter_mut().zip(line) {
                    *lane += Scalar::exp((logit - most) * inverse);
                }
            }
            let sum: f64 = lanes.into_iter().map(f64::from).sum();
            sum + rest
                .iter()
                .map(|&logit| f64::from(Scalar::exp((logit - most) * inverse)))
                .sum::<f64>()
        },
    )
}

/// Adds a stored row to `out`, at the temperature with this place in the description.
///
/// Rounding to f16 moves probabilities by up to some thousandths, so the known ones are scaled to
/// what the share of all others leaves.
pub(super) fn decode(info: &CacheInfo, row: &[u8], place: usize, out: &mut TopTokens) {
    let (top, id_bytes) = (info.top(), info.id_bytes());
    let (ids, rest) = row.split_at(top * id_bytes);
    let (values, shares) = rest.split_at(2 * top);
    let temperature = info.temperatures()[place];
    let share = &shares[4 * place..4 * place + 4];
    let others = f32::from_le_bytes([share[0], share[1], share[2], share[3]]);
    let id = |bytes: &[u8]| match bytes {
        [a, b] => u32::from(u16::from_le_bytes([*a, *b])),
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => unreachable!("an id has two or four bytes"),
    };
    let power =
        |bytes: &[u8]| (f16::from_le_bytes([bytes[0], bytes[1]]).to_f64() / temperature).exp();
    let sum: f64 = values.chunks_exact(2).map(power).sum();
    let scale = (1.0 - f64::from(others)) / sum;
    out.push(
        ids.chunks_exact(id_bytes).map(id),
        values
            .chunks_exact(2)
            .map(|bytes| (power(bytes) * scale) as f32)
            .chain(std::iter::once(others)),
    );
}
