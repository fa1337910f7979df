//! JSON as Python writes it: a space after each comma and colon.

use serde_json::Value as Json;

/// `json.dumps(value, ensure_ascii=False, indent=indent)`.
pub(super) fn dumps(value: &Json, indent: Option<usize>) -> String {
    let mut out = String::new();
    write(value, indent, 0, &mut out);
    out
}

fn write(value: &Json, indent: Option<usize>, depth: usize, out: &mut String) {
    match value {
        Json::Array(list) => {
            let items = list.iter().map(|item| (None, item));
            enclosed(['[', ']'], items, indent, depth, out);
        }
        Json::Object(table) => {
            let items = table.iter().map(|(key, item)| (Some(key), item));
            enclosed(['{', '}'], items, indent, depth, out);
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => out.push_str(&value.to_string()),
    }
}

fn enclosed<'v>(
    [open, close]: [char; 2],
    items: impl ExactSizeIterator<Item = (Option<&'v String>, &'v Json)>,
    indent: Option<usize>,
    depth: usize,
    out: &mut String,
) {
    let empty = items.len() == 0;
    let line = |depth: usize, out: &mut String| {
        if let Some(indent) = indent.filter(|_| !empty) {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    };
    out.push(open);
    for (index, (key, item)) in items.enumerate() {
        if index > 0 {
            out.push_str(if indent.is_some() { "," } else { ", " });
        }
        line(depth + 1, out);
        if let Some(key) = key {
            out.push_str(&Json::String(key.clone()).to_string());
            out.push_str(": ");
        }
        write(item, indent, depth + 1, out);
    }
    line(depth, out);
    out.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn as_python_writes_it() {
        let value = json!({ "a": [1, 2.5, "é<\n"], "b": {}, "c": null });
        assert_eq!(dumps(&value, None), r#"{"a": [1, 2.5, "é<\n"], "b": {}, "c": null}"#);
        let lines = "{\n  \"a\": [\n    1,\n    2.5,\n    \"é<\\n\"\n  ],\n  \"b\": {},\n  \"c\": null\n}";
        assert_eq!(dumps(&value, Some(2)), lines);
    }
}
