//! A machine that keeps account of where its time goes.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{AdamW, Backend, Heads, Rotation, View, ViewMut};
use crate::Result;

/// What a machine's time is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Matrix products.
    Products,
    /// Attention, its products among it.
    Attention,
    /// RMSNorm.
    Norms,
    /// SwiGLU.
    SwiGlu,
    /// Rotary positions and biases.
    Rotary,
    /// Embedding and copies.
    Copies,
    /// Softmax and loss over the vocabulary.
    Loss,
    /// Global norm, masks and AdamW.
    Optimizer,
}

impl Kind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Products,
        Self::Attention,
        Self::Norms,
        Self::SwiGlu,
        Self::Rotary,
        Self::Copies,
        Self::Loss,
        Self::Optimizer,
    ];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Products => "products",
            Self::Attention => "attention",
            Self::Norms => "norms",
            Self::SwiGlu => "SwiGLU",
            Self::Rotary => "rotary positions, biases",
            Self::Copies => "embedding, copies",
            Self::Loss => "loss",
            Self::Optimizer => "optimiser",
        }
    }
}

/// Time, and the work done in it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Operations called.
    pub calls: u64,
    /// Seconds.
    pub seconds: f64,
    /// Multiplications and additions of products, as if nothing could be left out.
    pub flop: f64,
    /// Bytes that must be read or written at least once.
    pub bytes: f64,
}

/// What each kind of work took so far; clones share one account.
#[derive(Debug, Clone, Default)]
pub struct Account(Arc<Mutex<[Spent; Kind::ALL.len()]>>);

impl Account {
    /// What was spent on one kind of work.
    pub fn of(&self, kind: Kind) -> Spent {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[kind as usize]
    }

    /// Begins anew.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
    }

    fn add(&self, kind: Kind, seconds: f64, flop: f64, bytes: f64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = &mut all[kind as usize];
        spent.calls += 1;
        spent.seconds += seconds;
        spent.flop += flop;
        spent.bytes += bytes;
    }
}

/// A machine, and the account that it keeps if it is asked to.
#[derive(Debug, Clone)]
pub struct Profiled<B> {
    machine: B,
    account: Option<Account>,
}

impl<B: Backend> Profiled<B> {
    /// `machine`, keeping `account`; with none, it is the machine itself.
    pub fn new(machine: B, account: Option<Account>) -> Self {
        Profiled { machine, account }
    }

    fn time<R>(&self, kind: Kind, flop: f64, numbers: usize, work: impl FnOnce(&B) -> R) -> R {
        let Some(account) = &self.account else { return work(&self.machine) };
        let begin = Instant::now();
        let result = work(&self.machine);
        account.add(
            kind,
            begin.elapsed().as_secs_f64(),
            flop,
            (numbers * size_of::<B::Scalar>()) as f64,
        );
        result
    }
}

/// Numbers in an area.
fn len<Buffer>(view: &View<'_, Buffer>) -> usize {
    view.area.rows * view.area.columns
}

fn len_mut<Buffer>(view: &ViewMut<'_, Buffer>) -> usize {
    view.area.rows * view.area.columns
}

/// Multiplications and additions of `products` products of the seen half of the scores.
fn attention_flop(heads: Heads, sequences: &[Range<usize>], products: f64) -> f64 {
    let seen: f64 =
        sequences.iter().map(|rows| rows.len() as f64 * (rows.len() as f64 + 1.0) / 2.0).sum();
    products * 2.0 * seen * (heads.query * heads.dim) as f64
}

impl<B: Backend> Backend for Profiled<B> {
    type Scalar = B::Scalar;
    type Buffer = B::Buffer;

    fn kernel(&self) -> String {
        self.machine.kernel()
    }

    /// It keeps no account: what is shown is training.
    fn in_full_precision(&self) -> Self {
        Profiled::new(self.machine.in_full_precision(), None)
    }

    fn allocate(&self, len: usize) -> Result<B::Buffer> {
        self.machine.allocate(len)
    }

    fn upload(&self, values: &[f32], buffer: &mut B::Buffer, offset: usize) -> Result<()> {
        self.machine.upload(values, buffer, offset)
    }

    fn upload_f64(&self, values: &[f64], buffer: &mut B::Buffer, offset: usize) -> Result<()> {
        self.machine.upload_f64(values, buffer, offset)
    }

    fn download(&self, buffer: &B::Buffer, offset: usize, values: &mut [f32]) -> Result<()> {
        self.machine.download(buffer, offset, values)
    }

    fn clear(&self, buffer: &mut B::Buffer, range: Range<usize>) -> Result<()> {
        self.time(Kind::Copies, 0.0, range.len(), |machine| machine.clear(buffer, range))
    }

    fn clear_where_zero(
        &self,
        buffer: &mut B::Buffer,
        by: &B::Buffer,
        range: Range<usize>,
    ) -> Result<()> {
        let numbers = 3 * range.len();
        self.time(Kind::Optimizer, 0.0, numbers, |machine| {
            machine.clear_where_zero(buffer, by, range)
        })
    }

