//! A template's source as Jinja reads it, where the engine reads it otherwise.
//!
//! - Line ends are `\n`, whatever they were.
//! - The line end after `{% raw %}` is text.
//! - `{% generation %} … {% endgeneration %}` marks what the assistant said, for training. Here it is a plain block.
//! - `a % b` is Python's: `percent__(a, b)` formats a text, or gives the remainder.
//! - `for x in none` is refused: `each__` lets through what can be iterated over.
//! - Escapes in a text are Python's.
//!
//! Lines keep their numbers, for messages.

use super::tokens::{Kind, Token, tokens};

/// The names of the functions that operators become.
pub(super) const PERCENT: &str = "percent__";
pub(super) const EACH: &str = "each__";

/// The source for the engine.
pub(super) fn prepared(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(start) = rest.find('{') {
        let (before, at) = rest.split_at(start);
        out.push_str(before);
        let taken = match at.as_bytes().get(1) {
            Some(b'#') => at.find("#}").map(|end| out_verbatim(&mut out, &at[..end + 2])),
            Some(b'%') => statement(at, &mut out),
            Some(b'{') => expression(at, &mut out),
            Some(_) | None => Some(out_verbatim(&mut out, &at[..1])),
        };
        let Some(taken) = taken else {
            out.push_str(at); // without an end: the engine says so
            return out;
        };
        rest = &at[taken..];
    }
    out.push_str(rest);
    out
}

fn out_verbatim(out: &mut String, text: &str) -> usize {
    out.push_str(text);
    text.len()
}

/// `{{ … }}`: how many bytes it is long, or none where it does not end.
fn expression(at: &str, out: &mut String) -> Option<usize> {
    let (tokens, end) = tokens(&at[2..], "}}")?;
    out.push_str("{{");
    out.push_str(&written(tokens));
    out.push_str("}}");
    Some(end + 4)
}

/// `{% … %}`, with what it encloses where that is raw.
fn statement(at: &str, out: &mut String) -> Option<usize> {
    let (mut tokens, end) = tokens(&at[2..], "%}")?;
    let taken = end + 4;
    let word = tokens.iter().position(|token| token.kind == Kind::Name);
    match word.map(|word| tokens[word].text.as_str()) {
        Some("raw") => {
            let raw = raw_end(&at[taken..])?;
            out.push_str(&at[..taken]);
            if at[taken..].starts_with('\n') && !at[..taken].ends_with("-%}") {
                out.push('\n'); // the engine takes one away
            }
            return Some(taken + out_verbatim(out, &at[taken..taken + raw]));
        }
        Some(mark @ ("generation" | "endgeneration")) => {
            let plain = if mark == "generation" { "if true" } else { "endif" };
            if let Some(token) = word.and_then(|word| tokens.get_mut(word)) {
                plain.clone_into(&mut token.text);
            }
        }
        Some("for") => each(&mut tokens),
        Some(_) | None => {}
    }
    out.push_str("{%");
    out.push_str(&written(tokens));
    out.push_str("%}");
    Some(taken)
}

/// Where the end of `{% endraw %}` is.
fn raw_end(text: &str) -> Option<usize> {
    text.match_indices("{%").find_map(|(at, _)| {
        let tag = &text[at + 2..];
        let inner = tag[..tag.find("%}")?].trim_matches(['-', '+']).trim();
        (inner == "endraw").then(|| at + 2 + tag.find("%}").unwrap_or_default() + 2)
    })
}

/// `for x in LIST if … recursive` with the list as an argument.
fn each(tokens: &mut Vec<Token>) {
    let named =
        |token: &Token, name: &str| token.kind == Kind::Name && token.text == name && token.depth == 0;
    let Some(from) = tokens.iter().position(|token| named(token, "in")) else { return };
    let list = from + 1;
    let ends = |token: &Token| named(token, "if") || named(token, "recursive") || token.kind == Kind::Mark;
    let to = tokens[list..].iter().position(ends).map_or(tokens.len(), |length| list + length);
    if tokens[list..to].iter().all(|token| token.kind == Kind::Space) {
        return;
    }
    tokens.insert(to, Token::verbatim("))"));
    tokens.insert(list, Token::verbatim(&format!(" {EACH}((")));
}

