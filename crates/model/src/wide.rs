//! Compiles loops for the widest vectors of the processor that runs them.

use pulp::{Arch, NullaryFnOnce};

/// Runs `loops`, compiled for the widest vectors of `arch`. The closure should be
/// `#[inline(always)]`.
///
/// Why `FnMut`, and not [`Arch::dispatch`] directly: that takes a closure which runs once. The
/// compiler wraps one that could run twice in a function that runs it once, and that function lacks
/// the attribute. A long one is then not inlined and stays code for every processor, with vectors
/// of four numbers. A call through `FnMut` uses the body of the closure itself.
#[inline(always)]
pub fn widest<R>(arch: Arch, loops: impl FnMut() -> R) -> R {
    struct WideLoops<F>(F);

    impl<R, F: FnMut() -> R> NullaryFnOnce for WideLoops<F> {
        type Output = R;

        #[inline(always)]
        fn call(mut self) -> R {
            (self.0)()
        }
    }

    arch.dispatch(WideLoops(loops))
}
