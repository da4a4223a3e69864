//! The kernel that a processor runs, chosen once at run time.

use ledger::Precision;

#[cfg(target_arch = "x86_64")]
use super::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512::{Avx512, Avx512Bf16};
use super::tile::{Kernel, Plain, Rounded};
use crate::backend::Scalar;

/// Work that runs with any kernel.
pub trait WithKernel<T: Scalar> {
    /// The result of the work.
    type Output;
    /// Runs the work.
    fn with<K: Kernel<Number = T>>(self, kernel: K) -> Self::Output;
}

/// A number type that the processor has kernels for: `f32` and `f64`.
pub trait Engine: Scalar {
    /// Its kernels.
    #[doc(hidden)]
    type Choice: KernelChoice<Self>;
}

/// One of the kernels of a number type.
pub trait KernelChoice<T: Scalar>: Copy + Send + Sync + std::fmt::Debug {
    /// The fastest kernel that this processor has.
    fn best(precision: Precision) -> Self;
    /// Runs some work with it.
    fn run<W: WithKernel<T>>(self, work: W) -> W::Output;
    /// Its name in records: the number type of products, and the instructions.
    fn name(self) -> &'static str;
    /// Whether `gemm` computes whole products. It gives what the kernel would, as fast or faster.
    fn leaves_to_gemm(self) -> bool;
}

/// Kernels of single precision.
#[derive(Debug, Clone, Copy)]
pub enum Single {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Plain(Plain<f32>),
    #[cfg(target_arch = "x86_64")]
    Bf16(Avx512Bf16),
    #[cfg(target_arch = "x86_64")]
    RoundedAvx512(Rounded<Avx512>),
    #[cfg(target_arch = "x86_64")]
    RoundedAvx2(Rounded<Avx2>),
    RoundedPlain(Rounded<Plain<f32>>),
}

impl Engine for f32 {
    type Choice = Single;
}

impl KernelChoice<f32> for Single {
    fn best(precision: Precision) -> Self {
        match precision {
            Precision::F32 => {
                #[cfg(target_arch = "x86_64")]
                if let Some(kernel) = Avx512::new() {
                    return Single::Avx512(kernel);
                } else if let Some(kernel) = Avx2::new() {
                    return Single::Avx2(kernel);
                }
                Single::Plain(Plain::new())
            }
            Precision::Bf16 => {
                #[cfg(target_arch = "x86_64")]
                if let Some(kernel) = Avx512Bf16::new() {
                    return Single::Bf16(kernel);
                } else if let Some(kernel) = Avx512::new() {
                    return Single::RoundedAvx512(Rounded(kernel));
                } else if let Some(kernel) = Avx2::new() {
                    return Single::RoundedAvx2(Rounded(kernel));
                }
                Single::RoundedPlain(Rounded(Plain::new()))
            }
        }
    }

    #[inline]
    fn run<W: WithKernel<f32>>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Single::Avx512(kernel) => work.with(kernel),
            #[cfg(target_arch = "x86_64")]
            Single::Avx2(kernel) => work.with(kernel),
            Single::Plain(kernel) => work.with(kernel),
            #[cfg(target_arch = "x86_64")]
            Single::Bf16(kernel) => work.with(kernel),
            #[cfg(target_arch = "x86_64")]
            Single::RoundedAvx512(kernel) => work.with(kernel),
            #[cfg(target_arch = "x86_64")]
            Single::RoundedAvx2(kernel) => work.with(kernel),
            Single::RoundedPlain(kernel) => work.with(kernel),
        }
    }

    fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Single::Avx512(_) => "f32-avx512",
            #[cfg(target_arch = "x86_64")]
            Single::Avx2(_) => "f32-avx2+fma",
            Single::Plain(_) if cfg!(target_arch = "aarch64") => "f32-neon",
            Single::Plain(_) => "f32-portable",
            #[cfg(target_arch = "x86_64")]
            Single::Bf16(_) => "bf16-avx512bf16",
            #[cfg(target_arch = "x86_64")]
            Single::RoundedAvx512(_) => "bf16-by-f32-avx512",
            #[cfg(target_arch = "x86_64")]
            Single::RoundedAvx2(_) => "bf16-by-f32-avx2+fma",
            Single::RoundedPlain(_) => "bf16-by-f32-portable",
        }
    }

    fn leaves_to_gemm(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Single::Avx512(_) | Single::Avx2(_) => true,
            Single::Plain(_) => true,
            #[cfg(target_arch = "x86_64")]
            // These round their operands to bf16, which `gemm` does not.
            Single::Bf16(_) | Single::RoundedAvx512(_) | Single::RoundedAvx2(_) => false,
            Single::RoundedPlain(_) => false,
        }
    }
}

impl Engine for f64 {
    type Choice = Plain<f64>;
}

impl KernelChoice<f64> for Plain<f64> {
    fn best(_: Precision) -> Self {
        Plain::new()
    }

    #[inline]
    fn run<W: WithKernel<f64>>(self, work: W) -> W::Output {
        work.with(self)
    }

    fn name(self) -> &'static str {
        "f64"
    }

    fn leaves_to_gemm(self) -> bool {
        true
    }
}
