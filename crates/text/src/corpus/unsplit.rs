//! Tokenises text that belongs to no corpus, for evaluation and calibration.

use std::path::Path;

use super::idx::TokenWidth;
use super::info::PartInfo;
use super::part::CorpusPart;
use super::writer::PartWriter;
use crate::batches::{Batches, Encoded, encode};
use crate::error::{Result, TextFailure};
use crate::tokenizer::Tokenizer;

/// Tokenises documents into `text.bin` and `text.idx` of an existing folder, and opens them as a
/// [`CorpusPart`]. Documents are stored as in a corpus: begin token, then the tokens of the text.
///
/// # Errors
/// If there is no begin token or no document; the first error among the documents; and the errors
/// of tokenising and writing.
pub fn tokenize_part(
    documents: impl Iterator<Item = Result<String>> + Send,
    tokenizer: &Tokenizer,
    folder: &Path,
) -> Result<(CorpusPart, PartInfo)> {
    const NAME: &str = "text";
    let begin = tokenizer.require_begin_token()?.id;
    let mut writer =
        PartWriter::create(folder, NAME, TokenWidth::of_vocabulary(tokenizer.vocabulary()))?;
    let write = |batch: Vec<Encoded>| {
        batch
            .iter()
            .filter(|document| document.tokens.iter().any(|tokens| !tokens.is_empty()))
            .try_for_each(|document| writer.push(begin, document))
    };
    encode(&mut Batches::new(documents), tokenizer, write, |_| Ok(()))?;
    if writer.documents() == 0 {
        return Err(TextFailure::NoText.into());
    }
    let info = writer.finish()?;
    Ok((CorpusPart::open(folder, NAME, &info, tokenizer.vocabulary())?, info))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{END_OF_TEXT, train_bpe};

    #[test]
    fn each_document_is_its_begin_token_and_its_text() {
        let folder = tempfile::tempdir().unwrap();
        let texts = ["one and one", "", "two"];
        let documents = || texts.iter().map(|text| Ok((*text).to_owned()));
        let tokenizer = train_bpe(documents(), 258).unwrap();
        let (part, info) = tokenize_part(documents(), &tokenizer, folder.path()).unwrap();
        assert_eq!((part.documents(), info.documents, info.bytes), (2, 2, 14));
        assert_eq!(info.tokens, part.tokens());
        for (i, text) in [texts[0], texts[2]].into_iter().enumerate() {
            let range = part.document(i);
            let mut tokens = vec![0; (range.end - range.start) as usize];
            part.read(range.start, &mut tokens).unwrap();
            assert_eq!(tokenizer.decode(&tokens).unwrap(), format!("{END_OF_TEXT}{text}"));
        }
    }

    #[test]
    fn text_without_documents_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let tokenizer = train_bpe(std::iter::once(Ok("a a a a".to_owned())), 257).unwrap();
        let found = tokenize_part(std::iter::empty(), &tokenizer, folder.path());
        assert_eq!(found.unwrap_err().to_string(), "no document holds any text");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
