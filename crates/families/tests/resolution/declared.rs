//! What a declaration tells those who explain it: values as written, the formulas in them, the tokenizer's files.

use camelid_families::{Expr, Formula, Library, formulas};

use super::family;

/// `[rope] scaling` is as good a place as any for a value of any kind.
#[track_caller]
fn value(toml: &str) -> Expr {
    family(&format!("[rope]\nscaling = {toml}")).words["rope.scaling"].expr.clone()
}

/// A value is written so, and so written it is read as the same value.
#[track_caller]
fn written(toml: &str, expected: &str) {
    let expr = value(toml);
    assert_eq!(expr.written(), expected);
    assert_eq!(value(&expr.written()), expr);
}

#[test]
fn values_are_written_as_a_family_file_takes_them() {
    written("'none'", "\"none\"");
    written("1_000", "1000");
    written("0.50", "0.5");
    written("'llama3'", "\"llama3\"");
    written("'=a  + 1 '", "\"= a  + 1\"");
    written("[ 1,true , '= a' ]", "[1, true, \"= a\"]");
    written("{ factor = 8.0, rope_type = 'linear' }", "{ factor = 8.0, rope_type = \"linear\" }");
}

#[test]
fn keys_are_quoted_where_toml_asks_for_it() {
    written("{ \"rope_type\" = 1, Beta-2 = 2 }", "{ rope_type = 1, Beta-2 = 2 }");
    written("{ 'two words' = 1 }", "{ \"two words\" = 1 }");
    written("{ '<s>' = 1, 'ä' = 2, 'a.b' = 3 }", "{ \"<s>\" = 1, \"ä\" = 2, \"a.b\" = 3 }");
    written("{ '' = 1, 'a\"b' = 2 }", "{ \"\" = 1, \"a\\\"b\" = 2 }");
}

#[test]
fn the_formulas_of_a_value_are_found_at_any_depth() {
    let expr = value("{ factor = '= a', list = [1, '= b', { deep = '= c' }], name = 'linear' }");
    assert_eq!(formulas(&expr).into_iter().map(Formula::source).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(formulas(&value("{ factor = 2.0 }")).is_empty());
}

#[test]
fn the_files_of_a_vocabulary_are_those_of_the_family_or_of_what_it_extends() {
    let library = Library::built_in().expect("the built-in families");
    let root = library.get("llama1").expect("the root");
    assert_eq!(root.tokenizer_files(), ["tokenizer.json", "tokenizer.model"]);
    assert_eq!(family("").tokenizer_files(), root.tokenizer_files());
    let own = family("[tokenizer]\nfiles = [{ kind = \"json\", name = \"mine.json\" }]");
    assert_eq!(own.tokenizer_files(), ["mine.json"]);
    assert!(family("[tokenizer]\nfiles = []").tokenizer_files().is_empty());
}
