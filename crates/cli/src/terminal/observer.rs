//! Shows the events of the library on the terminal.

use std::io::IsTerminal;

use regrow::count::grouped;
use regrow::{Event, Observer};

use super::output::Output;
use super::progress::ShownProgress;

/// Shows events, and the progress of the current stage as a bar or as lines.
#[derive(Debug)]
pub(crate) struct TerminalObserver<'a> {
    output: &'a Output,
    stage: Option<ShownProgress>,
}

impl<'a> TerminalObserver<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { output, stage: None }
    }

    fn at(&mut self, done: u64, message: &str) {
        if let Some(stage) = &mut self.stage {
            stage.at(done, message);
        }
    }
}

impl Observer for TerminalObserver<'_> {
    fn hear(&mut self, event: &Event<'_>) {
        match *event {
            Event::Note(text) => match &mut self.stage {
                Some(stage) => stage.say(text),
                None => self.output.say(text),
            },
            Event::Detail(text) => self.output.detail(text),
            Event::Warning(text) => self.output.warn(text),
            Event::Begun { stage, total, unit, done } => {
                // Dropping the previous stage removes its bar before the new one is drawn.
                self.stage = None;
                let mut begun = self.output.progress(stage, total, unit);
                if done > 0 {
                    begun.start_at(done);
                }
                self.stage = Some(begun);
            }
            Event::Progress { done, message } => self.at(done, message),
            Event::Jobs { tokens, ended, jobs, left, working } => {
                let mut message = format!("{ended} of {jobs} jobs");
                // On a terminal, the progress bar shows its own estimate.
                if let Some(left) = left.filter(|_| !std::io::stderr().is_terminal()) {
                    let seconds = left.as_secs_f64().ceil() as u64;
                    message += &format!(", about {} s left", grouped(seconds));
                }
                if !working.is_empty() {
                    message += &format!("; {}", working.join(", "));
                }
                self.at(tokens, &message);
            }
            Event::LossBeforeUnknown => self.output.warn(
                "the loss of the model before pruning is not known, and laws need it: give `--base DIR` or `--loss0 NATS`",
            ),
            Event::Ended => self.stage = None,
            // A measured point is also reported as a note. Unknown events are ignored.
            _ => {}
        }
    }
}
