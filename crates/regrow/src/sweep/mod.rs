//! A sweep trains, prunes and heals bases as a recipe says. Their curves become one table, one law
//! and one page.
//!
//! Every step is an ordinary `regrow` command in its own folder, and is done once its result
//! exists. So a killed sweep continues when it is started again.

mod check;
mod entropy;
mod facts;
mod finish;
mod folder;
mod options;
mod plan;
mod planned;
mod probe;
mod recipe;
mod result;
mod run;
mod steps;
mod table;
mod watch;
mod work;

pub use self::options::SweepOptions;
pub use self::recipe::{ExecutorName, SweepRecipe};
pub use self::result::{LeftOutJob, SweepOutcome, SweepResult};
pub use self::run::{changed, detach, jobs, listing, logs, run, stages};
pub use self::table::{SweepRow, probe, table};