fn written(mut tokens: Vec<Token>) -> String {
    while let Some(at) = tokens.iter().position(|token| token.kind == Kind::Operator && token.text == "%") {
        percent(&mut tokens, at);
    }
    tokens.into_iter().map(|token| token.text).collect()
}

/// Turns the operator at `at`, the first of its tag, and its operands into a call.
fn percent(tokens: &mut Vec<Token>, at: usize) {
    let depth = tokens[at].depth;
    let is_bound = |token: &Token| token.depth < depth || (token.depth == depth && token.separates());
    let left = (0..at).rev().find(|&i| is_bound(&tokens[i]) && !is_sign(tokens, i)).map_or(0, |i| i + 1);
    let product =
        |token: &Token| matches!(token.text.as_str(), "*" | "/" | "//" | "%") && token.kind == Kind::Operator;
    let ends = |i: usize| {
        let token = &tokens[i];
        !is_sign(tokens, i) && (is_bound(token) || (token.depth == depth && product(token)))
    };
    let right = (at + 1..tokens.len()).find(|&i| ends(i)).unwrap_or(tokens.len());
    tokens.insert(right, Token::verbatim(")"));
    tokens[at] = Token::verbatim(",");
    tokens.insert(left, Token::verbatim(&format!(" {PERCENT}(")));
}

/// Whether a `-` or `+` belongs to the operand after it.
fn is_sign(tokens: &[Token], at: usize) -> bool {
    if tokens[at].kind != Kind::Operator || !matches!(tokens[at].text.as_str(), "-" | "+") {
        return false;
    }
    let before = tokens[..at].iter().rev().find(|token| token.kind != Kind::Space);
    before.is_none_or(|token| match token.kind {
        Kind::Operator => !matches!(token.text.as_str(), ")" | "]" | "}"),
        Kind::Name => token.is_keyword(),
        Kind::Text | Kind::Number | Kind::Space | Kind::Verbatim => false,
        Kind::Mark => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, expected: &str) {
        assert_eq!(prepared(source).replace(' ', ""), expected.replace(' ', ""));
    }

    #[test]
    fn a_remainder_takes_what_binds_as_tightly_on_its_left() {
        check("{{ a % b }}", "{{ percent__(a, b) }}");
        check("{{ a + b * c % d - e }}", "{{ a + percent__(b * c, d) - e }}");
        check("{{ a % b % c }}", "{{ percent__(percent__(a, b), c) }}");
        check("{{ a % -b ** -c + 1 }}", "{{ percent__(a, -b ** -c) + 1 }}");
        check("{{ -a % b }}", "{{ percent__(-a, b) }}");
        check("{{ x - -a % b == 0 }}", "{{ x - percent__(-a, b) == 0 }}");
        check(
            "{{ f(a % 2, b) | g % h[1 % 2] }}",
            "{{ percent__(f(percent__(a,2), b) | g, h[percent__(1, 2)]) }}",
        );
        check("{% if not a % 2 == 1 %}x{% endif %}", "{% if not percent__(a, 2) == 1 %}x{% endif %}");
        check("{%- set x = '%s' % 'a' 'b' if y -%}", "{%- set x = percent__('%s', 'a' 'b') if y -%}");
    }

    #[test]
    fn what_is_no_code_stays() {
        for same in [
            "a % b",
            "{# a % b #}",
            "{{ '%s' }}",
            "{% raw %} {{ a % b }} {% endraw %}",
            "{{ a",
            "{%",
            "{",
            "{{ '%}' }}",
        ] {
            check(same, same);
        }
        check("{% raw %}\n{{ x }}{% endraw %}", "{% raw %}\n\n{{ x }}{% endraw %}");
        check("a\r\nb\rc", "a\nb\nc");
        check("{%- generation -%}x{% endgeneration %}", "{%- if true -%}x{% endif %}");
    }

    #[test]
    fn a_loop_s_list_is_an_argument() {
        check("{% for x in a %}", "{% for x in each__((a)) %}");
        check("{%- for a, b in c.items() if d -%}", "{%- for a, b in each__((c.items())) if d -%}");
        check("{% for x in f(y if z) recursive %}", "{% for x in each__((f(y if z))) recursive %}");
        check("{% for x in 1, 2 %}", "{% for x in each__((1, 2)) %}");
    }
}
