//! The words of the language. The lists share no word, so that a text can be read in one way only.

/// Names, the first half of women, the second of men.
pub(super) const NAMES: [&str; 24] = [
    "Ada", "Vera", "Mila", "Nora", "Ines", "Ruth", "Olga", "Edda", "Lena", "Hanna", "Maud", "Rosa", //
    "Otto", "Emil", "Karl", "Hugo", "Ivan", "Paul", "Lars", "Nils", "Theo", "Viktor", "Anton", "Felix",
];

/// What people are.
pub(super) const TRADES: [&str; 16] = [
    "miller", "smith", "baker", "sailor", "hunter", "weaver", "farmer", "painter", "doctor", "teacher",
    "singer", "potter", "mason", "tailor", "judge", "monk",
];

/// Things, each with a plural in `s`.
pub(super) const THINGS: [&str; 48] = [
    "dog", "cat", "horse", "bird", "goat", "hen", "lamp", "stone", "ring", "key", "coin", "rope", "boat",
    "cart", "door", "chest", "drum", "bell", "book", "map", "cup", "bowl", "sword", "spoon", "coat", "hat",
    "boot", "flag", "net", "nail", "wheel", "ladder", "bucket", "candle", "letter", "cloak", "mirror", "pot",
    "seed", "apple", "pear", "nut", "egg", "cake", "rose", "saw", "bag", "stick",
];

/// What is done to things, each with a third person in `s`.
pub(super) const VERBS: [&str; 32] = [
    "find", "keep", "take", "hold", "follow", "break", "paint", "sell", "bring", "hide", "lift", "clean",
    "guard", "count", "drop", "move", "want", "fear", "love", "know", "need", "help", "draw", "burn", "fill",
    "open", "turn", "steal", "share", "trade", "mend", "seek",
];

/// What things are like.
pub(super) const QUALITIES: [&str; 24] = [
    "old", "new", "red", "blue", "small", "large", "heavy", "light", "broken", "golden", "silver", "wooden",
    "cheap", "dear", "strange", "plain", "dirty", "bright", "dark", "round", "sharp", "soft", "cold", "warm",
];

/// Where things are.
pub(super) const PLACES: [&str; 16] = [
    "river", "forest", "tower", "market", "bridge", "harbour", "church", "garden", "mill", "castle",
    "school", "lake", "valley", "road", "island", "well",
];

/// How things are done.
pub(super) const WAYS: [&str; 12] = [
    "slowly", "quickly", "often", "rarely", "gladly", "alone", "again", "twice", "today", "secretly",
    "badly", "always",
];
