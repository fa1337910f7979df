//! Bytes to text as they arrive.

/// Decodes UTF-8 that comes in pieces; what is no UTF-8 becomes U+FFFD, one for each maximal part of a character,
/// as [`String::from_utf8_lossy`] does over the whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lossy {
    /// The beginning of a character: at most three bytes.
    held: Vec<u8>,
}

impl Lossy {
    pub(crate) fn push(&mut self, bytes: &[u8], text: &mut String) {
        if self.held.is_empty() {
            self.decode(bytes, text);
        } else {
            let mut joined = std::mem::take(&mut self.held);
            joined.extend_from_slice(bytes);
            self.decode(&joined, text);
        }
    }

    fn decode(&mut self, bytes: &[u8], text: &mut String) {
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            if invalid.is_empty() {
                continue;
            }
            let at_end = std::ptr::eq(invalid.as_ptr_range().end, bytes.as_ptr_range().end);
            if at_end && is_beginning(invalid) {
                self.held.extend_from_slice(invalid);
            } else {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    pub(crate) fn finish(&mut self, text: &mut String) {
        if !self.held.is_empty() {
            self.held.clear();
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Whether more bytes could make this a character.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_decode_as_the_whole_does(
            parts in proptest::collection::vec(
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..4),
                    any::<char>().prop_map(|c| c.to_string().into_bytes()),
                    any::<char>().prop_map(|c| c.to_string().into_bytes()[..1].to_vec()),
                ],
                0..12,
            ),
        ) {
            let whole = parts.concat();
            let (mut lossy, mut text) = (Lossy::default(), String::new());
            for part in &parts {
                lossy.push(part, &mut text);
            }
            lossy.finish(&mut text);
            prop_assert_eq!(text, String::from_utf8_lossy(&whole));
        }
    }
}
