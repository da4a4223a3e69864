//! Rotary positions (Su et al. 2021) in halves: channel i is paired with channel i + dim / 2, as in
//! Hugging Face.

use pulp::Arch;
use rayon::prelude::*;

use super::chunks::rows_of_chunk;
use super::lanes::in_lanes;
use crate::backend::{Rotation, Scalar, ViewMut};
use crate::wide::widest;

/// Rotates every head of every row of `x` `[rows, heads * dim]` in place, by the angles of its
/// position.
pub(super) fn rotate<T: Scalar>(
    arch: Arch,
    x: ViewMut<'_, Vec<T>>,
    dim: usize,
    rotation: Rotation<'_, Vec<T>, Vec<u32>>,
) {
    let area = x.area;
    assert!(area.columns.is_multiple_of(dim) && rotation.positions.len() == area.rows);
    let half = dim / 2;
    let rows = rows_of_chunk(area.stride);
    let data = &mut x.buffer[area.offset..area.end()];
    data.par_chunks_mut(rows * area.stride).zip(rotation.positions.par_chunks(rows)).for_each(
        |(data, positions)| {
            widest(
                arch,
                #[inline(always)]
                || {
                    for (line, &position) in data.chunks_mut(area.stride).zip(positions) {
                        let angles = position as usize * half..(position as usize + 1) * half;
                        let (cosines, sines) =
                            (&rotation.cosines[angles.clone()], &rotation.sines[angles]);
                        for head in line[..area.columns].chunks_exact_mut(dim) {
                            let (first, second) = head.split_at_mut(half);
                            in_lanes(
                                [first, second],
                                [cosines, sines],
                                |[first, second], [cosine, sine]| {
                                    // Rotating back is the transpose, hence the gradient.
                                    let sine = if rotation.inverse { -sine } else { sine };
                                    [first * cosine - second * sine, second * cosine + first * sine]
                                },
                            );
                        }
                    }
                },
            );
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::sums::dot;
    use super::super::testing::{check_gradient, numbers};
    use super::*;
    use crate::backend::Area;

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        let (rows, heads, dim, stride) = (5, 2, 6, 17);
        let positions = vec![0, 1, 2, 0, 3];
        let angles: Vec<f64> = numbers(4 * dim / 2, 1);
        let cosines: Vec<f64> = angles.iter().map(|angle| angle.cos()).collect();
        let sines: Vec<f64> = angles.iter().map(|angle| angle.sin()).collect();
        let area = Area { offset: 2, rows, columns: heads * dim, stride };
        let turn = |mut x: Vec<f64>, inverse| {
            let rotation =
                Rotation { cosines: &cosines, sines: &sines, positions: &positions, inverse };
            rotate(Arch::new(), ViewMut::new(&mut x, area), dim, rotation);
            x
        };
        let (x, probe): (Vec<f64>, Vec<f64>) = (numbers(area.end(), 2), numbers(area.end(), 3));
        let gradient = turn(probe.clone(), true);
        check_gradient("x", &x, &gradient, |x| dot(&turn(x.to_vec(), false), &probe));
        let round = turn(turn(x.clone(), false), true);
        assert!(round.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-15));
    }
}
