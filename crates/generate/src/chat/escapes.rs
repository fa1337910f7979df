//! Escapes in a template's texts: Python's, said in those that the engine knows.

/// A quoted text as the engine must read it.
pub(super) fn for_engine(quoted: &str) -> String {
    let mut out = String::with_capacity(quoted.len());
    let mut lines = 0;
    let mut rest = quoted;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let mut letters = escape.chars();
        let Some(letter) = letters.next() else { break };
        rest = letters.as_str();
        match letter {
            '\n' => lines += 1, // the text goes on in the next line
            'a' => out.push('\u{7}'),
            'v' => out.push('\u{b}'),
            'U' => match escape
                .get(1..9)
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .and_then(char::from_u32)
            {
                Some(letter) => {
                    out.push(letter);
                    rest = &escape[9..];
                }
                None => out.push_str("\\U"),
            },
            // Every other letter that Python leaves alone: a backslash and the letter.
            '/' => out.push_str("\\\\/"),
            known => out.extend(['\\', known]),
        }
    }
    out.push_str(rest);
    out.extend(std::iter::repeat_n('\n', lines));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_python_s() {
        assert_eq!(for_engine(r"'\n\'\\\x41'"), r"'\n\'\\\x41'");
        assert_eq!(for_engine(r"'\/\a\v\U0001F600\d'"), "'\\\\/\u{7}\u{b}😀\\d'");
        assert_eq!(for_engine("'a\\\nb'"), "'ab'\n");
    }
}
