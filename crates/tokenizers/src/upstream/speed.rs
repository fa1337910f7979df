//! Texts encoded and decoded here and by the upstream library, by turns.

use std::fmt;
use std::hint::black_box;
use std::time::Instant;

use serde::Serialize;

use super::library::Upstream;
use crate::{Error, Specials, Tokenizer};

/// How fast a tokenizer is.
#[derive(Clone, Debug, Serialize)]
pub struct Speed {
    /// Text to ids.
    pub encode: Rate,
    /// Ids to text.
    pub decode: Rate,
    /// The upstream library; none where it was not built in.
    pub library: Option<&'static str>,
}

/// Megabytes of text a second, and how many times the upstream's.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rate {
    /// Here, in 10⁶ bytes a second: the median of all rounds.
    pub megabytes: f64,
    /// The upstream's time over ours: the median of all rounds; none where it was not built in.
    pub ratio: Option<f64>,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB/s", self.megabytes)?;
        self.ratio.map_or(Ok(()), |ratio| write!(f, " ({ratio:.2}×)"))
    }
}

/// Times `texts` there and back, beside the upstream library where there is one.
///
/// # Errors
/// A text can't be encoded, or its ids can't be decoded.
pub fn measure(
    ours: &dyn Tokenizer,
    theirs: Option<&Upstream>,
    texts: &[String],
    specials: Specials,
) -> Result<Speed, Error> {
    let ids = texts.iter().map(|text| ours.encode(text, specials)).collect::<Result<Vec<_>, _>>()?;
    ids.iter().try_for_each(|ids| ours.decode(ids).map(drop))?;
    let bytes = texts.iter().map(String::len).sum();
    let encode = race(
        bytes,
        &|| texts.iter().for_each(|text| drop(black_box(ours.encode(text, specials)))),
        theirs
            .map(|theirs| || texts.iter().for_each(|text| drop(black_box((theirs.encode)(text, specials))))),
    );
    let decode = race(
        bytes,
        &|| ids.iter().for_each(|ids| drop(black_box(ours.decode(ids)))),
        theirs.map(|theirs| || ids.iter().for_each(|ids| drop(black_box((theirs.decode)(ids))))),
    );
    Ok(Speed { encode, decode, library: theirs.map(|theirs| theirs.library) })
}

const ROUNDS: usize = 9;

/// Two runners who take turns, so that both meet the same machine; and now one, now the other goes first.
fn race(bytes: usize, ours: &dyn Fn(), theirs: Option<impl Fn()>) -> Rate {
    let time = |run: &dyn Fn()| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    let (mut seconds, mut ratios) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let Some(theirs) = &theirs else {
            seconds.push(time(ours));
            continue;
        };
        let (took, took_theirs) = if round % 2 == 0 {
            (time(ours), time(theirs))
        } else {
            let first = time(theirs);
            (time(ours), first)
        };
        seconds.push(took);
        ratios.push(took_theirs / took);
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    Rate { megabytes: bytes as f64 / 1e6 / median(seconds).unwrap_or(f64::NAN), ratio: median(ratios) }
}
