//! Words in a model card: its head is YAML, its body Markdown.

/// A string in YAML. Every JSON string is a YAML string.
///
/// ```
/// assert_eq!(model::card::quoted("a: \"b\""), r#""a: \"b\"""#);
/// ```
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A name in running text, without characters that Markdown or HTML could interpret.
///
/// ```
/// assert_eq!(model::card::plain("<b>llama|`x`"), "bllamax");
/// ```
pub fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !"<>[]`|*".contains(*c)).collect()
}
