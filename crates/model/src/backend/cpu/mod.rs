//! The CPU: one file an operation, forward and backward side by side.
//!
//! Work is cut into chunks whose size depends on shapes alone, partial sums are added in chunk
//! order, and products are never split along the summed dimension: results do not depend on the
//! number of threads. Elementwise loops never contract a multiplication and an addition into one
//! rounding, so that they give the same bits at every vector width; only `gemm`'s products depend
//! on the processor's features.

mod adamw;
mod attention;
mod bias;
mod embedding;
mod kernel;
mod lanes;
mod loss;
mod mask;
mod norm;
mod product;
mod rotary;
mod space;
mod sums;
mod swiglu;
#[cfg(test)]
mod testing;

use std::ops::Range;

use kernel::Choice;
pub use kernel::Engine;
use ledger::Precision;
use pulp::Arch;

use super::{AdamW, Backend, Heads, Rotation, View, ViewMut};
use crate::{Error, Result};

/// The processor, computing in `T` on the threads of the current rayon pool.
#[derive(Debug, Clone, Copy)]
pub struct Cpu<T: Engine> {
    arch: Arch,
    kernel: T::Choice,
}

impl<T: Engine> Cpu<T> {
    /// Looks at the processor's features once.
    pub fn new() -> Self {
        Cpu::with(Precision::F32)
    }

    /// With [`Precision::Bf16`], products round what they read to bf16 and sum in `f32`; everything
    /// else, and `f64`, stays as it is.
    pub fn with(precision: Precision) -> Self {
        Cpu { arch: Arch::new(), kernel: T::Choice::best(precision) }
    }
}

impl<T: Engine> Default for Cpu<T> {
    fn default() -> Self {
        Cpu::new()
    }
}

/// Elements that one task works on; a constant, so that chunks do not follow the number of threads.
const CHUNK: usize = 1 << 14;

/// Rows of `columns` elements that one task works on.
fn rows_of_chunk(columns: usize) -> usize {
    (CHUNK / columns.max(1)).max(1)
}

/// The elements of a contiguous area.
fn read<'a, T>(view: View<'a, Vec<T>>) -> &'a [T] {
    assert!(view.area.is_contiguous() && !view.transposed, "a contiguous matrix is needed");
    &view.buffer[view.area.offset..view.area.end()]
}

/// The elements of a contiguous area, to write.
fn write<'a, T>(view: ViewMut<'a, Vec<T>>) -> &'a mut [T] {
    assert!(view.area.is_contiguous(), "a contiguous matrix is needed");
    &mut view.buffer[view.area.offset..view.area.end()]
}

impl<T: Engine> Backend for Cpu<T> {
    type Scalar = T;
    type Buffer = Vec<T>;

    fn kernel(&self) -> String {
        format!("cpu-{}", self.kernel.name())
    }

    fn in_full_precision(&self) -> Self {
        Cpu::new()
    }

    fn allocate(&self, len: usize) -> Result<Vec<T>> {
        let mut buffer = Vec::new();
        buffer
            .try_reserve_exact(len)
            .map_err(|_| Error::Memory { bytes: len.saturating_mul(size_of::<T>()) })?;
        kernel::prefer_large(&mut buffer);
        buffer.resize(len, T::ZERO);
        Ok(buffer)
    }

    fn upload(&self, values: &[f32], buffer: &mut Vec<T>, offset: usize) -> Result<()> {
        for (to, &from) in buffer[offset..offset + values.len()].iter_mut().zip(values) {
            *to = T::from_f32(from);
        }
        Ok(())
    }

    fn upload_f64(&self, values: &[f64], buffer: &mut Vec<T>, offset: usize) -> Result<()> {
        for (to, &from) in buffer[offset..offset + values.len()].iter_mut().zip(values) {
            *to = T::from_f64(from);
        }
        Ok(())
    }

    fn download(&self, buffer: &Vec<T>, offset: usize, values: &mut [f32]) -> Result<()> {
        let len = values.len();
        for (to, &from) in values.iter_mut().zip(&buffer[offset..offset + len]) {
            *to = from.to_f32();
        }
        Ok(())
    }

    fn clear(&self, buffer: &mut Vec<T>, range: Range<usize>) -> Result<()> {
        buffer[range].fill(T::ZERO);
        Ok(())
    }

    fn clear_where_zero(
        &self,
        buffer: &mut Vec<T>,
        by: &Vec<T>,
        range: Range<usize>,
    ) -> Result<()> {
        mask::clear_where_zero(&mut buffer[range.clone()], &by[range]);
        Ok(())
    }

    fn copy(&self, from: View<'_, Vec<T>>, to: ViewMut<'_, Vec<T>>) -> Result<()> {
        write(to).copy_from_slice(read(from));
        Ok(())
    }

