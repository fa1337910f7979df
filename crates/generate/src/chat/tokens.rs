//! The words of a tag, as far as it takes to find operands.

use super::escapes;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Space,
    Name,
    Number,
    Text,
    Operator,
    /// The sign of white space control at the beginning or the end of a tag.
    Mark,
    /// Written here.
    Verbatim,
}

/// A token, with the number of brackets around it. A bracket stands outside itself.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) depth: usize,
}

const TWO: [&str; 6] = ["**", "//", "==", "!=", "<=", ">="];
/// Words that stand between operands.
const KEYWORDS: [&str; 11] =
    ["and", "or", "not", "in", "if", "else", "elif", "recursive", "print", "set", "call"];

impl Token {
    pub(super) fn verbatim(text: &str) -> Token {
        // Deeper than any: part of whatever it stands in.
        Token { kind: Kind::Verbatim, text: text.to_owned(), depth: usize::MAX }
    }

    pub(super) fn is_keyword(&self) -> bool {
        self.kind == Kind::Name && KEYWORDS.contains(&self.text.as_str())
    }

    /// Whether it binds more loosely than a product.
    pub(super) fn separates(&self) -> bool {
        let loose = ["+", "-", "~", "==", "!=", "<", ">", "<=", ">=", ",", ":", "="];
        match self.kind {
            Kind::Operator => loose.contains(&self.text.as_str()),
            Kind::Name => self.is_keyword(),
            Kind::Mark => true,
            Kind::Space | Kind::Number | Kind::Text | Kind::Verbatim => false,
        }
    }
}

/// The tokens up to `end`, outside brackets and texts, and the bytes before it; none where it does not come.
pub(super) fn tokens(text: &str, end: &str) -> Option<(Vec<Token>, usize)> {
    let mut tokens: Vec<Token> = Vec::new();
    let (mut at, mut depth) = (0, 0usize);
    loop {
        let rest = &text[at..];
        if depth == 0 && rest.starts_with(end) {
            return Some((tokens, at));
        }
        let signed = depth == 0 && rest.get(1..).is_some_and(|after| after.starts_with(end));
        let (kind, length) = next(rest, at == 0 || signed)?;
        let word = &rest[..length];
        let closes = kind == Kind::Operator && matches!(word, ")" | "]" | "}");
        depth = depth.saturating_sub(usize::from(closes));
        let text = if kind == Kind::Text { escapes::for_engine(word) } else { word.to_owned() };
        tokens.push(Token { kind, text, depth });
        depth += usize::from(kind == Kind::Operator && matches!(word, "(" | "[" | "{"));
        at += length;
    }
}

/// The token at the beginning of `rest`, and its length.
fn next(rest: &str, at_an_end: bool) -> Option<(Kind, usize)> {
    let first = rest.chars().next()?;
    let run = |of: fn(char) -> bool| rest.find(|c: char| !of(c)).unwrap_or(rest.len());
    Some(match first {
        '-' | '+' if at_an_end => (Kind::Mark, 1),
        _ if first.is_whitespace() => (Kind::Space, run(char::is_whitespace)),
        '"' | '\'' => (Kind::Text, text_length(rest, first)?),
        _ if first.is_ascii_digit() => (Kind::Number, number_length(rest)),
        _ if is_word(first) => (Kind::Name, run(is_word)),
        _ if TWO.iter().any(|two| rest.starts_with(two)) => (Kind::Operator, 2),
        _ => (Kind::Operator, first.len_utf8()),
    })
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

/// `1.5e-7`, `0xff`, `1_000`.
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let exponent = at > 0 && matches!(bytes[at - 1], b'e' | b'E') && !rest.starts_with("0x");
        let digit_follows = bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        let belongs = match byte {
            b'+' | b'-' => exponent && digit_follows,
            b'.' => digit_follows,
            byte => byte.is_ascii_alphanumeric() || *byte == b'_',
        };
        if !belongs {
            break;
        }
        at += 1;
    }
    at
}

fn text_length(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, letter)| {
        let ends = *letter == quote && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    });
    end.map(|(at, _)| at + 1)
}
