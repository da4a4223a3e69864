//! What the language says, and how likely it is.

use super::chance::{Chance, WordWeights, random};
use super::words::{ACTS, NATURES, PEOPLE, PLACES, QUALITIES, THINGS, WAYS};

/// Number of the language: another one has other words or other chances.
pub const LANGUAGE: u32 = 2;

/// Texts in a hundred that end after a sentence, however many there were before: a model need not
/// count them.
const ENDS: u64 = 9;

/// Sentences in a hundred that say what somebody or something is like, or how something is done.
const OFTEN: u64 = 50;
/// Sentences in a hundred that say where.
const SELDOM: u64 = 4;

/// How common words are: their weights fall as this power of their rank.
const COMMON: f64 = 0.8;
/// How likely words are after another word: their weights fall as this power of their rank.
const HABIT: f64 = 2.0;

/// A text and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct GrammarText {
    /// The text.
    pub text: String,
    /// Minus the natural logarithm of its chance.
    pub nats: f64,
}

/// The chances of the language; they are the same for every seed.
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
        let mut random = random(u64::from(LANGUAGE), 0);
        let mut common = |words: &[&str]| WordWeights::new(&mut random, 1, words.len(), COMMON);
        let [nature, person, act] = [&NATURES[..], &PEOPLE, &ACTS].map(&mut common);
        let [quality, thing, way, place] =
            [&QUALITIES[..], &THINGS, &WAYS, &PLACES].map(&mut common);
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

    /// Text number `number` of a seed.
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

    /// `The old miller sells red boats slowly near his river. `
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
        // Between a free choice among five words and one among fifteen.
        assert!((1.6..2.7).contains(&(nats / words as f64)), "{}", nats / words as f64);
    }
}