    fn copy(&self, from: View<'_, B::Buffer>, to: ViewMut<'_, B::Buffer>) -> Result<()> {
        self.time(Kind::Copies, 0.0, 2 * len(&from), |machine| machine.copy(from, to))
    }

    fn product(
        &self,
        a: View<'_, B::Buffer>,
        b: View<'_, B::Buffer>,
        c: ViewMut<'_, B::Buffer>,
        accumulate: bool,
    ) -> Result<()> {
        let flop = 2.0 * len(&a) as f64 * b.shape().1 as f64;
        let numbers = len(&a) + len(&b) + len_mut(&c) * if accumulate { 2 } else { 1 };
        self.time(Kind::Products, flop, numbers, |machine| machine.product(a, b, c, accumulate))
    }

    fn embed(
        &self,
        table: View<'_, B::Buffer>,
        tokens: &[u32],
        out: ViewMut<'_, B::Buffer>,
    ) -> Result<()> {
        let numbers = 2 * len_mut(&out);
        self.time(Kind::Copies, 0.0, numbers, |machine| machine.embed(table, tokens, out))
    }

    fn embed_backward(
        &self,
        out_grad: View<'_, B::Buffer>,
        tokens: &[u32],
        table_grad: ViewMut<'_, B::Buffer>,
    ) -> Result<()> {
        let numbers = 3 * len(&out_grad);
        self.time(Kind::Copies, 0.0, numbers, |machine| {
            machine.embed_backward(out_grad, tokens, table_grad)
        })
    }

    fn rms_norm(
        &self,
        x: View<'_, B::Buffer>,
        weight: View<'_, B::Buffer>,
        epsilon: f64,
        out: ViewMut<'_, B::Buffer>,
        inverse_rms: ViewMut<'_, B::Buffer>,
    ) -> Result<()> {
        let numbers = 2 * len(&x);
        self.time(Kind::Norms, 0.0, numbers, |machine| {
            machine.rms_norm(x, weight, epsilon, out, inverse_rms)
        })
    }

    fn rms_norm_backward(
        &self,
        out_grad: View<'_, B::Buffer>,
        x: View<'_, B::Buffer>,
        weight: View<'_, B::Buffer>,
        inverse_rms: View<'_, B::Buffer>,
        x_grad: ViewMut<'_, B::Buffer>,
        weight_grad: ViewMut<'_, B::Buffer>,
    ) -> Result<()> {
        self.time(Kind::Norms, 0.0, 4 * len(&x), |machine| {
            machine.rms_norm_backward(out_grad, x, weight, inverse_rms, x_grad, weight_grad)
        })
    }

    fn add_bias(&self, x: ViewMut<'_, B::Buffer>, bias: View<'_, B::Buffer>) -> Result<()> {
        let numbers = 2 * len_mut(&x);
        self.time(Kind::Rotary, 0.0, numbers, |machine| machine.add_bias(x, bias))
    }

    fn add_bias_backward(
        &self,
        x_grad: View<'_, B::Buffer>,
        bias_grad: ViewMut<'_, B::Buffer>,
    ) -> Result<()> {
        let numbers = len(&x_grad);
        self.time(Kind::Rotary, 0.0, numbers, |machine| {
            machine.add_bias_backward(x_grad, bias_grad)
        })
    }

    fn rotate(
        &self,
        x: ViewMut<'_, B::Buffer>,
        dim: usize,
        rotation: Rotation<'_, B::Buffer>,
    ) -> Result<()> {
        let numbers = 2 * len_mut(&x);
        self.time(Kind::Rotary, 0.0, numbers, |machine| machine.rotate(x, dim, rotation))
    }

    fn attention(
        &self,
        qkv: View<'_, B::Buffer>,
        heads: Heads,
        sequences: &[Range<usize>],
        out: ViewMut<'_, B::Buffer>,
        log_sums: ViewMut<'_, B::Buffer>,
    ) -> Result<()> {
        let (flop, numbers) = (attention_flop(heads, sequences, 2.0), len(&qkv) + len_mut(&out));
        self.time(Kind::Attention, flop, numbers, |machine| {
            machine.attention(qkv, heads, sequences, out, log_sums)
        })
    }

    fn attention_backward(
        &self,
        qkv: View<'_, B::Buffer>,
        out: View<'_, B::Buffer>,
        log_sums: View<'_, B::Buffer>,
        out_grad: View<'_, B::Buffer>,
        heads: Heads,
        sequences: &[Range<usize>],
        qkv_grad: ViewMut<'_, B::Buffer>,
    ) -> Result<()> {
        let (flop, numbers) =
            (attention_flop(heads, sequences, 5.0), 2 * len(&qkv) + 2 * len(&out));
        self.time(Kind::Attention, flop, numbers, |machine| {
            machine.attention_backward(qkv, out, log_sums, out_grad, heads, sequences, qkv_grad)
        })
    }

