//! A second backend for tests. It computes as the processor does, but nothing outside can read its
//! memory, and it counts every copy between host and backend.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Result;
use crate::backend::cpu::{Cpu, Engine};
use crate::backend::{
    AdamWStep, Backend, Heads, Mixture, Rotation, SequenceRows, TopShares, View, ViewMut,
    operations,
};

/// An array in the memory of [`Opaque`]. Only its operations can read it.
pub struct Hidden<Array>(Array);

/// Weights in that memory, with their own type.
pub struct HiddenWeights<Array>(Array);

/// Number of copies so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copies {
    /// From the host to the backend.
    pub up: usize,
    /// From the backend to the host.
    pub down: usize,
}

/// The backend. Clones share their counts.
#[derive(Clone)]
pub struct Opaque<T: Engine> {
    cpu: Cpu<T>,
    copies: Arc<[AtomicUsize; 2]>,
}

impl<T: Engine> Opaque<T> {
    /// A backend without copies so far.
    pub fn new() -> Self {
        Opaque { cpu: Cpu::new(), copies: Arc::default() }
    }

    /// The copies since the last call.
    pub fn copies(&self) -> Copies {
        let [up, down] = &*self.copies;
        Copies { up: up.swap(0, Ordering::Relaxed), down: down.swap(0, Ordering::Relaxed) }
    }

    fn up(&self) -> &Cpu<T> {
        self.copies[0].fetch_add(1, Ordering::Relaxed);
        &self.cpu
    }

    fn down(&self) -> &Cpu<T> {
        self.copies[1].fetch_add(1, Ordering::Relaxed);
        &self.cpu
    }
}

impl<T: Engine> Default for Opaque<T> {
    fn default() -> Self {
        Opaque::new()
    }
}

/// Converts an argument to what the processor takes.
trait AsProcessor {
    type OnProcessor;
    fn open(self) -> Self::OnProcessor;
}

macro_rules! open {
    ($([$($lifetime:lifetime)? $($generic:ident)?] $type:ty => $opened:ty: $this:ident, $body:expr;)*) => {
        $(
            impl<$($lifetime,)? $($generic)?> AsProcessor for $type {
                type OnProcessor = $opened;
                #[inline]
                fn open(self) -> Self::OnProcessor {
                    let $this = self;
                    $body
                }
            }
        )*
    };
}
open! {
    [] bool => bool: value, value;
    [] usize => usize: value, value;
    [] f64 => f64: value, value;
    [] Option<f64> => Option<f64>: value, value;
    [] Range<usize> => Range<usize>: value, value;
    [] Heads => Heads: value, value;
    [] Mixture => Mixture: value, value;
    [] AdamWStep => AdamWStep: value, value;
    ['a A] &'a Hidden<A> => &'a A: array, &array.0;
    ['a A] &'a mut Hidden<A> => &'a mut A: array, &mut array.0;
    ['a A] &'a HiddenWeights<A> => &'a A: array, &array.0;
    ['a A] &'a mut HiddenWeights<A> => &'a mut A: array, &mut array.0;
    ['a A] (&'a mut Hidden<A>, &'a mut Hidden<A>) => (&'a mut A, &'a mut A): two,
        (&mut two.0.0, &mut two.1.0);
    ['a A] View<'a, Hidden<A>> => View<'a, A>: view, view.on(&view.buffer.0);
    ['a A] View<'a, HiddenWeights<A>> => View<'a, A>: view, view.on(&view.buffer.0);
    ['a A] ViewMut<'a, Hidden<A>> => ViewMut<'a, A>: view,
        ViewMut::new(&mut view.buffer.0, view.area);
    ['a A] SequenceRows<'a, Hidden<A>> => SequenceRows<'a, A>: all,
        SequenceRows { bounds: &all.bounds.0, count: all.count, pairs: all.pairs };
}

impl<'a, A, I> AsProcessor for TopShares<'a, Hidden<A>, Hidden<I>> {
    type OnProcessor = TopShares<'a, A, I>;
    fn open(self) -> Self::OnProcessor {
        TopShares { ids: &self.ids.0, shares: &self.shares.0, count: self.count }
    }
}

impl<'a, A, I> AsProcessor for Rotation<'a, Hidden<A>, Hidden<I>> {
    type OnProcessor = Rotation<'a, A, I>;
    fn open(self) -> Self::OnProcessor {
        Rotation {
            cosines: &self.cosines.0,
            sines: &self.sines.0,
            positions: &self.positions.0,
            inverse: self.inverse,
        }
    }
}

macro_rules! opaque {
    ($(
        $(#[$doc:meta])*
        [$work:ident, $flop:expr, $numbers:expr]
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty;
    )*) => {
        impl<T: Engine> Backend for Opaque<T> {
            type Scalar = T;
            type Buffer = Hidden<Vec<T>>;
            type Weights = HiddenWeights<Vec<T>>;
            type Ids = Hidden<Vec<u32>>;
            type Losses = Hidden<Vec<f64>>;

            fn kernel(&self) -> String {
                self.cpu.kernel()
            }
            fn in_full_precision(&self) -> Self {
                Opaque { cpu: self.cpu.in_full_precision(), copies: Arc::clone(&self.copies) }
            }
            fn allocate(&self, len: usize) -> Result<Self::Buffer> {
                self.cpu.allocate(len).map(Hidden)
            }
            fn allocate_weights(&self, len: usize) -> Result<Self::Weights> {
                self.cpu.allocate_weights(len).map(HiddenWeights)
            }
            fn allocate_losses(&self, len: usize) -> Result<Self::Losses> {
                self.cpu.allocate_losses(len).map(Hidden)
            }
            fn upload(&self, values: &[f32], to: &mut Self::Buffer, offset: usize) -> Result<()> {
                self.up().upload(values, &mut to.0, offset)
            }
            fn upload_f64(
                &self,
                values: &[f64],
                to: &mut Self::Buffer,
                offset: usize,
            ) -> Result<()> {
                self.up().upload_f64(values, &mut to.0, offset)
            }
            fn upload_weights(
                &self,
                values: &[f32],
                to: &mut Self::Weights,
                offset: usize,
            ) -> Result<()> {
                self.up().upload_weights(values, &mut to.0, offset)
            }
            fn upload_ids(&self, ids: &[u32]) -> Result<Self::Ids> {
                self.up().upload_ids(ids).map(Hidden)
            }
            fn download(
                &self,
                from: &Self::Buffer,
                offset: usize,
                values: &mut [f32],
            ) -> Result<()> {
                self.down().download(&from.0, offset, values)
            }
            fn download_weights(
                &self,
                from: &Self::Weights,
                offset: usize,
                values: &mut [f32],
            ) -> Result<()> {
                self.down().download_weights(&from.0, offset, values)
            }
            fn download_losses(&self, losses: &Self::Losses, values: &mut [f64]) -> Result<()> {
                self.down().download_losses(&losses.0, values)
            }

            $(
                fn $name(&self, $($argument: $type),*) -> Result<$result> {
                    self.cpu.$name($($argument.open()),*)
                }
            )*
        }
    };
}
operations!(opaque);
