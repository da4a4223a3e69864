//! Clears the gradients of masked weights.

use rayon::prelude::*;

use super::chunks::CHUNK;
use crate::backend::Scalar;

/// `values[i] = 0` where `by[i]` is 0.
pub(super) fn clear_where_zero<T: Scalar>(values: &mut [T], by: &[T]) {
    values.par_chunks_mut(CHUNK).zip(by.par_chunks(CHUNK)).for_each(|(values, by)| {
        for (value, &by) in values.iter_mut().zip(by) {
            *value = if by == T::ZERO { T::ZERO } else { *value };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_at_a_zero_goes() {
        let mut values = [1.0_f32, f32::NAN, 3.0, 4.0];
        clear_where_zero(&mut values, &[0.0, -0.0, 1e-40, f32::NAN]);
        assert_eq!(values, [0.0, 0.0, 3.0, 4.0]);
    }
}
