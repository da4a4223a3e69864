//! The only unsafe arithmetic: products through raw strides, and strips of a matrix written by several tasks.

#![allow(unsafe_code)]

mod product;
mod strips;

pub(super) use product::{Matrix, MatrixMut, product};
pub(super) use strips::{Band, Target, parallel};
