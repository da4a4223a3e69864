//! Calibration text: the sequences that scores are measured on, drawn with a seed.

use std::collections::BTreeSet;

use ledger::CalibrationRecord;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use shape::config::ModelConfig;

use crate::error::{Error, Refused, Result};

/// Default tokens per sequence. The model's longest context is no default: it may be 131072.
pub const LENGTH: usize = 2048;

/// Default number of sequences.
pub const SEQUENCES: usize = 128;

/// A sequence needs two tokens: one token alone has nothing to attend to.
const SHORTEST: usize = 2;

/// Settings for drawing calibration sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalibrationSettings {
    /// The most sequences, [`SEQUENCES`] by default. There are fewer if fewer cover the text.
    pub sequences: usize,
    /// Tokens per sequence. By default [`LENGTH`], or less if the text or the model's longest
    /// context is shorter.
    pub length: Option<usize>,
    /// The seed that chooses where sequences begin.
    pub seed: u64,
}

/// Where calibration text comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A part of a corpus.
    Part(&'a text::CorpusPart),
    /// Tokens in memory.
    Tokens(&'a [u32]),
}

/// Sequences of equal length, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequences {
    tokens: Vec<u32>,
    length: usize,
    seed: u64,
}

impl Default for CalibrationSettings {
    fn default() -> Self {
        Self { sequences: SEQUENCES, length: None, seed: 0 }
    }
}

impl CalibrationSettings {
    /// Checks that a text holds all sequences without overlap, for callers that need that many.
    ///
    /// # Errors
    /// [`Refused::TooFewTokens`] if it does not; the errors of [`Sequences::draw`] for the length.
    pub fn fits(&self, source: Source<'_>, config: &ModelConfig) -> Result<()> {
        let found = source.tokens();
        let length = length(found, self.length, config.max_position_embeddings())?;
        let expected = (self.sequences as u64).saturating_mul(length as u64);
        if found < expected {
            let message = format!(
                "calibration text has {found} tokens, expected at least {expected} for {} sequences \
                 of {length}",
                self.sequences
            );
            return Err(Error::refused(Refused::TooFewTokens, message));
        }
        Ok(())
    }
}

impl Source<'_> {
    /// Number of tokens.
    pub fn tokens(&self) -> u64 {
        match self {
            Self::Part(part) => part.tokens(),
            Self::Tokens(tokens) => tokens.len() as u64,
        }
    }

    fn read(&self, start: u64, out: &mut [u32]) -> Result<()> {
        match self {
            Self::Part(part) => Ok(part.read(start, out)?),
            Self::Tokens(tokens) => {
                let start = usize::try_from(start).expect("a sequence begins inside the text");
                out.copy_from_slice(&tokens[start..start + out.len()]);
                Ok(())
            }
        }
    }
}

impl Sequences {
    /// Draws sequences for a model from a text, in text order. A sequence may cross the end of a
    /// document.
    ///
    /// If the text has room, sequences do not overlap, and every such placement is equally likely.
    /// Otherwise, the sequences are spread evenly, at most as many as cover the text.
    ///
    /// # Errors
    /// If the settings are too small or the length is above the model's longest context.
    /// [`Refused::TooShort`] if the text holds less than one sequence, [`Refused::UnknownToken`]
    /// for an id that the model does not have, [`Refused::NoMemory`]; and errors of the corpus.
    pub fn draw(
        source: Source<'_>,
        settings: &CalibrationSettings,
        config: &ModelConfig,
    ) -> Result<Self> {
        if settings.sequences == 0 {
            return Err(Error::other(
                "the number of calibration sequences is 0, expected at least 1",
            ));
        }
        let available = source.tokens();
        let length = length(available, settings.length, config.max_position_embeddings())?;
        let starts = starts(available, settings.sequences, length, settings.seed);
        let no_memory = |tokens| no_memory(tokens, config.hidden_size());
        let len = starts.len().checked_mul(length).ok_or_else(|| no_memory(usize::MAX))?;
        let mut tokens = Vec::new();
        tokens.try_reserve_exact(len).map_err(|_| no_memory(len))?;
        tokens.resize(len, 0);
        for (&start, sequence) in starts.iter().zip(tokens.chunks_exact_mut(length)) {
            source.read(start, sequence)?;
            if let Some(at) =
                sequence.iter().position(|&token| token as usize >= config.vocab_size())
            {
                return Err(unknown_token(sequence[at], start + at as u64, config.vocab_size()));
            }
        }
        Ok(Self { tokens, length, seed: settings.seed })
    }

    /// All tokens, `[sequence, position]`.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens a sequence.
    pub fn length(&self) -> usize {
        self.length
    }

