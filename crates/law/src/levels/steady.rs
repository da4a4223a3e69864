//! The vectors of the sampler, with sums in one order.
//!
//! `nuts-rs` adds as many products at once as the processor's vectors hold, so that its sums, and
//! after some hundred steps its draws, differ between processors. Here the three operations that
//! sum go from the first number to the last. The rest works on numbers one by one and is passed on.

use std::collections::HashMap;

use nuts_rs::rand::Rng;
use nuts_rs::{CpuLogpFunc, CpuMath, CpuMathError, HasDims, Math, Value};

/// The vectors of `nuts-rs` with sums in one order.
pub(super) struct Steady<F: CpuLogpFunc>(CpuMath<F>);

impl<F: CpuLogpFunc> Steady<F> {
    pub(super) fn new(target: F) -> Self {
        Self(CpuMath::new(target))
    }
}

impl<F: CpuLogpFunc> HasDims for Steady<F> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        self.0.dim_sizes()
    }

    fn coords(&self) -> HashMap<String, Value> {
        self.0.coords()
    }
}

impl<F: CpuLogpFunc> Math for Steady<F> {
    type Vector = <CpuMath<F> as Math>::Vector;
    type EigVectors = <CpuMath<F> as Math>::EigVectors;
    type EigValues = <CpuMath<F> as Math>::EigValues;
    type LogpErr = <CpuMath<F> as Math>::LogpErr;
    type Err = CpuMathError;
    type FlowParameters = F::FlowParameters;
    type ExpandedVector = Vec<f64>;

    fn scalar_prods3(
        &mut self,
        positive1: &Self::Vector,
        negative1: &Self::Vector,
        positive2: &Self::Vector,
        x: &Self::Vector,
        y: &Self::Vector,
    ) -> (f64, f64) {
        let sum = |i: usize| positive1[i] - negative1[i] + positive2[i];
        dots(x.nrows(), sum, |i| x[i], |i| y[i])
    }

    fn scalar_prods2(
        &mut self,
        positive1: &Self::Vector,
        positive2: &Self::Vector,
        x: &Self::Vector,
        y: &Self::Vector,
    ) -> (f64, f64) {
        dots(x.nrows(), |i| positive1[i] + positive2[i], |i| x[i], |i| y[i])
    }

    fn array_vector_dot(&mut self, a: &Self::Vector, b: &Self::Vector) -> f64 {
        a.iter().zip(b.iter()).map(|(a, b)| a * b).sum()
    }

    fn expand_vector<R: Rng + ?Sized>(
        &mut self,
        _random: &mut R,
        array: &Self::Vector,
    ) -> Result<Vec<f64>, CpuMathError> {
        Ok(array.iter().copied().collect())
    }

    fn new_array(&mut self) -> Self::Vector {
        self.0.new_array()
    }

