//! A megabyte of the corpus, encoded and decoded here and by the upstream library.

use std::fmt;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use camelid_tokenizers::Specials;
use camelid_tokenizers::upstream::upstream;
use serde::Serialize;

use super::parity::{Opened, corpus};

/// How fast a vocabulary is.
#[derive(Debug, Serialize)]
pub struct Speed {
    /// Text to ids.
    pub encode: Rate,
    /// Ids to text.
    pub decode: Rate,
    /// The upstream library; a dash where it was not built in.
    pub library: String,
}

/// Megabytes of text a second, and how many times the upstream's.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rate {
    /// Here, in 10⁶ bytes a second.
    pub megabytes: f64,
    /// By the upstream library's time over ours; none where it was not built in.
    pub ratio: Option<f64>,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB/s", self.megabytes)?;
        self.ratio.map_or(Ok(()), |ratio| write!(f, " ({ratio:.1}×)"))
    }
}

/// Measures a vocabulary; none for one whose file no upstream library reads (a GGUF's arrays).
pub(super) fn measure(vocabularies: &Path, opened: &Opened) -> anyhow::Result<Option<Speed>> {
    let documents = documents(vocabularies)?;
    let bytes: usize = documents.iter().map(String::len).sum();
    let tokenizer = &*opened.tokenizer;
    let encode = |text: &String| tokenizer.encode(text, Specials::Literal);
    let ids = documents.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
    let gguf = opened.path.extension().is_some_and(|extension| extension == "gguf");
    let theirs = if gguf { None } else { upstream(&std::fs::read(&opened.path)?, &opened.settings)? };

    let (encode, upstream_encode) = race(
        || documents.iter().for_each(|text| drop(black_box(encode(text)))),
        theirs
            .as_ref()
            .map(|theirs| || documents.iter().for_each(|text| drop(black_box((theirs.encode)(text))))),
    );
    let (decode, upstream_decode) = race(
        || ids.iter().for_each(|ids| drop(black_box(tokenizer.decode(ids)))),
        theirs.as_ref().map(|theirs| || ids.iter().for_each(|ids| drop(black_box((theirs.decode)(ids))))),
    );
    let rate = |ours: Duration, theirs: Option<Duration>| Rate {
        megabytes: bytes as f64 / 1e6 / ours.as_secs_f64(),
        ratio: theirs.map(|theirs| theirs.as_secs_f64() / ours.as_secs_f64()),
    };
    let library = theirs.as_ref().map_or("–", |theirs| theirs.library).to_owned();
    Ok(Some(Speed { encode: rate(encode, upstream_encode), decode: rate(decode, upstream_decode), library }))
}

/// The best times of two runners who take turns, so that both meet the same machine.
fn race(ours: impl Fn(), theirs: Option<impl Fn()>) -> (Duration, Option<Duration>) {
    const ROUNDS: usize = 5;
    let time = |run: &dyn Fn()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    let (mut best, mut best_theirs) = (Duration::MAX, None);
    for _ in 0..ROUNDS {
        best = best.min(time(&ours));
        if let Some(theirs) = &theirs {
            let took = time(theirs);
            best_theirs = Some(best_theirs.map_or(took, |before: Duration| before.min(took)));
        }
    }
    (best, best_theirs)
}

/// The corpus again and again, in documents of four kilobytes, a megabyte in all. No string twice in a document.
fn documents(vocabularies: &Path) -> anyhow::Result<Vec<String>> {
    let texts = corpus(vocabularies)?;
    let mut documents = vec![String::new()];
    let mut bytes = 0;
    for text in texts.iter().cycle().take_while(|_| !texts.is_empty()) {
        if bytes >= 1 << 20 {
            break;
        }
        bytes += text.text.len() + 1;
        match documents.last_mut() {
            Some(last) if last.len() < 4096 => {
                last.push_str(&text.text);
                last.push('\n');
            }
            _ => documents.push(text.text.clone() + "\n"),
        }
    }
    Ok(documents)
}
