//! GPT-2's alphabet, in which every byte is a character that can be seen.

/// The bytes of a piece in which every character stands for one; another piece is its own UTF-8.
pub(crate) fn level_bytes(piece: &str) -> Vec<u8> {
    coded_bytes(piece).unwrap_or_else(|| piece.as_bytes().to_vec())
}

/// The bytes of a piece in which every character stands for one; none for another piece.
pub(crate) fn coded_bytes(piece: &str) -> Option<Vec<u8>> {
    piece.chars().map(level_byte).collect()
}

/// Bytes as characters that can be seen, one for each.
pub(crate) fn level_text(bytes: &[u8]) -> String {
    let character = |byte: &u8| {
        let code = match *byte {
            0x00..=0x20 => u32::from(*byte) + 0x100,
            0x7F..=0xA0 => u32::from(*byte) - 0x7F + 0x121,
            0xAD => 0x143,
            0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => u32::from(*byte),
        };
        char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
    };
    bytes.iter().map(character).collect()
}

/// The byte that a character stands for: printable bytes are themselves, the others follow from U+0100 on.
fn level_byte(character: char) -> Option<u8> {
    let code = u32::from(character);
    match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => Some(code as u8),
        0x100..=0x120 => Some((code - 0x100) as u8),
        0x121..=0x142 => Some((code - 0x121 + 0x7F) as u8),
        0x143 => Some(0xAD),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_character() {
        let alphabet = hf::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let mut bytes: Vec<u8> = alphabet.into_iter().filter_map(level_byte).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(level_bytes("Ġhé"), b" h\xE9");
        assert_eq!(level_bytes("中"), "中".as_bytes());
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(level_bytes(&level_text(&all)), all);
    }
}
