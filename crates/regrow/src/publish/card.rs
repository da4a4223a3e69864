//! The model card: a head that the hub reads, and what a person asks first.

use std::fmt::Write;

use ledger::count::grouped;
use ledger::{Convention, Curve, CutRecord, Done};
use model::card::{plain, quoted};
use store::RunFolder;

use super::foretold::{Foretold, measured};

/// All that a card says.
pub(super) struct Card<'a> {
    pub(super) name: &'a str,
    pub(super) run: &'a RunFolder,
    pub(super) done: &'a Done,
    pub(super) cut: Option<&'a CutRecord>,
    pub(super) foretold: Option<&'a Foretold>,
    pub(super) curve: &'a Curve,
    pub(super) base_model: Option<&'a str>,
    pub(super) licence: Option<&'a str>,
}

impl Card<'_> {
    /// The text of `README.md`.
    pub(super) fn text(&self) -> String {
        let mut text = self.head();
        let mut add = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).expect("a string takes all text");
        };
        let (record, loss) = (self.run.record(), measured(self.done));
        let base = plain(self.base());
        add(format_args!("# {}\n\n", plain(self.name)));
        match self.cut {
            Some(cut) => add(format_args!(
                "{base}, pruned by `{}` at a rate of {} and trained again on {} tokens.\n\n",
                plain(&cut.method),
                record.rate(),
                grouped(self.done.tokens().0),
            )),
            None => add(format_args!(
                "{base}, trained on {} tokens.\n\n",
                grouped(self.done.tokens().0)
            )),
        }
        add(format_args!("| held-out loss, nats per token | |\n|---|---|\n"));
        if let Some(loss0) = record.loss0() {
            add(format_args!("| {base}, before pruning | {:.4} |\n", loss0.0));
        }
        if let Some(pruned) = self.done.loss_pruned() {
            add(format_args!("| pruned, before training | {:.4} |\n", pruned.0));
        }
        add(format_args!("| **this model** | **{loss:.4}** |\n"));
        if let Some(row) = self.foretold_row() {
            add(format_args!("{row}"));
        }
        add(format_args!("\n{}", self.foretold_words()));
        add(format_args!(
            "A loss is not an ability: models of equal loss can differ on tasks. Nothing but the loss was measured here.\n\n"
        ));
        if self.curve.points().iter().any(|point| point.tokens.0 > 0) {
            add(format_args!("![Held-out loss against tokens](curve.svg)\n\n"));
        }
        add(format_args!("{}{}{}", self.made(), self.measured_how(), LOAD));
        add(format_args!(
            "## Terms\n\nThose of {base}. Its licence files, where it has any, stand beside this one.\n"
        ));
        text
    }

    /// The head that the hub reads.
    fn head(&self) -> String {
        let mut text = String::from("---\n");
        if let Some(licence) = self.licence {
            text += &format!("license: {}\n", quoted(licence));
        }
        text += &format!("base_model: {}\n", quoted(self.base()));
        text += "library_name: transformers\npipeline_tag: text-generation\ntags:\n- regrow\n";
        if let Some(cut) = self.cut {
            text += &format!("- pruned\n- {}\n", quoted(&cut.method));
        }
        if self.run.spec().objective.teacher().is_some() {
            text += "- distilled\n";
        }
        // The layout that the hub reads as results of an evaluation.
        let (loss, record) = (measured(self.done), self.run.record());
        text += &format!("model-index:\n- name: {}\n  results:\n", quoted(self.name));
        text += "  - task:\n      type: text-generation\n    dataset:\n      type: text\n";
        text += &format!("      name: {}\n", quoted(&heldout_name(record.heldout())));
        text += "    metrics:\n    - type: loss\n      name: held-out loss, nats per token\n";
        text += &format!("      value: {loss}\n    - type: perplexity\n");
        text += &format!("      name: perplexity per token\n      value: {}\n---\n\n", loss.exp());
        text
    }

    fn base(&self) -> &str {
        self.base_model.unwrap_or(self.run.record().base())
    }

    /// What the law expected, as a row of the table.
    fn foretold_row(&self) -> Option<String> {
        let foretold = self.foretold.filter(|foretold| !foretold.fitted_to_it())?;
        let loss = foretold.loss().map_or("no single number".to_owned(), |x| format!("{x:.4}"));
        let interval = foretold.interval().map_or(String::new(), |[low, high]| {
            format!(", {:.0} % interval {low:.4} to {high:.4}", 100.0 * foretold.level())
        });
        Some(format!("| foretold by the law of the pilots | {loss}{interval} |\n"))
    }

    fn foretold_words(&self) -> String {
        match self.foretold {
            None => String::new(),
            Some(foretold) if foretold.fitted_to_it() => {
                "The law that was given was fitted to this run too, so it foretold nothing.\n\n"
                    .to_owned()
            }
            Some(foretold) => match foretold.holds() {
                Some(true) => "The measured loss lies in the interval.\n\n".to_owned(),
                Some(false) => "The measured loss lies **outside** the interval.\n\n".to_owned(),
                None => format!("The law: {}.\n\n", plain(foretold.sentence())),
            },
        }
    }

    fn made(&self) -> String {
        let (record, spec) = (self.run.record(), self.run.spec());
        let mut text = "## How it was made\n\n".to_owned();
        let mut add = |line: String| text += &(line + "\n");
        if let Some(cut) = self.cut {
            add(format!("- cut: `{}`, by regrow {}", plain(&cut.method), plain(&cut.regrow)));
            let asked = cut.asked_rate.map_or(String::new(), |rate| format!(", asked {rate}"));
            add(format!(
                "- rate: {} of all parameters{asked}; {} without embeddings",
                cut.held.rate(),
                cut.held.rate_without_embedding()
            ));
            add(format!(
                "- parameters: {} before, {} after",
                grouped(cut.held.n0().0),
                grouped(cut.held.parameters().0)
            ));
            add(format!("- weights before the cut, SHA-256: `{}`", plain(&cut.base_hash)));
        }
        let objective = &spec.objective;
        add(format!("- trained for: {}", said_of(objective)));
        add(format!(
            "- tokens: {}, in sequences of {}, batches of {}, seed {}",
            grouped(self.done.tokens().0),
            spec.context,
            spec.batch,
            spec.seed
        ));
        add(format!("- peak learning rate: {}", spec.optimizer.learning_rate));
        if let Some(end) = self.done.ended_early() {
            add(format!("- ended early by `{}`: {}", plain(&end.rule), plain(&end.reason)));
        }
        add(format!("- training text, SHA-256: `{}`", plain(record.corpus())));
        add(format!("- tokenizer, SHA-256: `{}`", plain(record.tokenizer())));
        add(format!("- weights of this model, SHA-256: `{}`", plain(self.done.weights())));
        text + "\n`published.json` and `cut.json` hold this as data, `curve.csv` the points.\n\n"
    }

    fn measured_how(&self) -> String {
        let (record, evaluation) = (self.run.record(), &self.run.spec().evaluation);
        format!(
            "## How it was measured\n\nMean loss of the next token over held-out documents that training did not see.\n\n\
             - text: {}\n- at most {} tokens, in windows of {}\n- {}\n\n",
            plain(&heldout_name(record.heldout())),
            grouped(evaluation.tokens.0),
            evaluation.context,
            match evaluation.convention {
                Convention::Documents => "each document is read by itself",
                Convention::Packed => "documents are joined end to end",
            }
        )
    }
}

/// How to load the model.
const LOAD: &str = "## How to load it\n\n```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n\
                    model = AutoModelForCausalLM.from_pretrained(\"FOLDER OR REPOSITORY\")\n\
                    tokenizer = AutoTokenizer.from_pretrained(\"FOLDER OR REPOSITORY\")\n```\n\n";

fn heldout_name(hash: &str) -> String {
    format!("held-out text with SHA-256 {hash}")
}

fn said_of(objective: &ledger::Objective) -> String {
    match objective.teacher() {
        Some(teacher) => format!(
            "`{}`, from a teacher with SHA-256 `{}`, temperature {}, weight {}",
            objective.name(),
            plain(teacher),
            objective.temperature(),
            objective.weight()
        ),
        None => "the next token".to_owned(),
    }
}
