//! A pattern of names: `*` stands for anything, `{layer}` for the number of a layer. It is read both ways.

use serde::{Deserialize, Deserializer, de::Error as _};

/// So many stars a pattern may have: each is tried at every place.
const STARS: usize = 3;

/// `*.layers.{layer}.mlp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Any,
    Layer,
}

impl Glob {
    fn parse(text: &str) -> Result<Glob, String> {
        let mut parts = Vec::new();
        for (index, piece) in text.split("{layer}").enumerate() {
            if index > 0 {
                parts.push(Part::Layer);
            }
            for (index, text) in piece.split('*').enumerate() {
                if index > 0 {
                    parts.push(Part::Any);
                }
                if !text.is_empty() {
                    parts.push(Part::Text(text.to_owned()));
                }
            }
        }
        let count = |wanted: &Part| parts.iter().filter(|part| *part == wanted).count();
        if count(&Part::Layer) > 1 || count(&Part::Any) > STARS {
            return Err(format!("`{text}` has {{layer}} more than once, or more than {STARS} stars"));
        }
        if parts.iter().all(|part| *part == Part::Any) {
            return Err(format!("`{text}` would be every name"));
        }
        Ok(Glob(parts))
    }

    /// Whether it speaks of a layer.
    pub(super) fn has_layer(&self) -> bool {
        self.0.contains(&Part::Layer)
    }

    /// The layer that a name has, `Some(None)` where it matches without one; `None` where it is another name.
    #[expect(clippy::option_option, reason = "whether it matches, and the layer if it has one")]
    pub(super) fn matched(&self, name: &str) -> Option<Option<usize>> {
        matched(&self.0, name, false)
    }

    /// The name of a layer, a leading star as `front` and others as nothing; `None` where it wants a layer and has none, or
    /// has one and wants none.
    pub(super) fn filled(&self, layer: Option<usize>, front: &str) -> Option<String> {
        if self.has_layer() != layer.is_some() {
            return None;
        }
        let piece = |(index, part): (usize, &Part)| match part {
            Part::Text(text) => text.clone(),
            Part::Any if index == 0 => front.to_owned(),
            Part::Any => String::new(),
            Part::Layer => layer.map(|layer| layer.to_string()).unwrap_or_default(),
        };
        Some(self.0.iter().enumerate().map(piece).collect())
    }
}

#[expect(clippy::option_option, reason = "whether it matches, and the layer if it has one")]
fn matched(parts: &[Part], name: &str, after_digit: bool) -> Option<Option<usize>> {
    let ends_in_digit = |text: &str| text.ends_with(|letter: char| letter.is_ascii_digit());
    let Some((first, rest)) = parts.split_first() else { return name.is_empty().then_some(None) };
    match first {
        Part::Text(text) => matched(rest, name.strip_prefix(text.as_str())?, ends_in_digit(text)),
        Part::Any if rest.is_empty() => Some(None),
        Part::Any => {
            let places = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            places.into_iter().find_map(|at| matched(rest, &name[at..], ends_in_digit(&name[..at])))
        }
        Part::Layer if after_digit => None,
        Part::Layer => {
            let number = &name[..name.len() - name.trim_start_matches(|c: char| c.is_ascii_digit()).len()];
            let layer = number.parse().ok()?;
            matched(rest, &name[number.len()..], true).map(|_| Some(layer))
        }
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Glob, D::Error> {
        Glob::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(glob: &str, name: &str, expected: Option<Option<usize>>) {
        assert_eq!(Glob::parse(glob).expect("a pattern").matched(name), expected, "{glob}: {name}");
    }

    #[test]
    fn a_name_matches_whole_or_not_at_all() {
        check("logits", "logits", Some(None));
        check("logits", "logits.1", None);
        check("*norm", "model.norm", Some(None));
        check("l_out-{layer}", "l_out-12", Some(Some(12)));
        check("l_out-{layer}", "l_out-12 (view)", None);
        check("*.layers.{layer}.mlp", "a.layers.7.mlp", Some(Some(7)));
        check("*{layer}.mlp", "12.mlp", Some(Some(12)));
        check("*.{layer}/outputs_0*", "model.layers.3/outputs_0_cuda_0", Some(Some(3)));
        check("*.{layer}/outputs_0*", "model.layers.3.mlp/outputs_0", None);
        check("l_out-{layer}", "l_out-99999999999999999999999", None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for glob in ["*.layers.{layer}.mlp", "l_out-{layer}", "a*{layer}*"] {
            let glob = Glob::parse(glob).expect("a pattern");
            let name = glob.filled(Some(5), "front").expect("a name");
            assert_eq!(glob.matched(&name), Some(Some(5)), "{name}");
            assert_eq!(glob.filled(None, ""), None);
        }
    }

    #[test]
    fn a_pattern_that_is_everything_or_endless_is_refused() {
        for text in ["", "*", "**", "{layer}{layer}", "*a*b*c*"] {
            assert!(Glob::parse(text).is_err(), "{text}");
        }
    }
}
