//! Calibration text: the sequences that scores are taken on, drawn with a seed.

use std::collections::BTreeSet;

use ledger::Tokens;
use model::config::ModelConfig;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Tokens a sequence where nothing is said: never the model's longest context, which may be 131072.
pub const LENGTH: usize = 2048;

/// Sequences where nothing is said.
pub const SEQUENCES: usize = 128;

/// A sequence of one token has nothing to attend to.
const SHORTEST: usize = 2;

/// How calibration sequences are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Most sequences, [`SEQUENCES`] by default; fewer where the text is used up by fewer.
    pub sequences: usize,
    /// Tokens a sequence. Where nothing is said [`LENGTH`], or less where the text or the model's longest context is
    /// shorter.
    pub length: Option<usize>,
    /// The seed that chooses where sequences begin.
    pub seed: u64,
}

/// Where calibration text comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A part of a corpus.
    Part(&'a text::Part),
    /// Tokens in memory.
    Tokens(&'a [u32]),
}

/// Sequences of equal length, end to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequences {
    tokens: Vec<u32>,
    length: usize,
    seed: u64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { sequences: SEQUENCES, length: None, seed: 0 }
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
    /// Draws sequences for a model from a text, in the order of the text; documents are not told apart.
    ///
    /// Where the text has room they do not overlap, and every such placement is as likely as any other. Where it has
    /// not, the sequences that it takes to cover the text are spread evenly over it.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings too small, [`Error::TooLong`] for a length beyond the model's longest context,
    /// [`Error::TooShort`] where the text does not hold one sequence, [`Error::TokenOutOfRange`] for an id that the
    /// model does not have, [`Error::Memory`]; and those of the corpus.
    pub fn draw(source: Source<'_>, settings: &Calibration, config: &ModelConfig) -> Result<Self> {
        if settings.sequences == 0 {
            return Err(Error::Setting { field: "sequences", found: 0, expected: 1 });
        }
        let available = source.tokens();
        let length = length(available, settings.length, config.max_position_embeddings)?;
        let starts = starts(available, settings.sequences, length, settings.seed);
        let memory = || Error::Memory { tokens: usize::MAX, hidden: config.hidden_size };
        let len = starts.len().checked_mul(length).ok_or_else(memory)?;
        let mut tokens = Vec::new();
        tokens
            .try_reserve_exact(len)
            .map_err(|_| Error::Memory { tokens: len, hidden: config.hidden_size })?;
        tokens.resize(len, 0);
        for (&start, sequence) in starts.iter().zip(tokens.chunks_exact_mut(length)) {
            source.read(start, sequence)?;
            if let Some(at) = sequence.iter().position(|&token| token as usize >= config.vocab_size) {
                let (found, position) = (sequence[at], start + at as u64);
                return Err(Error::TokenOutOfRange { found, position, vocabulary: config.vocab_size });
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

    /// What `cut.json` says of them; the hash is SHA-256 over the ids, four bytes each, little endian.
    pub fn record(&self) -> ledger::Calibration {
        let mut hash = Sha256::new();
        for piece in self.tokens.chunks(1 << 14) {
            let bytes: Vec<u8> = piece.iter().flat_map(|token| token.to_le_bytes()).collect();
            hash.update(&bytes);
        }
        ledger::Calibration {
            hash: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            sequences: self.tokens.len() / self.length,
            length: self.length,
            tokens: Tokens(self.tokens.len() as u64),
            seed: self.seed,
        }
    }
}

/// Tokens a sequence: what is asked for has to fit, what is not asked for is made to.
fn length(available: u64, asked: Option<usize>, longest: usize) -> Result<usize> {
    if let Some(found) = asked.filter(|&asked| asked < SHORTEST) {
        return Err(Error::Setting { field: "length", found, expected: SHORTEST });
    }
    if let Some(found) = asked.filter(|&asked| asked > longest) {
        return Err(Error::TooLong { found, expected: longest });
    }
    let capped = |limit: usize| limit.min(usize::try_from(available).unwrap_or(usize::MAX));
    let length = asked.unwrap_or_else(|| capped(LENGTH.min(longest)));
    let expected = length.max(SHORTEST);
    if available < expected as u64 {
        return Err(Error::TooShort { found: available, expected });
    }
    Ok(length)
}

/// Where sequences begin, ascending.
fn starts(available: u64, most: usize, length: usize, seed: u64) -> Vec<u64> {
    let (most, length) = (most as u64, length as u64);
    let last = available - length;
    if most.checked_mul(length).is_none_or(|tokens| tokens > available) {
        let count = most.min(available.div_ceil(length));
        let place = |at: u64| (u128::from(last) * u128::from(at) / u128::from((count - 1).max(1))) as u64;
        return (0..count).map(place).collect();
    }
    // Sequences that do not overlap are `most` distinct numbers, each moved by the sequences before it (all but one
    // token of each); the numbers are drawn by the method of Floyd (Bentley and Floyd 1987).
    let numbers = available - most * (length - 1);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = BTreeSet::new();
    for largest in numbers - most..numbers {
        let drawn = below(&mut random, largest + 1);
        if !chosen.insert(drawn) {
            chosen.insert(largest);
        }
    }
    chosen.into_iter().zip(0..).map(|(number, before): (u64, u64)| number + before * (length - 1)).collect()
}

/// A number below `limit`, each as likely: draws from the incomplete end of the range are thrown away.
fn below(random: &mut ChaCha8Rng, limit: u64) -> u64 {
    let complete = u64::MAX - u64::MAX % limit;
    loop {
        let drawn = random.next_u64();
        if drawn < complete {
            return drawn % limit;
        }
    }
}
