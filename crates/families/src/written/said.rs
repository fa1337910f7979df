//! What the deserialiser says of a value, in a reader's words: no type of Rust, no `variant`, no `field`.

use serde_json::Value as Json;

/// A message of serde's about `value`, for somebody who wrote a number or a name in a file. What is not known to be one of its
/// messages stays as it is: it is ours.
#[must_use]
pub fn plainly(message: &str, value: Option<&Json>) -> String {
    let bare = message.split(" at line ").next().unwrap_or(message);
    translated(bare, value).unwrap_or_else(|| message.to_owned())
}

fn translated(message: &str, value: Option<&Json>) -> Option<String> {
    let named = |rest: &str| rest.split_once('`').map(|(name, rest)| (name.to_owned(), rest.to_owned()));
    if let Some((name, rest)) = message.strip_prefix("unknown variant `").and_then(named) {
        return Some(format!("there is no `{name}`{}", there_are(&rest)));
    }
    if let Some((name, rest)) = message.strip_prefix("unknown field `").and_then(named) {
        return Some(format!("`{name}` is not known here{}", there_are(&rest)));
    }
    if let Some((name, _)) = message.strip_prefix("missing field `").and_then(named) {
        let place = value.map(|value| format!(" in {value}")).unwrap_or_default();
        return Some(format!("`{name}` is missing{place}"));
    }
    if let Some((name, _)) = message.strip_prefix("duplicate field `").and_then(named) {
        return Some(format!("`{name}` is there twice"));
    }
    let typed =
        ["invalid type: ", "invalid value: ", "invalid length "].iter().any(|kind| message.starts_with(kind));
    let (_, wanted) = message.split_once(", expected ").filter(|_| typed)?;
    let got = value.map(|value| format!(", not {value}")).unwrap_or_default();
    Some(format!("it must be {}{got}", kind(wanted)))
}

/// `; there are …`, of `, expected one of …`.
fn there_are(rest: &str) -> String {
    let known = rest.strip_prefix(", expected ").unwrap_or_default();
    let known = known.strip_prefix("one of ").unwrap_or(known);
    if known.is_empty() { String::new() } else { format!("; there are {known}") }
}

/// What a type is to somebody who writes a value of it.
fn kind(wanted: &str) -> &str {
    match wanted {
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a boolean" => "true or false",
        "a string" | "string" | "a borrowed string" | "variant identifier" | "string or map" => "a name",
        "a sequence" => "a list",
        "a map" => "a table",
        other if other.starts_with("struct ") || other.starts_with("internally tagged enum ") => "a table",
        other if other.starts_with("enum ") => "a name",
        other if other.starts_with("a nonzero ") => "a whole number from 1 on",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        One,
        Two,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its refusals are looked at")]
    struct Settings {
        number: Option<f64>,
        count: Option<usize>,
        nonzero: Option<std::num::NonZeroU32>,
        choice: Option<Choice>,
        switch: Option<bool>,
        list: Option<Vec<u32>>,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only its refusals are looked at")]
    struct Inner {
        must: i64,
    }

    /// The messages come from serde itself, so that another wording of its would be seen here.
    #[track_caller]
    fn check(key: &str, value: Json, expected: &str) {
        let table = json!({ key: value });
        let error = serde_json::from_value::<Settings>(table).expect_err("it is refused");
        assert_eq!(plainly(&error.to_string(), Some(&value)), expected);
    }

    #[test]
    fn what_serde_refuses_is_told_without_its_types() {
        check("number", json!(true), "it must be a number, not true");
        check("count", json!(4.0), "it must be a whole number from 0 on, not 4.0");
        check("count", json!(-1), "it must be a whole number from 0 on, not -1");
        check("nonzero", json!(0), "it must be a whole number from 1 on, not 0");
        check("switch", json!("yes"), "it must be true or false, not \"yes\"");
        check("list", json!(3), "it must be a list, not 3");
        check("inner", json!([]), "it must be a table, not []");
        check("inner", json!({}), "`must` is missing in {}");
        check("choice", json!("three"), "there is no `three`; there are `one` or `two`");
        check("choice", json!(3), "it must be a name, not 3");
        let known = "there are `number`, `count`, `nonzero`, `choice`, `switch`, `list`, `inner`";
        check("other", json!(1), &format!("`other` is not known here; {known}"));
        assert_eq!(plainly("a factor of 0 is no factor", None), "a factor of 0 is no factor");
        let of_text = |text: &str| {
            plainly(&serde_json::from_str::<Settings>(text).expect_err("refused").to_string(), None)
        };
        assert_eq!(of_text("{\"number\": true}"), "it must be a number");
        assert_eq!(of_text("{\"number\" 3}"), "expected `:` at line 1 column 11");
    }
}
