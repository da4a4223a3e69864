//! Implements the list of operations; each passes its arguments to its own file.

use std::ops::Range;

use super::kernel::{self, Engine, KernelChoice};
use super::processor::Cpu;
use super::{
    adamw, attention, bias, distil, embedding, loss, mask, norm, product, rotary, sums, swiglu,
};
use crate::backend::{
    AdamWStep, Backend, Heads, Mixture, Rotation, SequenceRows, TopShares, View, ViewMut,
};
use crate::error::ModelFault;
use crate::{Error, Result};

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

/// The rows of each sequence.
fn ranges(sequences: SequenceRows<'_, Vec<u32>>) -> Vec<Range<usize>> {
    let (bounds, _) = sequences.bounds.as_chunks::<2>();
    bounds.iter().map(|&[start, end]| start as usize..end as usize).collect()
}

impl<T: Engine> Backend for Cpu<T> {
    type Scalar = T;
    type Buffer = Vec<T>;
    type Weights = Vec<T>;
    type Ids = Vec<u32>;
    type Losses = Vec<f64>;

    fn kernel(&self) -> String {
        format!("cpu-{}", self.kernel.name())
    }

    fn in_full_precision(&self) -> Self {
        Cpu::new()
    }

    fn allocate(&self, len: usize) -> Result<Vec<T>> {
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(len).map_err(|_| {
            Error::from(ModelFault::Memory { bytes: len.saturating_mul(size_of::<T>()) })
        })?;
        // Before the pages are first written: afterwards the system would have to move them.
        kernel::prefer_large(&mut buffer);
        buffer.resize(len, T::ZERO);
        Ok(buffer)
    }

    fn allocate_weights(&self, len: usize) -> Result<Vec<T>> {
        self.allocate(len)
    }

    fn allocate_losses(&self, len: usize) -> Result<Vec<f64>> {
        Ok(vec![0.0; len])
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

    fn upload_weights(&self, values: &[f32], weights: &mut Vec<T>, offset: usize) -> Result<()> {
        self.upload(values, weights, offset)
    }

    fn upload_ids(&self, ids: &[u32]) -> Result<Vec<u32>> {
        Ok(ids.to_vec())
    }

    fn download_weights(&self, from: &Vec<T>, offset: usize, values: &mut [f32]) -> Result<()> {
        self.download(from, offset, values)
    }

    fn download_losses(&self, losses: &Vec<f64>, values: &mut [f64]) -> Result<()> {
        values.copy_from_slice(&losses[..values.len()]);
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
        // One copy of everything is faster than one per row.
        if from.area.is_contiguous() && to.area.is_contiguous() {
            write(to).copy_from_slice(read(from));
            return Ok(());
        }
        assert!(!from.transposed, "rows are copied as they lie");
        assert_eq!(from.shape(), (to.area.rows, to.area.columns), "as many rows and columns");
        for row in 0..from.area.rows {
            let (from_start, to_start) = (row * from.area.stride, row * to.area.stride);
            let from = &from.buffer[from.area.offset + from_start..][..from.area.columns];
            to.buffer[to.area.offset + to_start..][..from.len()].copy_from_slice(from);
        }
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

    fn project(
        &self,
        a: View<'_, Vec<T>>,
        b: View<'_, Vec<T>>,
        c: ViewMut<'_, Vec<T>>,
        accumulate: bool,
    ) -> Result<()> {
        self.product(a, b, c, accumulate)
    }

    fn embed(
        &self,
        table: View<'_, Vec<T>>,
        tokens: &Vec<u32>,
        out: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        embedding::forward(read(table), tokens, table.area.columns, write(out));
        Ok(())
    }

    fn embed_backward(
        &self,
        out_grad: View<'_, Vec<T>>,
        tokens: &Vec<u32>,
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
        rotation: Rotation<'_, Vec<T>, Vec<u32>>,
    ) -> Result<()> {
        rotary::rotate(self.arch, x, dim, rotation);
        Ok(())
    }

    fn attention(
        &self,
        qkv: View<'_, Vec<T>>,
        heads: Heads,
        sequences: SequenceRows<'_, Vec<u32>>,
        out: ViewMut<'_, Vec<T>>,
        log_sums: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        attention::forward(
            *self,
            read(qkv),
            heads,
            &ranges(sequences),
            write(out),
            write(log_sums),
        );
        Ok(())
    }

    fn attention_backward(
        &self,
        qkv: View<'_, Vec<T>>,
        out: View<'_, Vec<T>>,
        log_sums: View<'_, Vec<T>>,
        out_grad: View<'_, Vec<T>>,
        heads: Heads,
        sequences: SequenceRows<'_, Vec<u32>>,
        qkv_grad: ViewMut<'_, Vec<T>>,
    ) -> Result<()> {
        attention::backward(
            *self,
            attention::Saved { qkv: read(qkv), out: read(out), log_sums: read(log_sums) },
            read(out_grad),
            heads,
            &ranges(sequences),
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
        targets: &Vec<u32>,
        first: usize,
        gradient_scale: Option<f64>,
        losses: &mut Vec<f64>,
    ) -> Result<()> {
        let (vocabulary, rows) = (logits.area.columns, first..first + logits.area.rows);
        let (targets, losses) = (&targets[rows.clone()], &mut losses[rows]);
        loss::cross_entropy(self.arch, write(logits), vocabulary, targets, gradient_scale, losses);
        Ok(())
    }

    fn distillation(
        &self,
        logits: ViewMut<'_, Vec<T>>,
        teacher: ViewMut<'_, Vec<T>>,
        targets: &Vec<u32>,
        first: usize,
        mixture: Mixture,
        gradient_scale: Option<f64>,
        losses: &mut Vec<f64>,
    ) -> Result<()> {
        let rows = first..first + logits.area.rows;
        distil::from_logits(
            self.arch,
            write(logits),
            write(teacher),
            &targets[rows.clone()],
            mixture,
            gradient_scale,
            &mut losses[rows],
        );
        Ok(())
    }

    fn distillation_from_top(
        &self,
        logits: ViewMut<'_, Vec<T>>,
        top: TopShares<'_, Vec<T>, Vec<u32>>,
        targets: &Vec<u32>,
        first: usize,
        mixture: Mixture,
        gradient_scale: Option<f64>,
        losses: &mut Vec<f64>,
    ) -> Result<()> {
        let rows = first..first + logits.area.rows;
        let of = |width: usize| rows.start * width..rows.end * width;
        let top = distil::TopRows {
            ids: &top.ids[of(top.count)],
            shares: &top.shares[of(top.count + 1)],
            count: top.count,
        };
        distil::from_top(
            self.arch,
            write(logits),
            top,
            &targets[rows.clone()],
            mixture,
            gradient_scale,
            &mut losses[rows],
        );
        Ok(())
    }

    fn sum_losses(&self, losses: &Vec<f64>, count: usize) -> Result<f64> {
        Ok(losses[..count].iter().sum())
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
        constants: AdamWStep,
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