    /// What `cut.json` says about them. The hash is SHA-256 over the ids, four bytes each, little
    /// endian.
    pub fn record(&self) -> CalibrationRecord {
        let mut hash = ledger::Sha256Hasher::new();
        for piece in self.tokens.chunks(1 << 14) {
            let bytes: Vec<u8> = piece.iter().flat_map(|token| token.to_le_bytes()).collect();
            hash.update(&bytes);
        }
        let sequences = self.tokens.len() / self.length;
        CalibrationRecord::of(hash.finish(), sequences, self.length, self.seed)
    }
}

/// Tokens per sequence. A length that is asked for must fit; the default is shortened until it
/// does.
fn length(available: u64, asked: Option<usize>, longest: usize) -> Result<usize> {
    if let Some(found) = asked.filter(|&asked| asked < SHORTEST) {
        return Err(Error::other(format!(
            "the calibration length is {found}, expected at least {SHORTEST}"
        )));
    }
    if let Some(found) = asked.filter(|&asked| asked > longest) {
        return Err(Error::other(format!(
            "calibration length is {found} tokens, expected at most {longest}, the model's longest \
             context"
        )));
    }
    let capped = |limit: usize| limit.min(usize::try_from(available).unwrap_or(usize::MAX));
    let length = asked.unwrap_or_else(|| capped(LENGTH.min(longest)));
    let expected = length.max(SHORTEST);
    if available < expected as u64 {
        let message = format!(
            "calibration text has {available} tokens, expected at least {expected}, one context"
        );
        return Err(Error::refused(Refused::TooShort, message));
    }
    Ok(length)
}

/// The machine lacks memory for the residual stream of so many tokens.
pub(crate) fn no_memory(tokens: usize, hidden: usize) -> Error {
    let message =
        format!("no memory for the hidden states of {tokens} calibration tokens of width {hidden}");
    Error::refused(Refused::NoMemory, message)
}

/// The text has a token that the model does not have; `position` counts from 0.
pub(crate) fn unknown_token(token: u32, position: u64, vocabulary: usize) -> Error {
    let message = format!(
        "token id {token} at position {position} of the calibration text is out of range, expected \
         below {vocabulary}"
    );
    Error::refused(Refused::UnknownToken, message)
}

/// Where sequences begin, ascending.
fn starts(available: u64, most: usize, length: usize, seed: u64) -> Vec<u64> {
    let (most, length) = (most as u64, length as u64);
    let last = available - length;
    if most.checked_mul(length).is_none_or(|tokens| tokens > available) {
        // No room for all: spread them evenly from the start of the text to its end. The seed does
        // not matter here.
        let count = most.min(available.div_ceil(length));
        let place =
            |at: u64| (u128::from(last) * u128::from(at) / u128::from((count - 1).max(1))) as u64;
        return (0..count).map(place).collect();
    }
    // Draw `most` distinct numbers, then shift each by the sequences before it (`length - 1` tokens
    // per sequence). The starts then never overlap. The numbers are drawn by the method of Floyd
    // (Bentley and Floyd 1987).
    let numbers = available - most * (length - 1);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = BTreeSet::new();
    for largest in numbers - most..numbers {
        let drawn = below(&mut random, largest + 1);
        if !chosen.insert(drawn) {
            // Drawn before: take the largest number of this step, which no earlier step could draw.
            chosen.insert(largest);
        }
    }
    chosen
        .into_iter()
        .zip(0..)
        .map(|(number, before): (u64, u64)| number + before * (length - 1))
        .collect()
}

