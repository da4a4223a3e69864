//! The sentences of the language, and their probabilities.

use super::chance::{Chance, WordWeights, random};
use super::words::{ACTS, NATURES, PEOPLE, PLACES, QUALITIES, THINGS, WAYS};

/// The version of the language. It changes whenever words or probabilities change.
pub const LANGUAGE: u32 = 2;

/// Probability in % that a text ends after a sentence. It does not depend on the number of
/// sentences, so a model need not count them.
const ENDS: u64 = 9;

/// Probability in % of each of these parts: an adjective of the person, one of the thing, and an
/// adverb.
const OFTEN: u64 = 50;
/// Probability in % that a sentence names a place.
const SELDOM: u64 = 4;

/// Exponent of the power law for how common words are.
const COMMON: f64 = 0.8;
/// Exponent of the power law for how likely words are after another word.
const HABIT: f64 = 2.0;

/// A text and its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct GrammarText {
    /// The text.
    pub text: String,
    /// Minus the natural logarithm of its probability.
    pub nats: f64,
}

/// The probabilities of the language. They are the same for every seed.
#[derive(Debug)]
pub struct Grammar {
    nature: WordWeights,
    person: WordWeights,
    person_of_nature: WordWeights,
    act_of_person: WordWeights,
    quality_of_act: WordWeights,
    thing_of_act: WordWeights,
    thing_of_quality: WordWeights,
    way_of_thing: WordWeights,
    place: WordWeights,
}

impl Default for Grammar {
    fn default() -> Self {
        Self::new()
    }
}

impl Grammar {
    /// The language.
    pub fn new() -> Self {
        // Seeded by the language's version alone. The order of the draws below is a part of the
        // language.
        let mut random = random(u64::from(LANGUAGE), 0);
        let mut common = |words: &[&str]| WordWeights::new(&mut random, 1, words.len(), COMMON);
        // How common each word is by itself, as one row of weights.
        let [nature, person, act] = [&NATURES[..], &PEOPLE, &ACTS].map(&mut common);
        let [quality, thing, way, place] =
            [&QUALITIES[..], &THINGS, &WAYS, &PLACES].map(&mut common);
        // One row per previous word: how likely each next word is after it.
        let mut habit = |after: &[&str], common: &WordWeights| {
            let common = common.row(0);
            WordWeights::new(&mut random, after.len(), common.len(), HABIT).times(common)
        };
        Self {
            person_of_nature: habit(&NATURES, &person),
            act_of_person: habit(&PEOPLE, &act),
            quality_of_act: habit(&ACTS, &quality),
            thing_of_act: habit(&ACTS, &thing),
            thing_of_quality: habit(&QUALITIES, &thing),
            way_of_thing: habit(&THINGS, &way),
            nature,
            person,
            place,
        }
    }

    /// The text with number `number` of a seed.
    pub fn tell(&self, seed: u64, number: u64) -> GrammarText {
        let mut chance = Chance::new(random(seed, number));
        let mut text = String::new();
        loop {
            self.sentence(&mut chance, &mut text);
            if chance.yes_in_a_hundred(ENDS) {
                break;
            }
        }
        text += "The end.";
        GrammarText { nats: chance.nats(), text }
    }

    /// Adds a sentence such as `The old miller sells red boats slowly near his river. `
    fn sentence(&self, chance: &mut Chance, text: &mut String) {
        let person = if chance.yes_in_a_hundred(OFTEN) {
            let of = chance.choose(self.nature.row(0));
            *text += &format!("The {} ", NATURES[of]);
            chance.choose(self.person_of_nature.row(of))
        } else {
            *text += "The ";
            chance.choose(self.person.row(0))
        };
        let act = chance.choose(self.act_of_person.row(person));
        *text += &format!("{} {} ", PEOPLE[person], ACTS[act]);
        let thing = if chance.yes_in_a_hundred(OFTEN) {
            let quality = chance.choose(self.quality_of_act.row(act));
            *text += &format!("{} ", QUALITIES[quality]);
            chance.choose(self.thing_of_quality.row(quality))
        } else {
            chance.choose(self.thing_of_act.row(act))
        };
        *text += THINGS[thing];
        if chance.yes_in_a_hundred(OFTEN) {
            *text += &format!(" {}", WAYS[chance.choose(self.way_of_thing.row(thing))]);
        }
        if chance.yes_in_a_hundred(SELDOM) {
            // The only long-range dependency: a model must remember the person.
            let whose = if person < PEOPLE.len() / 2 { "her" } else { "his" };
            *text += &format!(" near {whose} {}", PLACES[chance.choose(self.place.row(0))]);
        }
        *text += ". ";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_language_says_the_same_for_the_same_seed() {
        let grammar = Grammar::new();
        let told = grammar.tell(1, 0);
        assert_eq!(told, Grammar::new().tell(1, 0));
        assert_ne!(told.text, grammar.tell(1, 1).text);
        assert_ne!(told.text, grammar.tell(2, 0).text);
        assert!(told.text.ends_with(" The end."), "{}", told.text);
    }

    #[test]
    fn no_word_stands_in_two_lists() {
        let lists: [&[&str]; 7] = [&NATURES, &PEOPLE, &ACTS, &QUALITIES, &THINGS, &WAYS, &PLACES];
        let words = [lists.concat(), vec!["near", "her", "his", "end"]].concat();
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
    }

    #[test]
    fn an_equal_text_is_equally_likely_and_texts_cost_what_their_words_cost() {
        let grammar = Grammar::new();
        let told: Vec<GrammarText> = (0..200).map(|number| grammar.tell(9, number)).collect();
        assert!(told.iter().all(|told| told.nats.is_finite() && told.nats > 5.0));
        let words: usize = told.iter().map(|told| told.text.split(' ').count()).sum();
        let nats: f64 = told.iter().map(|told| told.nats).sum();
        // ln 5 = 1.6 and ln 15 = 2.7: each word is as uncertain as a free choice among five to
        // fifteen.
        assert!((1.6..2.7).contains(&(nats / words as f64)), "{}", nats / words as f64);
    }
}
