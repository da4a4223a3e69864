//! Loops over independent numbers, in vectors for every length.
//!
//! Without this, the compiler takes 64 numbers of a long line at a time and the rest one by one. A
//! line of 20 or 48 would then be all rest. Here it is taken in blocks of 16, 8, 4 and 1.

use crate::backend::Scalar;

/// `out[..][i] = each(out[..][i], with[..][i])` for every `i`. All slices have the same length.
#[inline(always)]
pub(super) fn in_lanes<T: Scalar, const OUT: usize, const WITH: usize>(
    mut out: [&mut [T]; OUT],
    with: [&[T]; WITH],
    each: impl Fn([T; OUT], [T; WITH]) -> [T; OUT],
) {
    let len = out[0].len();
    assert!(out.iter().all(|line| line.len() == len) && with.iter().all(|line| line.len() == len));
    let mut at = 0;
    while len - at >= 16 {
        block::<T, OUT, WITH, 16>(&mut out, with, at, &each);
        at += 16;
    }
    if len - at >= 8 {
        block::<T, OUT, WITH, 8>(&mut out, with, at, &each);
        at += 8;
    }
    if len - at >= 4 {
        block::<T, OUT, WITH, 4>(&mut out, with, at, &each);
        at += 4;
    }
    while at < len {
        block::<T, OUT, WITH, 1>(&mut out, with, at, &each);
        at += 1;
    }
}

/// Processes `LANES` numbers from `at` on. They are copied in and out, so that the compiler knows
/// that no two slices overlap.
#[inline(always)]
fn block<T: Scalar, const OUT: usize, const WITH: usize, const LANES: usize>(
    out: &mut [&mut [T]; OUT],
    with: [&[T]; WITH],
    at: usize,
    each: &impl Fn([T; OUT], [T; WITH]) -> [T; OUT],
) {
    let mut results = [[T::ZERO; LANES]; OUT];
    let mut inputs = [[T::ZERO; LANES]; WITH];
    for (result, line) in results.iter_mut().zip(out.iter()) {
        result.copy_from_slice(&line[at..at + LANES]);
    }
    for (input, line) in inputs.iter_mut().zip(with) {
        input.copy_from_slice(&line[at..at + LANES]);
    }
    for lane in 0..LANES {
        let found = each(
            results.each_ref().map(|line| line[lane]),
            inputs.each_ref().map(|line| line[lane]),
        );
        for (result, found) in results.iter_mut().zip(found) {
            result[lane] = found;
        }
    }
    for (result, line) in results.iter().zip(out.iter_mut()) {
        line[at..at + LANES].copy_from_slice(result);
    }
}

/// `to[i] = each(from[i])`: copies short lines without a function call.
#[inline(always)]
pub(super) fn mapped<N: Copy, U: Copy>(from: &[N], to: &mut [U], each: impl Fn(N) -> U) {
    #[inline(always)]
    fn blocks<N: Copy, U: Copy, const LANES: usize>(
        from: &[N],
        to: &mut [U],
        each: &impl Fn(N) -> U,
    ) -> usize {
        let (from, _) = from.as_chunks::<LANES>();
        let (to, _) = to.as_chunks_mut::<LANES>();
        for (from, to) in from.iter().zip(to) {
            *to = from.map(each);
        }
        from.len() * LANES
    }
    assert_eq!(from.len(), to.len());
    let mut done = blocks::<N, U, 16>(from, to, &each);
    done += blocks::<N, U, 4>(&from[done..], &mut to[done..], &each);
    blocks::<N, U, 1>(&from[done..], &mut to[done..], &each);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_taken_once_at_every_length() {
        for len in 0..70 {
            let a: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let (mut sum, mut count) = (vec![1.0; len], vec![0.0; len]);
            in_lanes([&mut sum, &mut count], [&a, &a], |[sum, count], [x, y]| {
                [sum + x * y, count + 1.0]
            });
            for i in 0..len {
                assert_eq!((sum[i], count[i]), (1.0 + (i * i) as f32, 1.0), "{i} of {len}");
            }
            let mut doubled = vec![0; len];
            mapped(&a, &mut doubled, |x| 2 * x as usize);
            assert!(doubled.iter().enumerate().all(|(i, &twice)| twice == 2 * i), "{len}");
        }
    }
}
