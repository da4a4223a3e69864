//! Folders of other programs, which look like a model and are none that is read here.

use std::path::Path;

/// What a folder without `config.json` or without weights holds instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// An adapter, such as LoRA: changes to a model, not a model.
    Adapter,
    /// The files in which Meta publishes Llama.
    Original,
    /// A file of llama.cpp.
    Gguf,
}

impl Foreign {
    /// In words, with the file that shows it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Adapter => {
                "an adapter (`adapter_config.json`), which changes a model and is none itself"
            }
            Self::Original => {
                "Meta's original format (`params.json`, `consolidated.*.pth`), not Hugging Face's"
            }
            Self::Gguf => "GGUF, the format of llama.cpp, not Hugging Face's",
        }
    }
}

/// Looks at the names of files. `None` if nothing is recognised.
pub(super) fn folder(path: &Path) -> Option<Foreign> {
    let gguf = |path: &Path| path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gguf"));
    if gguf(path) {
        return Some(Foreign::Gguf);
    }
    if path.join("adapter_config.json").exists() {
        return Some(Foreign::Adapter);
    }
    let names: Vec<_> =
        std::fs::read_dir(path).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let begins = |begin: &str| {
        names.iter().any(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin))
        })
    };
    if begins("consolidated.") || names.iter().any(|path| path.ends_with("params.json")) {
        return Some(Foreign::Original);
    }
    names.iter().any(|path| gguf(path)).then_some(Foreign::Gguf)
}
