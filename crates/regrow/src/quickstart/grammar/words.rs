//! The words of the language. No word is in two lists, so a text can be produced in one way only.
//! The words are short, so that nearly each is one token in a vocabulary of 1,100 tokens.

/// Adjectives for people.
pub(super) const NATURES: [&str; 42] = [
    "old", "young", "tall", "kind", "brave", "sad", "proud", "lazy", "happy", "angry", "busy",
    "wise", "shy", "poor", "rich", "mad", "bold", "calm", "deaf", "dull", "fair", "glad", "good",
    "grim", "keen", "lame", "lean", "loud", "meek", "mild", "neat", "nice", "odd", "pale", "quiet",
    "rude", "sick", "slim", "sly", "stern", "stout", "strong",
];

/// People. The first half takes `her`, the second half `his`.
pub(super) const PEOPLE: [&str; 84] = [
    "queen", "girl", "aunt", "nun", "nurse", "maid", "widow", "bride", "mother", "sister", "lady",
    "niece", "witch", "baker", "weaver", "painter", "doctor", "teacher", "potter", "tailor",
    "judge", "clerk", "cook", "hen", "cow", "mare", "goat", "cat", "fairy", "guest", "lodger",
    "dancer", "heiress", "duchess", "abbess", "reader", "writer", "cousin", "pupil", "scout",
    "pilot", "rider", "king", "boy", "uncle", "monk", "groom", "father", "brother", "lord",
    "nephew", "wizard", "smith", "miller", "sailor", "hunter", "farmer", "singer", "mason", "dog",
    "horse", "bull", "ram", "cock", "fox", "wolf", "bear", "giant", "thief", "guard", "porter",
    "knight", "squire", "duke", "abbot", "butler", "baron", "page", "pirate", "captain", "fisher",
    "shepherd", "soldier", "driver",
];

/// Verbs.
pub(super) const ACTS: [&str; 56] = [
    "finds", "keeps", "takes", "holds", "follows", "breaks", "paints", "sells", "brings", "hides",
    "lifts", "cleans", "wants", "fears", "loves", "knows", "needs", "draws", "burns", "fills",
    "opens", "turns", "steals", "shares", "trades", "mends", "seeks", "carries", "washes", "loses",
    "buys", "touches", "counts", "drops", "moves", "helps", "sees", "gives", "gets", "makes",
    "sends", "shows", "throws", "pulls", "pushes", "picks", "packs", "cuts", "locks", "wraps",
    "weighs", "names", "owns", "rents", "lends", "eats",
];

/// Adjectives for things.
pub(super) const QUALITIES: [&str; 42] = [
    "new", "red", "blue", "small", "large", "heavy", "light", "broken", "golden", "silver",
    "wooden", "cheap", "dear", "strange", "plain", "dirty", "bright", "dark", "round", "sharp",
    "soft", "cold", "warm", "green", "white", "black", "brown", "grey", "wet", "dry", "thin",
    "thick", "long", "short", "flat", "clean", "fine", "rough", "smooth", "hot", "bent", "torn",
];

/// Things, in the plural.
pub(super) const THINGS: [&str; 108] = [
    "lamps", "stones", "rings", "keys", "coins", "ropes", "boats", "carts", "doors", "chests",
    "drums", "bells", "books", "maps", "cups", "bowls", "swords", "spoons", "coats", "hats",
    "boots", "flags", "nets", "nails", "wheels", "ladders", "buckets", "candles", "letters",
    "cloaks", "mirrors", "pots", "seeds", "apples", "pears", "nuts", "eggs", "cakes", "roses",
    "saws", "bags", "sticks", "beds", "tables", "chairs", "desks", "shelves", "pens", "inks",
    "pins", "needles", "threads", "shirts", "skirts", "socks", "shoes", "gloves", "belts",
    "purses", "pipes", "flutes", "horns", "harps", "poems", "songs", "tales", "jokes", "plums",
    "figs", "beans", "peas", "loaves", "cheeses", "hams", "pies", "tarts", "jars", "jugs",
    "plates", "forks", "knives", "axes", "spades", "rakes", "ploughs", "sacks", "crates",
    "barrels", "tubs", "sponges", "soaps", "combs", "brooms", "mops", "towels", "rugs", "curtains",
    "clocks", "watches", "stamps", "cards", "dice", "dolls", "kites", "balls", "toys", "masks",
    "wigs",
];

/// Adverbs.
pub(super) const WAYS: [&str; 28] = [
    "slowly", "quickly", "often", "rarely", "gladly", "alone", "again", "twice", "today", "badly",
    "always", "never", "now", "then", "here", "there", "early", "late", "well", "once", "soon",
    "still", "daily", "fast", "outside", "indoors", "tonight", "secretly",
];

/// Places.
pub(super) const PLACES: [&str; 24] = [
    "river", "forest", "tower", "market", "bridge", "harbour", "church", "garden", "mill",
    "castle", "school", "lake", "valley", "road", "island", "shore", "cave", "inn", "barn",
    "field", "hill", "gate", "wall", "yard",
];
