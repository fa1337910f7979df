//! Why a text ends, and the texts that end it.

use serde::{Deserialize, Serialize};

/// Why a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// A token that ends a text was generated.
    Eos,
    /// One of the stop texts was generated.
    Text,
    /// As many tokens were generated as were asked for.
    Length,
    /// The context is full.
    Context,
    /// The caller interrupted.
    Interrupt,
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stop::Eos => "eos",
            Stop::Text => "text",
            Stop::Length => "length",
            Stop::Context => "context",
            Stop::Interrupt => "interrupt",
        })
    }
}

/// Text in, text out, up to the first of the stop texts. What may yet become one is held back.
#[derive(Debug, Clone)]
pub(crate) struct StopTexts {
    texts: Vec<String>,
    held: String,
}

impl StopTexts {
    pub(crate) fn new(texts: &[String]) -> StopTexts {
        StopTexts {
            texts: texts.iter().filter(|text| !text.is_empty()).cloned().collect(),
            held: String::new(),
        }
    }

    /// The text that is certain, and whether a stop text follows it.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.texts.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let from = self.texts.iter().map(|stop| open_end(&self.held, stop)).min().unwrap_or(self.held.len());
        let rest = self.held.split_off(from);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, now that nothing follows.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Where the longest end of `text` begins that is a beginning of `stop`; the text's length if there is none.
fn open_end(text: &str, stop: &str) -> usize {
    let first = text.len().saturating_sub(stop.len() - 1);
    (first..text.len())
        .filter(|at| text.is_char_boundary(*at))
        .find(|at| stop.starts_with(&text[*at..]))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(stops: &[&str], pieces: &[&str], expected: &[&str]) {
        let mut stop = StopTexts::new(&stops.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        let mut out = Vec::new();
        for piece in pieces {
            let (text, ended) = stop.push(piece);
            out.push(text);
            if ended {
                assert_eq!(out, expected);
                return;
            }
        }
        out.push(stop.finish());
        assert_eq!(out, expected);
    }

    #[test]
    fn what_may_become_a_stop_text_is_held_back() {
        check(&["\nUser:"], &["Hi", "\nUs", "er", ": x"], &["Hi", "", "", ""]);
        check(&["\nUser:"], &["Hi\nUs", "ed"], &["Hi", "\nUsed", ""]);
        check(&["ab", "abc"], &["xab"], &["x"]);
        check(&["aab"], &["aaab"], &["a"]);
        check(&["é"], &["e", "é"], &["e", ""]);
        check(&["stop"], &["st"], &["", "st"]);
        check(&[], &["a", "b"], &["a", "b", ""]);
        check(&[""], &["a"], &["a", ""]);
    }

    proptest! {
        #[test]
        fn pieces_joined_are_the_text_before_the_first_stop(
            text in "[ab]{0,24}", stops in proptest::collection::vec("[ab]{1,4}", 0..3), cuts in proptest::collection::vec(0usize..24, 0..8)
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let mut stop = StopTexts::new(&stops);
            let mut out = String::new();
            let mut ended = false;
            for pair in cuts.windows(2) {
                let (piece, end) = stop.push(&text[pair[0]..pair[1]]);
                out.push_str(&piece);
                ended = end;
                if end { break; }
            }
            if !ended { out.push_str(&stop.finish()); }
            // In a stream the stop that is complete first wins; of those, the one that begins first.
            let complete = (0..=text.len()).find_map(|end| {
                let at = stops.iter().filter_map(|stop| text[..end].find(stop.as_str())).min()?;
                Some(at)
            });
            prop_assert_eq!(ended, complete.is_some());
            prop_assert!(text.starts_with(&out));
            if let Some(at) = complete { prop_assert!(out.len() <= at); prop_assert!(!stops.iter().any(|stop| out.contains(stop.as_str()))); }
            else { prop_assert_eq!(out, text); }
        }
    }
}
