//! Texts that a script says many times, said once: in their place stands which one it is.

use indexmap::IndexSet;
use serde_json::{Map, Value as Json};

/// Every text becomes its number among `texts`, and every key `_` and that: a script would sort bare numbers.
pub(crate) fn shared(value: Json, texts: &mut IndexSet<String>) -> Json {
    match value {
        Json::String(text) => texts.insert_full(text).0.into(),
        Json::Array(list) => list.into_iter().map(|it| shared(it, texts)).collect(),
        Json::Object(table) => {
            let mut out = Map::new();
            for (key, it) in table {
                let key = format!("_{}", texts.insert_full(key).0);
                out.insert(key, shared(it, texts));
            }
            Json::Object(out)
        }
        other @ (Json::Null | Json::Bool(_) | Json::Number(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_is_kept_once() {
        let mut texts = IndexSet::new();
        let found = shared(json!({ "a": ["b", null, "a"], "b": { "a": "c" } }), &mut texts);
        assert_eq!(found, json!({ "_0": [1, null, 0], "_1": { "_0": 2 } }));
        assert_eq!(texts.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
