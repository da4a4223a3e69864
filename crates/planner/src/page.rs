//! The page: a template with the style, the script, the law and this crate as WebAssembly inside.
//!
//! The page's policy allows this one script and this one style, by their hashes, and no request at
//! all. The law stands in a block of data in which no tag can begin.

use law::Law;
use ledger::Sha256;
use serde::Serialize;

use crate::base64::base64;

const TEMPLATE: &str = include_str!("../page/planner.html");
const STYLE: &str = include_str!("../page/planner.css");
const SCRIPT: &str = include_str!("../page/planner.js");

/// The fields of the form, in its order. A question holds these and no others.
pub const FIELDS: [&str; 17] = [
    "model",
    "n0",
    "loss0",
    "series",
    "method",
    "objective",
    "rate",
    "weights",
    "gain",
    "target",
    "tokens",
    "params",
    "budget",
    "device",
    "utilisation",
    "price",
    "cached",
];

/// What a page is made of.
#[derive(Clone, Copy, Debug)]
pub struct PageParts<'a, Commands: Serialize> {
    /// The law.
    pub law: &'a Law,
    /// This crate as WebAssembly.
    pub wasm: &'a [u8],
    /// How a question is asked in a terminal, for the button that copies it: passed on to the
    /// script as JSON.
    pub commands: &'a Commands,
    /// The version of the program.
    pub version: &'a str,
}

/// The page as a whole HTML document.
///
/// # Errors
/// If the law or the commands cannot be written as JSON.
pub fn page(parts: &PageParts<'_, impl Serialize>) -> serde_json::Result<String> {
    let style = report::page_style() + STYLE;
    let law = data(&serde_json::to_string(parts.law)?);
    let commands = data(&serde_json::to_string(parts.commands)?);
    let fill = |name: &str| match name {
        "style-hash" => hash(&style),
        "script-hash" => hash(SCRIPT),
        "style" => style.clone(),
        "script" => SCRIPT.to_owned(),
        "law" => law.clone(),
        "commands" => commands.clone(),
        "wasm" => base64(parts.wasm),
        "version" => escaped(parts.version),
        other => unreachable!("the template names `{other}`"),
    };
    // What is filled in is not looked at again, whatever it holds.
    let mut page = String::new();
    for (i, piece) in TEMPLATE.split("{{").enumerate() {
        match piece.split_once("}}") {
            Some((name, rest)) if i > 0 => {
                page += &fill(name);
                page += rest;
            }
            _ => page += piece,
        }
    }
    Ok(page)
}

/// JSON for a block of data in a page: without the letter that begins a tag or a comment.
fn data(json: &str) -> String {
    json.replace('<', "\\u003c")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A source of a content security policy.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", base64(Sha256::of(text).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Law {
        serde_json::from_str(r#"{"format": 2, "groups": []}"#).unwrap()
    }

    #[test]
    fn the_template_is_filled_once_and_whatever_stands_in_a_text_stays() {
        let commands = "</script>{{wasm}}<!--";
        let law = empty();
        let parts = PageParts { law: &law, wasm: b"\0asm", commands: &commands, version: "<1>" };
        let page = page(&parts).unwrap();
        assert!(page.contains(r#""\u003c/script>{{wasm}}\u003c!--""#), "{page}");
        assert!(page.contains("AGFzbQ==") && page.contains("&lt;1&gt;"));
        assert_eq!(page.matches("{{").count(), 1);
        // Every script that the template opens is closed, and no other.
        assert_eq!(page.matches("<script").count(), TEMPLATE.matches("<script").count());
        assert_eq!(page.matches("</script").count(), TEMPLATE.matches("</script").count());
    }

    #[test]
    fn the_form_has_the_fields_of_a_question_in_their_order() {
        let names: Vec<&str> = TEMPLATE
            .split(" name=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|name| !["viewport", "generator", "referrer"].contains(name))
            .collect();
        assert_eq!(names, FIELDS);
        for name in FIELDS {
            assert!(TEMPLATE.contains(&format!("for=\"{name}\"")), "`{name}` has no label");
            let question = format!("{{\"{name}\": \"\"}}");
            crate::question::Question::read(&question).unwrap();
        }
    }

    #[test]
    fn nothing_of_the_page_asks_for_another_file() {
        for text in [TEMPLATE, STYLE, SCRIPT, &report::page_style()] {
            for word in ["://", "src=", "url(", "@import", "fetch(", "XMLHttp", "eval(", "href=\"/"]
            {
                assert!(!text.contains(word), "`{word}`");
            }
        }
        assert!(TEMPLATE.contains("default-src 'none'"));
        // A hash holds for a text that no tag ends before its end.
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
    }
}
