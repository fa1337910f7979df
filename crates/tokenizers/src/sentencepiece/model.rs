//! A sentencepiece model, ready to encode and decode.

use super::bpe::Bpe;
use super::decoder::PieceDecoder;
use super::normalizer::{Normalizer, SPACE};
use super::proto::{Algorithm, Kind, Piece, Proto};
use super::unigram::Unigram;
use crate::Error;
use crate::finder::{Cut, Finder};
use crate::tokenizer::{Decoder, Frame, Special, Specials, Tokenizer};
use crate::trie::Trie;
use crate::vocabulary::Vocabulary;

/// A sentencepiece model: ids and text equal sentencepiece 0.2's.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) pieces: Pieces,
    pub(super) normalizer: Normalizer,
    user_defined: Option<Trie>,
    search: Search,
    specials: Vec<Special>,
    /// Special tokens that are looked for in the normalised text, as they are spelled there.
    spelled: Option<Finder>,
    surfaces: Surfaces,
    frame: Frame,
}

#[derive(Clone, Debug)]
enum Search {
    Bpe(Bpe),
    Unigram(Unigram),
}

/// The longest normalised text that positions count.
const LONGEST: usize = (u32::MAX - 1) as usize;

impl Model {
    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// [`Error::SentencePiece`] says what is wrong with it.
    pub fn from_bytes(file: &[u8]) -> Result<Self, Error> {
        Self::from_proto(Proto::parse(file)?)
    }

    pub(crate) fn from_proto(proto: Proto) -> Result<Self, Error> {
        let pieces = Pieces::new(&proto)?;
        let specials = pieces.specials();
        let mut user_defined = pieces.matched().filter(|&(id, _)| pieces.is_user_defined(id)).peekable();
        let user_defined = user_defined
            .peek()
            .is_some()
            .then(|| Trie::new(user_defined.map(|(id, text)| (text.as_bytes(), id))));
        let normalizer = Normalizer::new(&proto.normalizer, proto.space_is_suffix, user_defined.as_ref())?;
        let search = match proto.algorithm {
            Algorithm::Bpe => Search::Bpe(Bpe::new(&pieces)),
            Algorithm::Unigram => Search::Unigram(Unigram::new(&pieces)),
        };
        let surfaces = Surfaces::new(&pieces, &proto.unknown_surface);
        Ok(Self {
            pieces,
            normalizer,
            surfaces,
            user_defined,
            search,
            specials,
            spelled: None,
            frame: Frame::default(),
        })
    }

    /// What belongs around a text; a model file does not say.
    pub(crate) fn set_frame(&mut self, frame: Frame) {
        self.frame = frame;
    }

    /// The same model, which looks for `specials` in the normalised text.
    pub(crate) fn with_spelled(mut self, specials: &[Special]) -> Result<Self, Error> {
        let names: Vec<_> =
            specials.iter().map(|special| (special.id, self.normalize(&special.name))).collect();
        let finder = Finder::new(names.iter().map(|(id, name)| (&**name, *id)));
        let finder = finder.map_err(|reason| Error::setting("special", reason))?;
        for (id, name) in &names {
            self.surfaces.set_piece(*id, name);
        }
        self.spelled = finder;
        Ok(self)
    }

    /// What an id is when it is decoded; none if there is no such id.
    pub(super) fn surface(&self, id: u32) -> Option<(Surface, &str)> {
        self.surfaces.get(id)
    }

    /// The text that pieces are matched against.
    #[must_use]
    pub fn normalize(&self, text: &str) -> String {
        self.normalizer.normalize(text, self.user_defined.as_ref())
    }

    /// Appends the ids of a text that is normalised already.
    pub(crate) fn encode_normalized(&self, text: &str, ids: &mut Vec<u32>) {
        let mut sink = Sink { pieces: &self.pieces, ids, after_unknown: false };
        match &self.search {
            Search::Bpe(bpe) => bpe.encode(text, self.user_defined.as_ref(), &mut sink),
            Search::Unigram(unigram) => unigram.encode(text, &mut sink),
        }
    }
}

