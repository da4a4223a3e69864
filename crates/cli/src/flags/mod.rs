//! Flags that several subcommands share.

pub(crate) mod force;
pub(crate) mod globals;
pub(crate) mod group;
pub(crate) mod known;
pub(crate) mod log;
pub(crate) mod machine;
pub(crate) mod place;
pub(crate) mod posterior;
pub(crate) mod recipe;
pub(crate) mod source;
pub(crate) mod whole;
