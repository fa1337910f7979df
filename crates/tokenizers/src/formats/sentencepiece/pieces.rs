//! The pieces of a model by id, and where an encoder puts them.

use super::proto::{Kind, Piece, Proto};
use crate::merging::vocabulary::Vocabulary;
use crate::{Error, Special};

/// The pieces of a model, by id.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    pub(super) vocabulary: Vocabulary,
    entries: Vec<Entry>,
    unknown: u32,
    byte_ids: Option<Box<[u32; 256]>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    score: f32,
    kind: Kind,
    /// The id that the reference finds by this piece's text: its own, or that of a reserved piece with the same text.
    spoken: u32,
}

impl Pieces {
    pub(super) fn new(proto: &Proto) -> Result<Self, Error> {
        let mut vocabulary = Vocabulary::with_capacity(proto.pieces.len());
        let mut entries: Vec<Entry> = Vec::with_capacity(proto.pieces.len());
        let mut unknown = None;
        for (id, piece) in proto.pieces.iter().enumerate() {
            let mut entry = Entry { score: piece.score, kind: piece.kind, spoken: id as u32 };
            if let Some(other) = vocabulary.push(piece.text.as_bytes()) {
                let twin = &mut entries[other as usize];
                match (matched(twin.kind), matched(piece.kind)) {
                    // A reserved piece and a matched one may share a text; the reserved one is then meant.
                    (true, false) if twin.spoken == other => twin.spoken = entry.spoken,
                    (false, true) => entry.spoken = other,
                    _ => return Err(wrong(id, &piece.text, &format!("is already piece {other}"))),
                }
            }
            if piece.kind == Kind::Unknown && unknown.replace(id as u32).is_some() {
                return Err(wrong(id, &piece.text, "is a second unknown piece"));
            }
            entries.push(entry);
        }
        let unknown = unknown.ok_or_else(|| Error::SentencePiece("there is no unknown piece".into()))?;
        if !proto.pieces.iter().any(|piece| matched(piece.kind)) {
            return Err(Error::SentencePiece("there is no piece to match".into()));
        }
        let byte_ids = byte_ids(proto)?;
        Ok(Self { vocabulary, entries, unknown, byte_ids })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The pieces that text can become, with their ids.
    pub(super) fn matched(&self) -> impl Iterator<Item = (u32, &str)> + Clone {
        (0..self.entries.len() as u32).filter(|&id| matched(self.kind(id))).map(|id| (id, self.text(id)))
    }

    /// The id of a piece that text can become.
    pub(super) fn matched_id(&self, text: &str) -> Option<u32> {
        let id = self.vocabulary.id(text.as_bytes())?;
        if matched(self.kind(id)) {
            return Some(id);
        }
        // The rare twin of a reserved piece.
        self.entries.iter().zip(0..).find_map(|(entry, twin)| {
            (entry.spoken == id && matched(entry.kind) && self.text(twin) == text).then_some(twin)
        })
    }

    pub(super) fn text(&self, id: u32) -> &str {
        // Every piece was pushed as a `str`.
        self.vocabulary.get(id).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// The id that the reference finds by the text of `id`.
    pub(super) fn spoken(&self, id: u32) -> u32 {
        self.entries[id as usize].spoken
    }

    pub(super) fn score(&self, id: u32) -> f32 {
        self.entries[id as usize].score
    }

    pub(super) fn kind(&self, id: u32) -> Kind {
        self.entries[id as usize].kind
    }

    pub(super) fn is_normal(&self, id: u32) -> bool {
        self.kind(id) == Kind::Normal
    }

    pub(super) fn is_unused(&self, id: u32) -> bool {
        self.kind(id) == Kind::Unused
    }

    pub(super) fn is_user_defined(&self, id: u32) -> bool {
        self.kind(id) == Kind::UserDefined
    }

    /// Pieces that no merge makes: those to be kept whole, and control pieces, which are special.
    pub(super) fn kept(&self) -> impl Iterator<Item = (u32, &str, bool)> {
        (0..self.entries.len() as u32).filter_map(|id| match self.kind(id) {
            Kind::Control | Kind::Unknown => Some((id, self.text(id), true)),
            Kind::UserDefined => Some((id, self.text(id), false)),
            Kind::Normal | Kind::Unused | Kind::Byte => None,
        })
    }

    pub(super) fn specials(&self) -> Vec<Special> {
        let ids = 0..self.entries.len() as u32;
        ids.filter(|&id| matches!(self.kind(id), Kind::Control | Kind::Unknown))
            .map(|id| Special { name: self.text(id).to_owned(), id })
            .collect()
    }
}

/// Where an encoder puts its pieces: ids, with bytes or one unknown id for what is not in the vocabulary.
pub(super) struct Sink<'a> {
    pub(super) pieces: &'a Pieces,
    ids: &'a mut Vec<u32>,
    after_unknown: bool,
}

impl<'a> Sink<'a> {
    /// Appends to `ids`.
    pub(super) fn new(pieces: &'a Pieces, ids: &'a mut Vec<u32>) -> Self {
        Self { pieces, ids, after_unknown: false }
    }

    /// Puts a piece, or `text` that is none.
    #[inline]
    pub(super) fn put(&mut self, id: Option<u32>, text: &str) {
        match (id, &self.pieces.byte_ids) {
            (Some(id), _) => self.ids.push(self.pieces.entries[id as usize].spoken),
            (None, Some(bytes)) => self.ids.extend(text.bytes().map(|byte| bytes[usize::from(byte)])),
            // A run of unknown characters is one unknown piece.
            (None, None) if self.after_unknown => {}
            (None, None) => self.ids.push(self.pieces.unknown),
        }
        self.after_unknown = id.is_none();
    }
}

/// Whether text can become a piece of this kind by matching.
fn matched(kind: Kind) -> bool {
    match kind {
        Kind::Normal | Kind::UserDefined | Kind::Unused => true,
        Kind::Unknown | Kind::Control | Kind::Byte => false,
    }
}

fn byte_ids(proto: &Proto) -> Result<Option<Box<[u32; 256]>>, Error> {
    let mut ids = [None; 256];
    let bytes = proto.pieces.iter().enumerate().filter(|(_, piece)| piece.kind == Kind::Byte);
    for (id, Piece { text, .. }) in bytes {
        if !proto.byte_fallback {
            return Err(wrong(id, text, "is a byte, but the model says that it has none"));
        }
        let byte = byte_of(text).ok_or_else(|| wrong(id, text, "is no byte"))?;
        ids[usize::from(byte)] = Some(id as u32);
    }
    if !proto.byte_fallback {
        return Ok(None);
    }
    let mut all = Box::new([0; 256]);
    for (byte, (slot, id)) in all.iter_mut().zip(ids).enumerate() {
        *slot =
            id.ok_or_else(|| Error::SentencePiece(format!("the byte piece <0x{byte:02X}> is missing")))?;
    }
    Ok(Some(all))
}

/// `<0x0A>` as 10.
pub(super) fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    let plain = digits.len() == 2 && !digits.bytes().any(|digit| digit.is_ascii_lowercase() || digit == b'+');
    plain.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

fn wrong(id: usize, text: &str, reason: &str) -> Error {
    Error::SentencePiece(format!("piece {id} {text:?} {reason}"))
}
