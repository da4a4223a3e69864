//! The only unsafe arithmetic: products through raw strides, strips of a matrix written by several tasks, and the
//! pages that buffers lie on.

#![allow(unsafe_code)]

mod pages;
mod product;
mod strips;

pub(super) use pages::prefer_large;
pub(super) use product::{Matrix, MatrixMut, product};
pub(super) use strips::{Band, Target, parallel};