impl Tokenizer for Model {
    /// The reference looks for no special tokens; [`crate::open`] wraps what does.
    fn encode_into(&self, text: &str, specials: Specials, ids: &mut Vec<u32>) -> Result<(), Error> {
        let text = self.normalize(text);
        if text.len() > LONGEST {
            return Err(Error::TooLong { bytes: text.len(), limit: LONGEST });
        }
        match self.spelled.as_ref().filter(|_| specials == Specials::Parse) {
            None => self.encode_normalized(&text, ids),
            Some(finder) => finder.cut(&text, |part| {
                match part {
                    Cut::Key(id) => ids.push(id),
                    Cut::Between(part) => self.encode_normalized(part, ids),
                }
                Ok::<_, Error>(())
            })?,
        }
        Ok(())
    }

    fn decoder(&self) -> Box<dyn Decoder + '_> {
        Box::new(PieceDecoder::new(self))
    }

    fn decode_into(&self, ids: &[u32], text: &mut String) -> Result<(), Error> {
        let mut decoder = PieceDecoder::new(self);
        ids.iter().try_for_each(|&id| decoder.push(id, text))?;
        decoder.finish(text);
        Ok(())
    }

    fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    fn piece(&self, id: u32) -> Option<&[u8]> {
        self.pieces.vocabulary.get(id)
    }

    fn id(&self, piece: &[u8]) -> Option<u32> {
        self.pieces.vocabulary.id(piece)
    }

    fn specials(&self) -> &[Special] {
        &self.specials
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The pieces of a model, by id.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    vocabulary: Vocabulary,
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
    fn new(proto: &Proto) -> Result<Self, Error> {
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

    fn specials(&self) -> Vec<Special> {
        let ids = 0..self.entries.len() as u32;
        ids.filter(|&id| matches!(self.kind(id), Kind::Control | Kind::Unknown))
            .map(|id| Special { name: self.text(id).to_owned(), id })
            .collect()
    }
}

/// What every id decodes to, spaces written as such.
#[derive(Clone, Debug)]
struct Surfaces {
    text: String,
    spans: Vec<(Surface, u32, u32)>,
}

/// What an id is to the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// This text.
    Text,
    /// This text, whose leading space is the symbol for one and may be the dummy prefix.
    Spaced,
    /// This byte.
    Byte(u8),
}

impl Surfaces {
    fn new(pieces: &Pieces, unknown_surface: &str) -> Self {
        let mut surfaces = Self { text: String::new(), spans: vec![(Surface::Text, 0, 0); pieces.len()] };
        for id in 0..pieces.len() as u32 {
            let spoken = pieces.entries[id as usize].spoken;
            let text = pieces.text(spoken);
            match (pieces.kind(spoken), byte_of(text)) {
                (Kind::Byte, Some(byte)) => surfaces.set(id, Surface::Byte(byte), ""),
                (Kind::Unknown, _) => surfaces.set(id, Surface::Text, unknown_surface),
                (Kind::Control, _) => surfaces.set(id, Surface::Text, ""),
                (Kind::Normal | Kind::UserDefined | Kind::Unused | Kind::Byte, _) => {
                    surfaces.set_piece(id, text);
                }
            }
        }
        surfaces
    }

    fn set(&mut self, id: u32, surface: Surface, text: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        if let Some(span) = self.spans.get_mut(id as usize) {
            *span = (surface, start, self.text.len() as u32);
        }
    }

    fn set_piece(&mut self, id: u32, piece: &str) {
        let surface = if piece.starts_with(SPACE) { Surface::Spaced } else { Surface::Text };
        self.set(id, surface, &piece.replace(SPACE, " "));
    }

    fn get(&self, id: u32) -> Option<(Surface, &str)> {
        let &(surface, start, end) = self.spans.get(id as usize)?;
        Some((surface, &self.text[start as usize..end as usize]))
    }
}

/// Where an encoder puts its pieces: ids, with bytes or one unknown id for what is not in the vocabulary.
pub(super) struct Sink<'a> {
    pub(super) pieces: &'a Pieces,
    ids: &'a mut Vec<u32>,
    after_unknown: bool,
}

impl Sink<'_> {
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
fn byte_of(piece: &str) -> Option<u8> {
    let digits = piece.strip_prefix("<0x")?.strip_suffix('>')?;
    let plain = digits.len() == 2 && !digits.bytes().any(|digit| digit.is_ascii_lowercase() || digit == b'+');
    plain.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

fn wrong(id: usize, text: &str, reason: &str) -> Error {
    Error::SentencePiece(format!("piece {id} {text:?} {reason}"))
}
