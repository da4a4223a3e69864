//! Loops compiled for the widest vectors of the processor that runs them.

use pulp::{Arch, NullaryFnOnce};

/// Runs `loops`, whose closure should be `#[inline(always)]`, compiled for the widest vectors that
/// `arch` has.
///
/// To be given to [`Arch::dispatch`] itself, a closure that could run twice is wrapped by the
/// compiler in a function that runs it once; that function has no such attribute, and a long one
/// stays what it was compiled as: code for every processor, with vectors of four numbers. Asking
/// for `FnMut` calls the closure's own body.
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
