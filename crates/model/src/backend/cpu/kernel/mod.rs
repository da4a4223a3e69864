//! The only unsafe arithmetic: tiles of products, panels that they read, strips of a matrix written
//! by several tasks, and the pages that buffers lie on.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blocked;
mod choice;
mod pages;
mod panels;
mod product;
mod strips;
mod tile;

pub(super) use blocked::multiply;
pub use choice::Engine;
pub(super) use choice::{Choice, Work};
pub(super) use pages::prefer_large;
pub(super) use panels::{Panels, Side};
pub(super) use product::{Matrix, MatrixMut, product};
pub(super) use strips::{Band, Target, parallel};
pub(super) use tile::Kernel;
