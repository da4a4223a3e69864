//! Measures the loss of a model on text, with the same evaluator that training uses.

use std::path::Path;

use ledger::Convention;
use model::evaluate::{Evaluated, Protocol, evaluate, planned_tokens};
use model::folder::ModelFolder;

pub use crate::base_loss::keep;
use crate::error::{Result, bail};
use crate::loaded::{self, Loaded, default_context};
use crate::observer::{Event, Observer, ShownStage};
use crate::source::{OpenText, TextSource};

/// Evaluation settings.
#[derive(Clone, Debug)]
pub struct MeasureOptions {
    convention: Convention,
    context: Option<usize>,
    stride: Option<usize>,
    tokens: Option<u64>,
}

impl Default for MeasureOptions {
    fn default() -> Self {
        Self { convention: Convention::Documents, context: None, stride: None, tokens: None }
    }
}

impl MeasureOptions {
    /// The default: each document by itself, windows as long as the model's context without
    /// overlap, and all of the text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how documents are placed in the context.
    #[must_use]
    pub fn convention(mut self, convention: Convention) -> Self {
        self.convention = convention;
        self
    }

    /// Sets the most tokens in a window.
    #[must_use]
    pub fn context(mut self, tokens: usize) -> Self {
        self.context = Some(tokens);
        self
    }

    /// Sets the tokens between the starts of two windows.
    #[must_use]
    pub fn stride(mut self, tokens: usize) -> Self {
        self.stride = Some(tokens);
        self
    }

    /// Stops after this many predicted tokens.
    #[must_use]
    pub fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }
}

/// A measured loss, with model, text and settings.
#[derive(Debug)]
pub struct Measured {
    folder: ModelFolder,
    text: OpenText,
    protocol: Protocol,
    found: Evaluated,
}

impl Measured {
    /// The name of the model.
    pub fn model(&self) -> String {
        self.folder.name()
    }

    /// The model's folder.
    pub(crate) fn folder(&self) -> &ModelFolder {
        &self.folder
    }

    /// The text.
    pub fn text(&self) -> &OpenText {
        &self.text
    }

    /// How it was read.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// The losses.
    pub fn found(&self) -> &Evaluated {
        &self.found
    }
}

/// Measures the loss of a model, named by its folder or its id on the hub, on text.
///
/// # Errors
/// Where model or text cannot be read, or the options contradict each other.
pub fn measure(
    model: impl AsRef<Path>,
    text: &TextSource,
    options: &MeasureOptions,
    observer: &mut dyn Observer,
) -> Result<Measured> {
    let folder = loaded::open(model.as_ref(), observer)?;
    let text = OpenText::open(text, &folder, observer)?;
    let context = options.context.unwrap_or_else(|| default_context(folder.config()));
    let stride = options.stride.unwrap_or(context);
    // Windows further apart than they are long would skip tokens.
    if stride > context {
        bail!("stride of {stride} tokens, expected at most the context of {context}");
    }
    let positions = folder.config().max_position_embeddings();
    if context > positions {
        observer.hear(&Event::Warning(&format!(
            "the model was made for {positions} tokens, a context of {context} goes beyond"
        )));
    }
    let part = text.part();
    let limit = options.tokens.unwrap_or(u64::MAX).min(part.tokens());
    let protocol = Protocol { convention: options.convention, context, stride, limit };
    let model = Loaded::new(folder, context)?;
    let mut space = model.workspace()?;
    let total = planned_tokens(part, &protocol);
    let mut stage = ShownStage::begin(observer, "evaluating", total, "tokens");
    let found =
        evaluate(model.decoder(), model.weights(), &mut space, part, &protocol, &mut |done| {
            stage.at(done);
        })?;
    drop(stage);
    // The loss stands under the hash of the text as it was checked.
    text.part().require_unchanged()?;
    require_finite(&found, model.folder().path())?;
    drop(space);
    Ok(Measured { folder: model.into_folder(), text, protocol, found })
}

/// Refuses a loss that is no number: JSON has no word for it, and no table can hold it.
pub(crate) fn require_finite(found: &Evaluated, model: &Path) -> Result<()> {
    let loss = found.loss().0;
    if loss.is_finite() {
        return Ok(());
    }
    let odd = found.documents.iter().find(|document| !document.nats.is_finite());
    let place = odd.map_or_else(String::new, |odd| format!(", first in document {}", odd.document));
    bail!(
        "the loss of `{}` is {loss}{place}, expected a finite number: its weights give no probabilities",
        model.display()
    )
}
