//! The words of the schema, as `docs/schema.md` and the refusals of unknown words list them.

use camelid_families::{TABLES, tensor_attributes, words};

/// A word is of this kind, with this default; `None` where it must be said.
#[track_caller]
fn check(table: &str, key: &str, kind: &str, default: Option<&str>) {
    let word = words().iter().find(|word| word.table == table && word.key == key).expect("a word");
    assert_eq!((word.kind.as_str(), word.default.as_deref()), (kind, default), "{table}.{key}");
}

#[test]
fn a_word_is_told_by_its_kind_and_what_it_is_worth_unsaid() {
    check("embedding", "vocab", "integer", None);
    check("embedding", "scale", "number", Some("1.0"));
    check("block", "context", "integer", Some("none"));
    check("block", "wiring", "sequential \\| parallel", Some("\"sequential\""));
    check("norm", "kind", "name", None);
    check("attention", "softcap", "number", Some("none"));
    check("attention", "dual_chunk", "table", Some("none"));
    check("rope", "round", "f16", Some("none"));
    check("rope", "axes", "integer", Some("1"));
    check("prefix", "hold", "list", Some("[]"));
    check("mlp", "kind", "gated \\| plain", None);
    check("output", "tie", "true or false", Some("false"));
}

#[test]
fn every_word_is_in_one_of_the_tables_and_has_a_meaning_on_one_line() {
    for word in words() {
        let name = format!("{}.{}", word.table, word.key);
        assert!(TABLES.contains(&word.table.as_str()), "{name}");
        assert!(!word.meaning.is_empty() && !word.meaning.contains('\n'), "{name}: {:?}", word.meaning);
    }
    for table in TABLES {
        assert!(words().iter().any(|word| word.table == table), "[{table}] has no words");
    }
}

#[test]
fn a_tensor_has_attributes_of_a_few_values_each() {
    let attributes: Vec<_> = tensor_attributes().into_iter().collect();
    let values = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        attributes,
        [
            ("suffix", values(&["weight", "none"])),
            ("by", values(&["rows", "group", "head", "turns"])),
            ("per", values(&["head", "each_head", "width"])),
            ("at", values(&["before_rope", "after_rope"])),
            ("lies", values(&["out_in", "in_out"])),
            ("when", Vec::new()),
            ("unit", Vec::new()),
            ("eps", Vec::new()),
            ("offset", Vec::new()),
            ("factor", Vec::new()),
        ]
    );
}
