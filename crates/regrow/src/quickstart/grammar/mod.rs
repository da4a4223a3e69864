//! A small language whose entropy is known: every text comes with the exact chance of it.
//!
//! A text introduces two people with their trades and tells what they and some things do, until it says `The end.`.
//! It hangs together over its whole length: people do what their trade does, by name, as `She` or as `The miller`;
//! verbs agree in number with subjects some words away; a thing is `a` thing when it is new and `the` thing afterwards;
//! and things and places follow a topic that is never named. Each text can be made in one way only but for its topic, over
//! which the chance is summed, so minus its logarithm is what the best possible reader would pay for it, in nats.

mod chance;
mod words;

use self::chance::{Chance, TOPICS, Weights, random};
use self::words::{NAMES, PLACES, QUALITIES, THINGS, TRADES, VERBS, WAYS};

/// Number of the language: another one has other words or other chances.
pub const LANGUAGE: u32 = 1;

/// Sentences that a text tells before it may end ...
const LEAST: usize = 4;
/// ... and before it must.
const MOST: usize = 12;

/// A text and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The text.
    pub text: String,
    /// Minus the natural logarithm of its chance.
    pub nats: f64,
}

/// The chances of the language; they are the same for every seed.
#[derive(Debug)]
pub struct Grammar {
    names: Weights,
    trades: Weights,
    things: Weights,
    places: Weights,
    verb_of_thing: Weights,
    verb_of_trade: Weights,
    thing_of_verb: Weights,
    quality_of_thing: Weights,
    way_of_verb: Weights,
}

/// What a sentence is about.
#[derive(Clone, Copy, PartialEq)]
enum Subject {
    Person(usize),
    Thing { thing: usize, plural: bool },
}

/// A text in the making.
struct Teller<'a> {
    grammar: &'a Grammar,
    chance: Chance,
    text: String,
    /// Name and trade of both.
    people: [(usize, usize); 2],
    /// Things that have been spoken of.
    known: [bool; THINGS.len()],
    before: Option<usize>,
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
        let mut weights = |rows, columns, exponent| Weights::new(&mut random, rows, columns, exponent);
        Self {
            names: weights(TOPICS, NAMES.len(), 0.5),
            trades: weights(TOPICS, TRADES.len(), 1.0),
            things: weights(TOPICS, THINGS.len(), 0.8),
            places: weights(TOPICS, PLACES.len(), 1.5),
            verb_of_thing: weights(THINGS.len(), VERBS.len(), 1.5),
            verb_of_trade: weights(TRADES.len(), VERBS.len(), 1.5),
            thing_of_verb: weights(VERBS.len(), THINGS.len(), 1.2),
            quality_of_thing: weights(THINGS.len(), QUALITIES.len(), 1.5),
            way_of_verb: weights(VERBS.len(), WAYS.len(), 1.2),
        }
    }

    /// Text number `number` of a seed.
    pub fn tell(&self, seed: u64, number: u64) -> Told {
        let mut chance = Chance::new(random(seed, number));
        let name = chance.choose_by_topic(&self.names, |_| 1);
        let trade = chance.choose_by_topic(&self.trades, |_| 1);
        let other = chance.choose_by_topic(&self.names, |at| u64::from(at != name));
        let craft = chance.choose_by_topic(&self.trades, |at| u64::from(at != trade));
        let people = [(name, trade), (other, craft)];
        let text =
            format!("{} was a {}. {} was a {}.", NAMES[name], TRADES[trade], NAMES[other], TRADES[craft]);
        let mut teller =
            Teller { grammar: self, chance, text, people, known: [false; THINGS.len()], before: None };
        for sentence in 0.. {
            let ends = match sentence {
                0..LEAST => false,
                LEAST..MOST => teller.chance.choose(&[5, 1]) == 1,
                _ => true,
            };
            if ends {
                break;
            }
            teller.sentence();
        }
        teller.text += " The end.";
        Told { nats: teller.chance.nats(), text: teller.text }
    }
}