    fn product(
        &self,
        a: View<'_, Vec<T>>,
        b: View<'_, Vec<T>>,
        c: ViewMut<'_, Vec<T>>,
        accumulate: bool,
    ) -> Result<()> {
        product::product(*self, a, b, c, accumulate);
        Ok(())
    }

    fn embed(
        &self,
        table: View<'_, Vec<T>>,
        tokens: &[u32],
        out: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        embedding::forward(read(table), tokens, table.area.columns, write(out));
        Ok(())
    }

    fn embed_backward(
        &self,
        out_grad: View<'_, Vec<T>>,
        tokens: &[u32],
        table_grad: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        let columns = table_grad.area.columns;
        embedding::backward(read(out_grad), tokens, columns, write(table_grad));
        Ok(())
    }

    fn rms_norm(
        &self,
        x: View<'_, Vec<T>>,
        weight: View<'_, Vec<T>>,
        epsilon: f64,
        out: ViewMut<'_, Vec<T>>,
        inverse_rms: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        norm::forward(
            self.arch,
            read(x),
            read(weight),
            T::from_f64(epsilon),
            write(out),
            write(inverse_rms),
        );
        Ok(())
    }

    fn rms_norm_backward(
        &self,
        out_grad: View<'_, Vec<T>>,
        x: View<'_, Vec<T>>,
        weight: View<'_, Vec<T>>,
        inverse_rms: View<'_, Vec<T>>,
        x_grad: ViewMut<'_, Vec<T>>,
        weight_grad: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        norm::backward(
            self.arch,
            read(out_grad),
            read(x),
            read(weight),
            read(inverse_rms),
            write(x_grad),
            write(weight_grad),
        );
        Ok(())
    }

    fn add_bias(&self, x: ViewMut<'_, Vec<T>>, bias: View<'_, Vec<T>>) -> Result<()> {
        bias::forward(self.arch, write(x), read(bias));
        Ok(())
    }

    fn add_bias_backward(
        &self,
        x_grad: View<'_, Vec<T>>,
        bias_grad: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        bias::backward(self.arch, read(x_grad), write(bias_grad));
        Ok(())
    }

    fn rotate(
        &self,
        x: ViewMut<'_, Vec<T>>,
        dim: usize,
        rotation: Rotation<'_, Vec<T>>,
    ) -> Result<()> {
        rotary::rotate(self.arch, x, dim, rotation);
        Ok(())
    }

    fn attention(
        &self,
        qkv: View<'_, Vec<T>>,
        heads: Heads,
        sequences: &[Range<usize>],
        out: ViewMut<'_, Vec<T>>,
        log_sums: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        attention::forward(*self, read(qkv), heads, sequences, write(out), write(log_sums));
        Ok(())
    }

    fn attention_backward(
        &self,
        qkv: View<'_, Vec<T>>,
        out: View<'_, Vec<T>>,
        log_sums: View<'_, Vec<T>>,
        out_grad: View<'_, Vec<T>>,
        heads: Heads,
        sequences: &[Range<usize>],
        qkv_grad: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        attention::backward(
            *self,
            attention::Saved { qkv: read(qkv), out: read(out), log_sums: read(log_sums) },
            read(out_grad),
            heads,
            sequences,
            write(qkv_grad),
        );
        Ok(())
    }

    fn swiglu(&self, gate_up: View<'_, Vec<T>>, out: ViewMut<'_, Vec<T>>) -> Result<()> {
        let columns = out.area.columns;
        swiglu::forward(self.arch, read(gate_up), columns, write(out));
        Ok(())
    }

    fn swiglu_backward(
        &self,
        gate_up: ViewMut<'_, Vec<T>>,
        out_grad: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        let columns = out_grad.area.columns;
        swiglu::backward(self.arch, write(gate_up), columns, write(out_grad));
        Ok(())
    }

    fn cross_entropy(
        &self,
        logits: ViewMut<'_, Vec<T>>,
        targets: &[u32],
        gradient_scale: Option<f64>,
        losses: &mut [f64],
    ) -> Result<()> {
        let vocabulary = logits.area.columns;
        loss::cross_entropy(self.arch, write(logits), vocabulary, targets, gradient_scale, losses);
        Ok(())
    }

    fn sum_of_squares(&self, buffer: &Vec<T>, range: Range<usize>) -> Result<f64> {
        Ok(sums::of_squares(self.arch, &buffer[range]))
    }

    fn adamw(
        &self,
        weights: &mut Vec<T>,
        gradients: &Vec<T>,
        moments: (&mut Vec<T>, &mut Vec<T>),
        range: Range<usize>,
        constants: AdamW,
    ) -> Result<()> {
        adamw::step(
            self.arch,
            &mut weights[range.clone()],
            &gradients[range.clone()],
            &mut moments.0[range.clone()],
            &mut moments.1[range],
            constants,
        );
        Ok(())
    }
}
