//! A sweep: bases are trained, pruned and healed as a recipe says, and their curves become one
//! table, one law and one page.
//!
//! Every step is an ordinary command of this program in a folder of its own, and is done once its
//! result is there. So a sweep that was killed goes on when it is started again.

mod check;
mod entropy;
mod facts;
mod finish;
mod folder;
mod options;
mod plan;
mod recipe;
mod result;
mod run;
mod watch;
mod work;

pub use self::options::SweepOptions;
pub use self::recipe::SweepRecipe;
pub use self::result::{LeftOutJob, SweepOutcome, SweepResult};
pub use self::run::{jobs, listing, logs, run};
