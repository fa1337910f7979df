//! `isdigit` and its like.

/// Whether Python's `str.isspace` holds: Unicode's white space and four separators of ASCII.
pub(super) fn is_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{1c}'..='\u{1f}')
}

const KNOWN: [&str; 8] =
    ["isspace", "isdecimal", "isdigit", "isnumeric", "istitle", "isidentifier", "isprintable", "isascii"];

pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// Whether all letters of a text are of a kind.
pub(super) fn holds(name: &str, text: &str) -> bool {
    let all = |of: fn(char) -> bool| !text.is_empty() && text.chars().all(of);
    match name {
        "isspace" => all(is_space),
        "isdecimal" => all(is_decimal),
        "isdigit" => all(|letter| is_decimal(letter) || is_small_digit(letter)),
        "isnumeric" => all(char::is_numeric),
        "istitle" => is_title(text),
        "isidentifier" => {
            text.starts_with(|letter: char| letter == '_' || letter.is_alphabetic())
                && text.chars().all(|letter| letter == '_' || letter.is_alphanumeric())
        }
        "isprintable" => text.chars().all(is_printable),
        _ => text.is_ascii(),
    }
}

/// A digit of some script: numeric, and no letter, fraction, ring or superscript.
fn is_decimal(letter: char) -> bool {
    let scripts =
        ['0', '٠', '۰', '߀', '०', '০', '੦', '૦', '୦', '௦', '౦', '೦', '൦', '๐', '໐', '༠', '၀', '០', '０'];
    scripts.iter().any(|zero| (*zero..=char::from_u32(*zero as u32 + 9).unwrap_or(*zero)).contains(&letter))
}

/// Superscripts, subscripts and digits in rings.
fn is_small_digit(letter: char) -> bool {
    matches!(letter, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨' | '⑴'..='⑼' | '⓪' | '❶'..='❾')
}

fn is_title(text: &str) -> bool {
    let (mut inside, mut any) = (false, false);
    for letter in text.chars() {
        let fits = if letter.is_uppercase() { !inside } else { !letter.is_lowercase() || inside };
        if !fits {
            return false;
        }
        inside = letter.is_uppercase() || letter.is_lowercase();
        any |= inside;
    }
    any
}

/// As `repr` leaves a letter alone: no control, no separator but the blank, nothing private or unseen.
pub(super) fn is_printable(letter: char) -> bool {
    let unseen = matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}');
    letter == ' ' || !(letter.is_control() || letter.is_whitespace() || unseen)
}