    fn swiglu(&self, gate_up: View<'_, B::Buffer>, out: ViewMut<'_, B::Buffer>) -> Result<()> {
        let numbers = len(&gate_up) + len_mut(&out);
        self.time(Kind::SwiGlu, 0.0, numbers, |machine| machine.swiglu(gate_up, out))
    }

    fn swiglu_backward(
        &self,
        gate_up: ViewMut<'_, B::Buffer>,
        out_grad: ViewMut<'_, B::Buffer>,
    ) -> Result<()> {
        let numbers = 2 * len_mut(&gate_up) + 2 * len_mut(&out_grad);
        self.time(Kind::SwiGlu, 0.0, numbers, |machine| machine.swiglu_backward(gate_up, out_grad))
    }

    fn cross_entropy(
        &self,
        logits: ViewMut<'_, B::Buffer>,
        targets: &[u32],
        gradient_scale: Option<f64>,
        losses: &mut [f64],
    ) -> Result<()> {
        let numbers = len_mut(&logits) * if gradient_scale.is_some() { 2 } else { 1 };
        self.time(Kind::Loss, 0.0, numbers, |machine| {
            machine.cross_entropy(logits, targets, gradient_scale, losses)
        })
    }

    fn sum_of_squares(&self, buffer: &B::Buffer, range: Range<usize>) -> Result<f64> {
        self.time(Kind::Optimizer, 0.0, range.len(), |machine| {
            machine.sum_of_squares(buffer, range)
        })
    }

    fn adamw(
        &self,
        weights: &mut B::Buffer,
        gradients: &B::Buffer,
        moments: (&mut B::Buffer, &mut B::Buffer),
        range: Range<usize>,
        constants: AdamW,
    ) -> Result<()> {
        let numbers = 7 * range.len();
        self.time(Kind::Optimizer, 0.0, numbers, |machine| {
            machine.adamw(weights, gradients, moments, range, constants)
        })
    }
}

/// The fastest that a machine was seen to go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Multiplications and additions of a product, a second.
    pub flop: f64,
    /// Bytes read from or written to buffers too large for a cache, a second.
    pub bytes: f64,
}

impl Rates {
    /// Measures both: the best of some products of 1536 x 1536 matrices, and of copies of 64 MiB.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn measure<B: Backend>(machine: &B) -> Result<Self> {
        use super::Area;
        const SIDE: usize = 1536;
        const COPIED: usize = 1 << 24;
        const REPEATS: usize = 5;
        let best = |work: &mut dyn FnMut() -> Result<()>| -> Result<f64> {
            let mut best = f64::INFINITY;
            for _ in 0..REPEATS {
                let begin = Instant::now();
                work()?;
                best = best.min(begin.elapsed().as_secs_f64());
            }
            Ok(best)
        };
        let square = Area::new(0, SIDE, SIDE);
        let values: Vec<f32> = (0..SIDE * SIDE).map(|i| (i % 13) as f32 - 6.0).collect();
        let mut buffers = [machine.allocate(SIDE * SIDE)?, machine.allocate(SIDE * SIDE)?];
        machine.upload(&values, &mut buffers[0], 0)?;
        let [a, c] = &mut buffers;
        let product = best(&mut || {
            machine.product(
                View::new(a, square),
                View::new(a, square).t(),
                ViewMut::new(c, square),
                false,
            )
        })?;
        let line = Area::new(0, COPIED / 4096, 4096);
        let mut buffers = [machine.allocate(COPIED)?, machine.allocate(COPIED)?];
        let [from, to] = &mut buffers;
        let copy = best(&mut || machine.copy(View::new(from, line), ViewMut::new(to, line)))?;
        let bytes = (2 * COPIED * size_of::<B::Scalar>()) as f64;
        Ok(Rates { flop: 2.0 * (SIDE as f64).powi(3) / product, bytes: bytes / copy })
    }

    /// The least seconds that the work could take: products at this rate, or all of its bytes once
    /// through memory, whichever is more.
    pub fn floor(&self, spent: &Spent) -> f64 {
        (spent.flop / self.flop).max(spent.bytes / self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Area, cpu::Cpu};

    #[test]
    fn an_account_holds_what_was_asked_of_the_machine() {
        let account = Account::default();
        let machine = Profiled::new(Cpu::<f64>::new(), Some(account.clone()));
        let (a, b) = (vec![1.0; 6], vec![1.0; 12]);
        let mut c = vec![0.0; 8];
        let (a, b) = (View::new(&a, Area::new(0, 2, 3)), View::new(&b, Area::new(0, 3, 4)));
        machine.product(a, b, ViewMut::new(&mut c, Area::new(0, 2, 4)), false).unwrap();
        assert_eq!(c, [3.0; 8]);
        let spent = account.of(Kind::Products);
        assert_eq!((spent.calls, spent.flop, spent.bytes), (1, 48.0, 8.0 * 26.0));
        assert_eq!(account.of(Kind::Attention), Spent::default());
        let rates = Rates { flop: 24.0, bytes: 1e9 };
        assert_eq!(rates.floor(&spent), 2.0);
        account.clear();
        assert_eq!(account.of(Kind::Products), Spent::default());
    }
}