/// A uniform random number below `limit`. Draws from the incomplete end of the range are rejected:
/// they would favour small numbers.
fn below(random: &mut ChaCha8Rng, limit: u64) -> u64 {
    let complete = u64::MAX - u64::MAX % limit;
    loop {
        let drawn = random.next_u64();
        if drawn < complete {
            return drawn % limit;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shape::catalog;

    use super::*;

    fn config(vocab_size: usize, max_position_embeddings: usize) -> ModelConfig {
        let mut raw = catalog::find("qwen2.5-0.5b").unwrap().config().to_raw();
        raw.set("vocab_size", vocab_size);
        raw.set("max_position_embeddings", max_position_embeddings);
        raw.set("bos_token_id", 0);
        ModelConfig::from_raw(&raw).unwrap()
    }

    fn draw(tokens: &[u32], settings: CalibrationSettings, longest: usize) -> Result<Sequences> {
        Sequences::draw(Source::Tokens(tokens), &settings, &config(1 << 20, longest))
    }

    fn counting(len: u32) -> Vec<u32> {
        (0..len).collect()
    }

    #[test]
    fn what_is_not_asked_for_fits_the_text_and_the_model() {
        let length = |tokens, longest| {
            draw(&counting(tokens), CalibrationSettings::default(), longest).unwrap().length()
        };
        assert_eq!(length(300_000, 131_072), 2048, "never the model's longest context by itself");
        assert_eq!(length(300_000, 512), 512);
        assert_eq!(length(1_000, 131_072), 1_000);
        let drawn = draw(&counting(300_000), CalibrationSettings::default(), 4096).unwrap();
        assert_eq!(drawn.tokens().len(), 128 * 2048);
    }

    #[test]
    fn the_record_holds_the_hash_of_the_ids() {
        let settings = CalibrationSettings { sequences: 1, length: Some(3), seed: 9 };
        let record = draw(&[1, 2, 70_000], settings, 64).unwrap().record();
        // printf '\1\0\0\0\2\0\0\0\160\21\1\0' | sha256sum
        assert_eq!(
            record.hash(),
            "313a9de55e88265f756e61a8793c45193dade4a5b645f7f35082452e6b133604"
        );
        assert_eq!(
            (record.sequences(), record.length(), record.tokens().0, record.seed()),
            (1, 3, 3, 9)
        );
    }

    #[test]
    fn the_same_seed_draws_the_same_text_for_ever_and_another_draws_another() {
        let text = counting(100_000);
        let drawn = |seed| {
            let settings = CalibrationSettings { sequences: 4, length: Some(16), seed };
            draw(&text, settings, 64)
                .unwrap()
                .tokens()
                .iter()
                .step_by(16)
                .copied()
                .collect::<Vec<_>>()
        };
        assert_eq!(drawn(0), [22_915, 46_011, 73_731, 98_480]);
        assert_ne!(drawn(0), drawn(1));
    }

    #[test]
    fn settings_that_are_too_small_are_refused() {
        let said = |sequences, length| {
            draw(&counting(50), CalibrationSettings { sequences, length, seed: 0 }, 64)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(said(0, None), "the number of calibration sequences is 0, expected at least 1");
        assert_eq!(said(1, Some(1)), "the calibration length is 1, expected at least 2");
    }

    #[test]
    fn corpus_shorter_than_one_context() {
        let said = |tokens, length| {
            draw(
                &counting(tokens),
                CalibrationSettings { length, ..CalibrationSettings::default() },
                64,
            )
            .unwrap_err()
            .to_string()
        };
        assert_eq!(
            said(0, None),
            "calibration text has 0 tokens, expected at least 2, one context"
        );
        assert_eq!(
            said(39, Some(40)),
            "calibration text has 39 tokens, expected at least 40, one context"
        );
    }

    #[test]
    fn calibration_shorter_than_asked() {
        let text = counting(99);
        let fits = |sequences, length| {
            let settings = CalibrationSettings { sequences, length, seed: 0 };
            settings.fits(Source::Tokens(&text), &config(1 << 20, 64))
        };
        assert!(fits(3, Some(33)).is_ok());
        let said = fits(5, Some(20)).unwrap_err().to_string();
        assert_eq!(
            said,
            "calibration text has 99 tokens, expected at least 100 for 5 sequences of 20"
        );
        assert!(fits(usize::MAX, Some(64)).is_err());
    }

    #[test]
    fn token_id_out_of_range() {
        let mut text = counting(60);
        text[41] = 60;
        let drawn = Sequences::draw(
            Source::Tokens(&text),
            &CalibrationSettings::default(),
            &config(60, 64),
        );
        let expected =
            "token id 60 at position 41 of the calibration text is out of range, expected below 60";
        assert_eq!(drawn.unwrap_err().to_string(), expected);
    }

    #[test]
    fn every_placement_is_as_likely() {
        // Two sequences of 2 in 6 tokens: starts (0,2) (0,3) (0,4) (1,3) (1,4) (2,4).
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..6000 {
            *counts.entry(starts(6, 2, 2, seed)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6, "{counts:?}");
        // Five standard deviations of a count of 1000 are 144.
        assert!(counts.values().all(|&count: &i32| (count - 1000).abs() < 144), "{counts:?}");
    }

    proptest! {
        #[test]
        fn sequences_lie_in_the_text_and_overlap_only_where_they_must(
            available in 2_u64..3000, most in 1_usize..200, length in 2_usize..300, seed: u64,
        ) {
            prop_assume!(length as u64 <= available);
            let starts = starts(available, most, length, seed);
            let length = length as u64;
            prop_assert!(!starts.is_empty() && starts.len() <= most);
            prop_assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(starts.last().unwrap() + length <= available);
            if most as u64 * length <= available {
                prop_assert_eq!(starts.len(), most);
                prop_assert!(starts.windows(2).all(|pair| pair[0] + length <= pair[1]));
            } else {
                prop_assert_eq!(starts.len() as u64, available.div_ceil(length).min(most as u64));
                prop_assert_eq!(starts[0], 0);
                if starts.len() > 1 {
                    prop_assert_eq!(starts.last().unwrap() + length, available);
                    prop_assert!(starts.windows(2).all(|pair| pair[0] + length >= pair[1]));
                }
            }
        }
    }
}
