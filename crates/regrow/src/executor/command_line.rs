//! A job's command line, as a person would type it.

use std::path::Path;

use super::job::Job;
use crate::shell::quoted;

/// The shell command for a job: its own variables, its program without the path, and its arguments.
pub(super) fn typed(job: &Job) -> String {
    let name = Path::new(job.program()).file_name().unwrap_or(job.program());
    let variables =
        job.env().iter().map(|(name, value)| format!("{}={}", quoted(name), quoted(value)));
    let words = std::iter::once(quoted(name)).chain(job.argv().iter().map(|word| quoted(word)));
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_command_line_means_the_same_to_a_shell() {
        let words = ["a", "--out=x/y", "two words", "it's", "", "$HOME"];
        let job = Job::new("job", "/usr/bin/regrow", "out", "done").unwrap().with_argv(words);
        assert_eq!(typed(&job), r"regrow a --out=x/y 'two words' 'it'\''s' '' '$HOME'");
        let job = job.with_argv(["a"]).with_env([("RANK", "0"), ("NOTE", "a b")]);
        assert_eq!(typed(&job), "RANK=0 NOTE='a b' regrow a");
    }
}
