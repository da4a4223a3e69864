//! The only unsafe arithmetic: tiles of products, the panels that they read, strips of a matrix
//! that several tasks write, and the pages of buffers.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocked;
mod choice;
mod matrix;
mod pages;
mod panels;
mod product;
mod strips;
mod tile;

pub(super) use blocked::multiply;
pub use choice::Engine;
pub(super) use choice::{KernelChoice, WithKernel};
pub(super) use matrix::{Matrix, MatrixMut};
pub(super) use pages::prefer_large;
pub(super) use panels::{Panels, Side};
pub(super) use product::product;
pub(super) use strips::{Band, StripTarget, parallel};
pub(super) use tile::Kernel;
