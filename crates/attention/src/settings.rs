//! What one attention layer is told, and the checks that it must pass once.

/// The numbers of one attention layer.
///
/// The score of query i and key j is q·k·`scale`, then `softcap`·tanh(score / `softcap`), then − `slopes[head]`·(i −
/// j); what a query does not see is left out of the sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads. Query head h reads kv head h / (heads / kv_heads): `heads` of them is MHA, one is MQA,
    /// between is GQA.
    pub kv_heads: usize,
    /// Features of one head.
    pub head_dim: usize,
    /// What q·k is multiplied by, usually head_dim^−½.
    pub scale: f64,
    /// The bound on scores, if they are capped.
    pub softcap: Option<f64>,
    /// One slope per query head, if scores fall linearly with distance (ALiBi).
    pub slopes: Option<Vec<f32>>,
    /// One logit per query head that takes part in the softmax and has no value (attention sinks): the weights of the
    /// keys then sum to less than 1.
    pub sinks: Option<Vec<f32>>,
}

impl Settings {
    /// Plain scaled attention: scale = head_dim^−½, neither cap nor slopes nor sinks.
    pub fn plain(heads: usize, kv_heads: usize, head_dim: usize) -> Self {
        let scale = (head_dim as f64).powf(-0.5);
        Self { heads, kv_heads, head_dim, scale, softcap: None, slopes: None, sinks: None }
    }

    /// Query heads that share one kv head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        for (name, size) in [("heads", self.heads), ("kv_heads", self.kv_heads), ("head_dim", self.head_dim)]
        {
            if size == 0 {
                return Err(Error::Zero { name });
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(Error::Heads { heads: self.heads, kv_heads: self.kv_heads });
        }
        if !(self.scale as f32).is_finite() {
            return Err(Error::Scale { scale: self.scale });
        }
        if let Some(softcap) = self.softcap
            && !(softcap as f32 > 0.0 && (softcap as f32).is_finite())
        {
            return Err(Error::Softcap { softcap });
        }
        for (what, one, numbers) in [("slopes", "slope", &self.slopes), ("sinks", "sink", &self.sinks)] {
            let Some(numbers) = numbers else { continue };
            if numbers.len() != self.heads {
                return Err(Error::PerHead { what, found: numbers.len(), heads: self.heads });
            }
            if let Some(head) = numbers.iter().position(|number| !number.is_finite()) {
                return Err(Error::NotFinite { one, head, number: numbers[head] });
            }
        }
        Ok(())
    }
}

/// Settings that describe no attention.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A size that must be at least one is zero.
    #[error("{name} is 0, but must be at least 1")]
    Zero {
        /// The field of [`Settings`].
        name: &'static str,
    },
    /// The query heads don't share the kv heads evenly.
    #[error("{heads} heads can't share {kv_heads} kv heads evenly")]
    Heads {
        /// Query heads.
        heads: usize,
        /// Key and value heads.
        kv_heads: usize,
    },
    /// The scale is not a finite f32.
    #[error("the scale {scale} is not a finite 32-bit number")]
    Scale {
        /// The scale given.
        scale: f64,
    },
    /// The soft-cap is not a positive finite f32.
    #[error("the soft-cap {softcap} is not a positive finite 32-bit number")]
    Softcap {
        /// The soft-cap given.
        softcap: f64,
    },
    /// There must be one slope, or sink, per query head.
    #[error("{found} {what} for {heads} heads")]
    PerHead {
        /// `slopes` or `sinks`.
        what: &'static str,
        /// How many are given.
        found: usize,
        /// Query heads.
        heads: usize,
    },
    /// A slope or a sink is infinite or not a number.
    #[error("the {one} {number} of head {head} is not finite")]
    NotFinite {
        /// `slope` or `sink`.
        one: &'static str,
        /// The query head.
        head: usize,
        /// Its number.
        number: f32,
    },
}
