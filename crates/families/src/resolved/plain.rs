//! What the reader of typed values says of a wrong one, in the words of whoever writes a family's file.

/// Types as the reader calls them, and as people do.
const KINDS: [(&str, &str); 12] = [
    ("usize", "a whole number of at least 0"),
    ("u64", "a whole number of at least 0"),
    ("u32", "a whole number of at least 0"),
    ("i64", "a whole number"),
    ("f64", "a number"),
    ("f32", "a number"),
    ("a boolean", "true or false"),
    ("a string", "a text"),
    ("string or map", "a name"),
    ("a map", "a table"),
    ("struct ", "a table"),
    ("a sequence", "a list"),
];

/// The reader's message without its own types: what is wanted, and what there is to choose from.
pub(crate) fn plain(message: &str) -> String {
    let names = || backticked(message);
    if message.starts_with("unknown variant") {
        return match names().split_first() {
            Some((_, known)) => format!("must be one of {}", known.join(", ")),
            None => message.to_owned(),
        };
    }
    if message.starts_with("unknown field") {
        return match names().split_first() {
            Some((key, known)) if !known.is_empty() => {
                format!("`{key}` is no key of this table; there are {}", known.join(", "))
            }
            _ => message.to_owned(),
        };
    }
    if message.starts_with("missing field") {
        return names().first().map_or_else(|| message.to_owned(), |key| format!("`{key}` is missing"));
    }
    match message.rsplit_once(", expected ") {
        Some((_, wanted)) => format!("must be {}", kind(wanted)),
        None => message.to_owned(),
    }
}

fn kind(wanted: &str) -> &str {
    KINDS.iter().find(|(theirs, _)| wanted.starts_with(theirs)).map_or(wanted, |(_, ours)| ours)
}

fn backticked(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_type_of_rust_is_left() {
        for (theirs, ours) in [
            ("invalid type: string \"x\", expected usize", "must be a whole number of at least 0"),
            ("invalid value: integer `-3`, expected usize", "must be a whole number of at least 0"),
            ("invalid type: boolean `true`, expected f64", "must be a number"),
            ("invalid type: integer `1`, expected a boolean", "must be true or false"),
            ("invalid type: integer `1`, expected struct Settings", "must be a table"),
            ("unknown variant `x`, expected one of `rope`, `alibi`", "must be one of rope, alibi"),
            ("unknown variant `x`, expected `rope` or `alibi`", "must be one of rope, alibi"),
            ("unknown field `x`, expected `chunk_size`", "`x` is no key of this table; there are chunk_size"),
            ("missing field `chunk_size`", "`chunk_size` is missing"),
            ("anything else", "anything else"),
        ] {
            assert_eq!(plain(theirs), ours);
        }
    }
}