impl Teller<'_> {
    fn sentence(&mut self) {
        let subject = self.subject();
        let plural = matches!(subject, Subject::Thing { plural: true, .. });
        if self.chance.choose(&[3, 1]) == 1 {
            let place = self.chance.choose_by_topic(&self.grammar.places, |_| 1);
            self.text += &format!(" near the {}", PLACES[place]);
        }
        let verb = self.chance.choose(match subject {
            Subject::Person(person) => self.grammar.verb_of_trade.row(self.people[person].1),
            Subject::Thing { thing, .. } => self.grammar.verb_of_thing.row(thing),
        });
        self.text += &format!(" {}{}", VERBS[verb], if plural { "" } else { "s" });
        self.object(verb, subject);
        if self.chance.choose(&[3, 1]) == 1 {
            let way = self.chance.choose(self.grammar.way_of_verb.row(verb));
            self.text += &format!(" {}", WAYS[way]);
        }
        self.text.push('.');
        self.before = match subject {
            Subject::Person(person) => Some(person),
            Subject::Thing { .. } => None,
        };
    }

    fn subject(&mut self) -> Subject {
        // By name, by trade, by pronoun (of whom the sentence before was about), or a thing.
        let kinds: [u64; 4] = [4, 2, if self.before.is_some() { 4 } else { 0 }, 3];
        let kind = self.chance.choose(&kinds);
        if let (2, Some(person)) = (kind, self.before) {
            let woman = self.people[person].0 < NAMES.len() / 2;
            self.text += if woman { " She" } else { " He" };
            return Subject::Person(person);
        }
        if kind < 2 {
            let person = self.chance.choose(&[1, 1]);
            let (name, trade) = self.people[person];
            self.text +=
                &if kind == 0 { format!(" {}", NAMES[name]) } else { format!(" The {}", TRADES[trade]) };
            return Subject::Person(person);
        }
        let thing = self.chance.choose_by_topic(&self.grammar.things, |_| 1);
        let plural = self.chance.choose(&[2, 1]) == 1;
        let article = match (self.known[thing], plural) {
            (true, _) => "The",
            (false, false) => "A",
            (false, true) => "Some",
        };
        self.known[thing] = true;
        self.text += &format!(" {article} {}{}", THINGS[thing], if plural { "s" } else { "" });
        Subject::Thing { thing, plural }
    }

    fn object(&mut self, verb: usize, subject: Subject) {
        let own = self.grammar.thing_of_verb.row(verb);
        let other = |at: usize| !matches!(subject, Subject::Thing { thing, .. } if thing == at);
        let thing =
            self.chance.choose_by_topic(&self.grammar.things, |at| if other(at) { own[at] } else { 0 });
        let article = if self.known[thing] { "the" } else { "a" };
        self.known[thing] = true;
        self.text += &format!(" {article}");
        if self.chance.choose(&[1, 1]) == 1 {
            let quality = self.chance.choose(self.grammar.quality_of_thing.row(thing));
            self.text += &format!(" {}", QUALITIES[quality]);
        }
        self.text += &format!(" {}", THINGS[thing]);
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
        let lists: [&[&str]; 7] = [&NAMES, &TRADES, &THINGS, &VERBS, &QUALITIES, &PLACES, &WAYS];
        let plurals = THINGS.iter().chain(&VERBS).map(|word| format!("{word}s"));
        let words: Vec<String> = lists.concat().into_iter().map(str::to_owned).chain(plurals).collect();
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
    }

    #[test]
    fn an_equal_text_is_equally_likely_and_texts_cost_what_their_words_cost() {
        let grammar = Grammar::new();
        let told: Vec<Told> = (0..200).map(|number| grammar.tell(9, number)).collect();
        assert!(told.iter().all(|told| told.nats.is_finite() && told.nats > 20.0));
        let words: usize = told.iter().map(|told| told.text.split(' ').count()).sum();
        let nats: f64 = told.iter().map(|told| told.nats).sum();
        // Between a coin flip and a free choice among some ten words.
        assert!((0.7..2.3).contains(&(nats / words as f64)), "{}", nats / words as f64);
    }
}