    fn new_eig_vectors<'a>(
        &'a mut self,
        vals: impl ExactSizeIterator<Item = &'a [f64]>,
    ) -> Self::EigVectors {
        self.0.new_eig_vectors(vals)
    }

    fn new_eig_values(&mut self, vals: &[f64]) -> Self::EigValues {
        self.0.new_eig_values(vals)
    }

    fn logp_array(
        &mut self,
        position: &Self::Vector,
        gradient: &mut Self::Vector,
    ) -> Result<f64, Self::LogpErr> {
        self.0.logp_array(position, gradient)
    }

    fn logp(&mut self, position: &[f64], gradient: &mut [f64]) -> Result<f64, Self::LogpErr> {
        self.0.logp(position, gradient)
    }

    fn init_position<R: Rng + ?Sized>(
        &mut self,
        rng: &mut R,
        position: &mut Self::Vector,
        gradient: &mut Self::Vector,
    ) -> Result<f64, Self::LogpErr> {
        self.0.init_position(rng, position, gradient)
    }

    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn sq_norm_sum(&mut self, x: &Self::Vector, y: &Self::Vector) -> f64 {
        self.0.sq_norm_sum(x, y)
    }

    fn read_from_slice(&mut self, dest: &mut Self::Vector, source: &[f64]) {
        self.0.read_from_slice(dest, source);
    }

    fn write_to_slice(&mut self, source: &Self::Vector, dest: &mut [f64]) {
        self.0.write_to_slice(source, dest);
    }

    fn eigs_as_array(&mut self, source: &Self::EigValues) -> Box<[f64]> {
        self.0.eigs_as_array(source)
    }

    fn copy_into(&mut self, array: &Self::Vector, dest: &mut Self::Vector) {
        self.0.copy_into(array, dest);
    }

    fn axpy_out(&mut self, x: &Self::Vector, y: &Self::Vector, a: f64, out: &mut Self::Vector) {
        self.0.axpy_out(x, y, a, out);
    }

    fn axpy(&mut self, x: &Self::Vector, y: &mut Self::Vector, a: f64) {
        self.0.axpy(x, y, a);
    }

    fn fill_array(&mut self, array: &mut Self::Vector, val: f64) {
        self.0.fill_array(array, val);
    }

    fn array_all_finite(&mut self, array: &Self::Vector) -> bool {
        self.0.array_all_finite(array)
    }

    fn array_all_finite_and_nonzero(&mut self, array: &Self::Vector) -> bool {
        self.0.array_all_finite_and_nonzero(array)
    }

    fn array_mult(
        &mut self,
        array1: &Self::Vector,
        array2: &Self::Vector,
        dest: &mut Self::Vector,
    ) {
        self.0.array_mult(array1, array2, dest);
    }

    fn array_mult_inplace(&mut self, array1: &mut Self::Vector, array2: &Self::Vector) {
        self.0.array_mult_inplace(array1, array2);
    }

    fn array_recip(&mut self, array: &Self::Vector, dest: &mut Self::Vector) {
        self.0.array_recip(array, dest);
    }

    fn array_softclip(&mut self, array: &mut Self::Vector, clip: f64) {
        self.0.array_softclip(array, clip);
    }

    fn apply_lowrank_transform(
        &mut self,
        vecs: &Self::EigVectors,
        vals: &Self::EigValues,
        rhs: &Self::Vector,
        dest: &mut Self::Vector,
    ) {
        self.0.apply_lowrank_transform(vecs, vals, rhs, dest);
    }

    fn apply_lowrank_transform_inplace(
        &mut self,
        vecs: &Self::EigVectors,
        vals: &Self::EigValues,
        rhs_and_dest: &mut Self::Vector,
    ) {
        self.0.apply_lowrank_transform_inplace(vecs, vals, rhs_and_dest);
    }

    fn array_mult_eigs(
        &mut self,
        stds: &Self::Vector,
        rhs: &Self::Vector,
        dest: &mut Self::Vector,
        vecs: &Self::EigVectors,
        vals: &Self::EigValues,
    ) {
        self.0.array_mult_eigs(stds, rhs, dest, vecs, vals);
    }

    fn std_norm_flow(
        &mut self,
        pos: &Self::Vector,
        pos_out: &mut Self::Vector,
        vel: &mut Self::Vector,
        epsilon: f64,
    ) {
        self.0.std_norm_flow(pos, pos_out, vel, epsilon);
    }

    fn std_norm_grad_flow(
        &mut self,
        pos: &Self::Vector,
        grad: &Self::Vector,
        vel: &Self::Vector,
        vel_out: &mut Self::Vector,
        epsilon: f64,
    ) {
        self.0.std_norm_grad_flow(pos, grad, vel, vel_out, epsilon);
    }

    fn std_norm_grad_flow_inplace(
        &mut self,
        pos: &Self::Vector,
        grad: &Self::Vector,
        vel: &mut Self::Vector,
        epsilon: f64,
    ) {
        self.0.std_norm_grad_flow_inplace(pos, grad, vel, epsilon);
    }

    fn array_normalize(&mut self, v: &mut Self::Vector) {
        self.0.array_normalize(v);
    }

    fn esh_momentum_update(
        &mut self,
        grad: &Self::Vector,
        mom: &mut Self::Vector,
        step: f64,
    ) -> f64 {
        self.0.esh_momentum_update(grad, mom, step)
    }

    fn array_gaussian<R: Rng + ?Sized>(
        &mut self,
        rng: &mut R,
        dest: &mut Self::Vector,
        stds: &Self::Vector,
    ) {
        self.0.array_gaussian(rng, dest, stds);
    }

    fn array_gaussian_eigs<R: Rng + ?Sized>(
        &mut self,
        rng: &mut R,
        dest: &mut Self::Vector,
        scale: &Self::Vector,
        vals: &Self::EigValues,
        vecs: &Self::EigVectors,
    ) {
        self.0.array_gaussian_eigs(rng, dest, scale, vals, vecs);
    }

    fn array_update_variance(
        &mut self,
        mean: &mut Self::Vector,
        variance: &mut Self::Vector,
        value: &Self::Vector,
        diff_scale: f64,
    ) {
        self.0.array_update_variance(mean, variance, value, diff_scale);
    }

    fn array_update_var_inv_std_draw(
        &mut self,
        inv_std: &mut Self::Vector,
        std: &mut Self::Vector,
        draw_var: &Self::Vector,
        scale: f64,
        fill_invalid: Option<f64>,
        clamp: (f64, f64),
    ) {
        self.0.array_update_var_inv_std_draw(inv_std, std, draw_var, scale, fill_invalid, clamp);
    }

    fn array_update_var_inv_std_draw_grad(
        &mut self,
        inv_std: &mut Self::Vector,
        std: &mut Self::Vector,
        draw_var: &Self::Vector,
        grad_var: &Self::Vector,
        fill_invalid: Option<f64>,
        clamp: (f64, f64),
    ) {
        self.0.array_update_var_inv_std_draw_grad(
            inv_std,
            std,
            draw_var,
            grad_var,
            fill_invalid,
            clamp,
        );
    }

    fn array_update_var_inv_std_grad(
        &mut self,
        inv_std: &mut Self::Vector,
        std: &mut Self::Vector,
        gradient: &Self::Vector,
        fill_invalid: f64,
        clamp: (f64, f64),
    ) {
        self.0.array_update_var_inv_std_grad(inv_std, std, gradient, fill_invalid, clamp);
    }

    fn inv_transform_normalize(
        &mut self,
        params: &Self::FlowParameters,
        untransformed_position: &Self::Vector,
        untransformed_gradient: &Self::Vector,
        transformed_position: &mut Self::Vector,
        transformed_gradient: &mut Self::Vector,
    ) -> Result<f64, Self::LogpErr> {
        self.0.inv_transform_normalize(
            params,
            untransformed_position,
            untransformed_gradient,
            transformed_position,
            transformed_gradient,
        )
    }

    fn init_from_untransformed_position(
        &mut self,
        params: &Self::FlowParameters,
        untransformed_position: &Self::Vector,
        untransformed_gradient: &mut Self::Vector,
        transformed_position: &mut Self::Vector,
        transformed_gradient: &mut Self::Vector,
        clip: Option<f64>,
    ) -> Result<(f64, f64), Self::LogpErr> {
        self.0.init_from_untransformed_position(
            params,
            untransformed_position,
            untransformed_gradient,
            transformed_position,
            transformed_gradient,
            clip,
        )
    }

    fn init_from_transformed_position(
        &mut self,
        params: &Self::FlowParameters,
        untransformed_position: &mut Self::Vector,
        untransformed_gradient: &mut Self::Vector,
        transformed_position: &Self::Vector,
        transformed_gradient: &mut Self::Vector,
        clip: Option<f64>,
    ) -> Result<(f64, f64), Self::LogpErr> {
        self.0.init_from_transformed_position(
            params,
            untransformed_position,
            untransformed_gradient,
            transformed_position,
            transformed_gradient,
            clip,
        )
    }

    fn update_transformation<'a, R: Rng + ?Sized>(
        &'a mut self,
        rng: &mut R,
        untransformed_positions: impl ExactSizeIterator<Item = &'a Self::Vector>,
        untransformed_gradients: impl ExactSizeIterator<Item = &'a Self::Vector>,
        untransformed_logps: impl ExactSizeIterator<Item = &'a f64>,
        params: &'a mut Self::FlowParameters,
    ) -> Result<(), Self::LogpErr> {
        self.0.update_transformation(
            rng,
            untransformed_positions,
            untransformed_gradients,
            untransformed_logps,
            params,
        )
    }

    fn new_transformation<R: Rng + ?Sized>(
        &mut self,
        rng: &mut R,
        dim: usize,
        chain: u64,
    ) -> Result<Self::FlowParameters, Self::LogpErr> {
        self.0.new_transformation(rng, dim, chain)
    }

    fn init_transformation<R: Rng + ?Sized>(
        &mut self,
        rng: &mut R,
        untransformed_position: &Self::Vector,
        untransformed_gradient: &Self::Vector,
        chain: u64,
    ) -> Result<Self::FlowParameters, Self::LogpErr> {
        self.0.init_transformation(rng, untransformed_position, untransformed_gradient, chain)
    }

    fn transformation_id(&self, params: &Self::FlowParameters) -> Result<i64, Self::LogpErr> {
        self.0.transformation_id(params)
    }
}

/// The products of a vector with two others, summed from the first number on.
fn dots(
    n: usize,
    of: impl Fn(usize) -> f64,
    x: impl Fn(usize) -> f64,
    y: impl Fn(usize) -> f64,
) -> (f64, f64) {
    (0..n).fold((0.0, 0.0), |(along_x, along_y), i| {
        let of = of(i);
        (along_x + of * x(i), along_y + of * y(i))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_go_from_the_first_number_to_the_last() {
        // Each number is lost in the sum before it; any other order would keep some of them.
        let of = |i: usize| if i == 0 { 1e16 } else { 1.0 };
        let (along_ones, along_signs) = dots(16, of, |_| 1.0, |i| if i == 0 { 0.0 } else { 1.0 });
        assert_eq!((along_ones, along_signs), (1e16, 15.0));
        let backwards: f64 = (0..16).rev().map(of).sum();
        assert!(backwards > 1e16);
    }
}
