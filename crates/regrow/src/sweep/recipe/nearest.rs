//! Names the key that was likely meant.

use crate::error::Error;

/// How alike two names must be, from 0 to 1, for one to be taken for the other.
const ALIKE: f64 = 0.7;

/// The error of a recipe. For an unknown key it names the nearest known one.
pub(super) fn with_nearest(error: toml::de::Error) -> Error {
    let text = error.message().to_owned();
    match nearest(&text) {
        Some(name) => {
            Error::msg(format!("{}\ndid you mean `{name}`?", error.to_string().trim_end()))
        }
        None => Error::from(error),
    }
}

/// The known name that is nearest to the unknown one, in the words of `serde`:
/// "unknown field `a`, expected one of `b`, `c`", and likewise "unknown variant" of a value.
fn nearest(message: &str) -> Option<&str> {
    let after = |words: &str| message.split_once(words).map(|(_, rest)| rest);
    let rest = after("unknown field `").or_else(|| after("unknown variant `"))?;
    let mut names = rest.split('`');
    let unknown = names.next()?;
    // Every second piece stands between backticks.
    let known = names.skip(1).step_by(2);
    let likeness = |name: &str| strsim::jaro_winkler(unknown, name);
    let best = known.max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(best) >= ALIKE).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_named_and_none_where_none_is_near() {
        let of = |unknown: &str| {
            let text = format!(
                "unknown field `{unknown}`, expected one of `seeds`, `context`, `as_blocks`"
            );
            nearest(&text).map(str::to_owned)
        };
        assert_eq!(of("contexts").as_deref(), Some("context"));
        assert_eq!(of("asblock").as_deref(), Some("as_blocks"));
        assert_eq!(of("seed").as_deref(), Some("seeds"));
        assert_eq!(of("zzz"), None);
        let value = "unknown variant `distill`, expected one of `lm`, `distil`, `mix`";
        assert_eq!(nearest(value), Some("distil"));
        assert_eq!(nearest("no such thing"), None);
    }
}
