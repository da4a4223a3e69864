//! A page that answers what a law knows, in a browser and without a network.
//!
//! A [`Planner`] holds a law. It takes a question as JSON and gives the answer as JSON: numbers,
//! sentences, and HTML and SVG that are ready to show. [`page()`] puts the law, this crate as
//! WebAssembly and a form into one file. The numbers are those of the command, because the same
//! crates compute them.
//!
//! ```
//! use planner::Planner;
//! # use law::{Settings, Table, TableRow};
//! # let row = |tokens: f64| TableRow { loss: 2.3 + 40.0 * tokens.powf(-0.5), tokens, method: "depth-list".into(), ..TableRow::run("a", 1e9, 0.25, 2.0) };
//! # let law = law::fit(&Table::new([1e4, 1e5, 1e6, 1e7].map(row))?, &Settings::default())?;
//! let planner = Planner::open(&serde_json::to_string(&law)?)?;
//! let answer = planner.answer(r#"{"n0": "1B", "rate": "25%", "loss0": "2.0", "tokens": "4M"}"#);
//! let answer: serde_json::Value = serde_json::from_str(&answer)?;
//! assert!((answer["prediction"]["loss"].as_f64().unwrap() - 2.32).abs() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(unsafe_code)]

mod about;
mod answer;
mod base64;
mod page;
mod planner;
mod question;
mod refused;
mod size;

// What the page calls by name. Nothing else of the crate may be unsafe.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)]
mod exports;

pub use page::{FIELDS, PageParts, page};
pub use planner::Planner;
pub use refused::Refused;
pub use size::model_size;
