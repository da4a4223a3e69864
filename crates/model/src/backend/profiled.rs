//! A backend that records where its time goes.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::operands::{AdamWStep, Heads, Mixture, Rotation, SequenceRows, TopShares};
use super::operations::{Backend, operations};
use super::view::{Area, View, ViewMut};
use crate::Result;

/// The kinds of work that a backend spends time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Matrix products.
    Products,
    /// Attention, including its products.
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

impl Work {
    /// All kinds, in the order in which they are shown.
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

/// The time spent, and the work done in it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Spent {
    /// Number of calls.
    pub calls: u64,
    /// Seconds.
    pub seconds: f64,
    /// Multiplications and additions of products, without anything skipped.
    pub flop: f64,
    /// Bytes that must be read or written at least once.
    pub bytes: f64,
}

/// The total of each kind of work so far. Clones share one account.
#[derive(Debug, Clone, Default)]
pub struct Account(Arc<Mutex<[Spent; Work::ALL.len()]>>);

impl Account {
    /// The total of one kind of work.
    pub fn of(&self, work: Work) -> Spent {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[work as usize]
    }

    /// Sets all totals to zero.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Default::default();
    }

    fn add(&self, work: Work, seconds: f64, flop: f64, bytes: f64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = &mut all[work as usize];
        spent.calls += 1;
        spent.seconds += seconds;
        spent.flop += flop;
        spent.bytes += bytes;
    }
}

/// A backend with an optional account.
#[derive(Debug, Clone)]
pub struct Profiled<B> {
    machine: B,
    account: Option<Account>,
}

impl<B: Backend> Profiled<B> {
    /// Wraps `machine`. With an account, every operation is recorded in it.
    pub fn new(machine: B, account: Option<Account>) -> Self {
        Profiled { machine, account }
    }
}

macro_rules! account {
    ($(
        $(#[$doc:meta])*
        [$work:ident, $flop:expr, $numbers:expr]
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty;
    )*) => {
        impl<B: Backend> Backend for Profiled<B> {
            type Scalar = B::Scalar;
            type Buffer = B::Buffer;
            type Weights = B::Weights;
            type Ids = B::Ids;
            type Losses = B::Losses;

            fn kernel(&self) -> String {
                self.machine.kernel()
            }
            /// Keeps no account: the account shows training only.
            fn in_full_precision(&self) -> Self {
                Profiled::new(self.machine.in_full_precision(), None)
            }
            fn allocate(&self, len: usize) -> Result<B::Buffer> {
                self.machine.allocate(len)
            }
            fn allocate_weights(&self, len: usize) -> Result<B::Weights> {
                self.machine.allocate_weights(len)
            }
            fn allocate_losses(&self, len: usize) -> Result<B::Losses> {
                self.machine.allocate_losses(len)
            }
            fn upload(&self, values: &[f32], to: &mut B::Buffer, offset: usize) -> Result<()> {
                self.machine.upload(values, to, offset)
            }
            fn upload_f64(&self, values: &[f64], to: &mut B::Buffer, offset: usize) -> Result<()> {
                self.machine.upload_f64(values, to, offset)
            }
            fn upload_weights(
                &self,
                values: &[f32],
                to: &mut B::Weights,
                offset: usize,
            ) -> Result<()> {
                self.machine.upload_weights(values, to, offset)
            }
            fn upload_ids(&self, ids: &[u32]) -> Result<B::Ids> {
                self.machine.upload_ids(ids)
            }
            fn download(&self, from: &B::Buffer, offset: usize, values: &mut [f32]) -> Result<()> {
                self.machine.download(from, offset, values)
            }
            fn download_weights(
                &self,
                from: &B::Weights,
                offset: usize,
                values: &mut [f32],
            ) -> Result<()> {
                self.machine.download_weights(from, offset, values)
            }
            fn download_losses(&self, losses: &B::Losses, values: &mut [f64]) -> Result<()> {
                self.machine.download_losses(losses, values)
            }

            $(
                #[inline]
                fn $name(&self, $($argument: $type),*) -> Result<$result> {
                    // Without an account, skip the clock and the cost.
                    let Some(account) = &self.account else {
                        return self.machine.$name($($argument),*);
                    };
                    let (flop, numbers): (f64, usize) = ($flop, $numbers);
                    let begin = Instant::now();
                    let result = self.machine.$name($($argument),*);
                    let seconds = begin.elapsed().as_secs_f64();
                    let bytes = (numbers * size_of::<B::Scalar>()) as f64;
                    account.add(Work::$work, seconds, flop, bytes);
                    result
                }
            )*
        }
    };
}
operations!(account);

/// The highest rates measured on a backend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Multiplications and additions of a product per second.
    pub flop: f64,
    /// Bytes per second read from or written to buffers that exceed the cache.
    pub bytes: f64,
}

impl Rates {
    /// Measures both rates: the best of some products of 1536 x 1536 matrices, and of copies of 64
    /// MiB.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn measure<B: Backend>(machine: &B) -> Result<Self> {
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

    /// The shortest possible time in seconds: the products at this rate, or all bytes once through
    /// memory, whichever takes longer.
    pub fn floor(&self, spent: &Spent) -> f64 {
        (spent.flop / self.flop).max(spent.bytes / self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Cpu;

    #[test]
    fn an_account_holds_what_was_asked_of_the_machine() {
        let account = Account::default();
        let machine = Profiled::new(Cpu::<f64>::new(), Some(account.clone()));
        let (a, b) = (vec![1.0; 6], vec![1.0; 12]);
        let mut c = vec![0.0; 8];
        let (a, b) = (View::new(&a, Area::new(0, 2, 3)), View::new(&b, Area::new(0, 3, 4)));
        machine.product(a, b, ViewMut::new(&mut c, Area::new(0, 2, 4)), false).unwrap();
        assert_eq!(c, [3.0; 8]);
        let spent = account.of(Work::Products);
        assert_eq!((spent.calls, spent.flop, spent.bytes), (1, 48.0, 8.0 * 26.0));
        assert_eq!(account.of(Work::Attention), Spent::default());
        let rates = Rates { flop: 24.0, bytes: 1e9 };
        assert_eq!(rates.floor(&spent), 2.0);
        account.clear();
        assert_eq!(account.of(Work::Products), Spent::default());
    }
}
