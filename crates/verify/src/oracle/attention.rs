//! Attention, one query and one key at a time.

use camelid_families::{At, Layer, Per, Position, Role, Rope, Stage, Tap, Temperature, Values};
use ndarray::Array2;

use super::layers::{capped, name};
use super::network::Oracle;
use super::position::{frequencies, length, places, slope, turn};
use super::sight::{Halt, Hook, Kept, Quirk, Sight};
use crate::error::Error;

/// What the scores of one layer need beside queries and keys.
pub(super) struct Scene<'a> {
    pub(super) layer: &'a Layer,
    ids: &'a [u32],
    sight: &'a Sight,
    prefix: usize,
    quirk: Quirk,
}

impl Oracle<'_> {
    /// From the normed stream to what attention gives, `[tokens, width]`.
    pub(crate) fn attention(
        &self,
        index: usize,
        x: &Array2<f64>,
        (ids, sight): (&[u32], &Sight),
        kept: &mut Kept,
        hook: Hook<'_>,
    ) -> Result<Array2<f64>, Halt> {
        let (layer, here) = (&self.architecture.layers[index], Some(index));
        if let Some(delta) = &layer.delta {
            return self.delta(index, delta, x, hook);
        }
        let axes = layer.rope.as_ref().map_or(1, |rope| rope.axes);
        let (prefix, axis) = places(self.architecture, ids, axes);
        let scene = Scene { layer, ids, sight, prefix, quirk: self.quirk };
        let heads = match &layer.latent {
            Some(latent) => self.latent_heads(index, latent, x, &scene, hook)?,
            None => self.heads_of(index, x, (&scene, &axis), kept, hook)?,
        };
        let heads = self.opened(index, x, heads)?;
        Ok(self.project(here, Role::AttentionOutput, &heads)?)
    }

    /// What the heads give, `[tokens, heads · head_dim]`.
    fn heads_of(
        &self,
        index: usize,
        x: &Array2<f64>,
        (scene, axis): (&Scene<'_>, &[Vec<usize>; 2]),
        kept: &mut Kept,
        hook: Hook<'_>,
    ) -> Result<Array2<f64>, Halt> {
        let (settings, here) = (&scene.layer.attention, Some(index));
        let at = |stage| Tap { layer: here, stage };
        let mut query = self.project(here, Role::Query, x)?;
        self.placed(index, Role::QueryNorm, settings.heads, &mut query, (scene, axis))?;
        scene.grow(&mut query);
        let query = hook(at(Stage::Query), query)?;
        if settings.source.is_none() {
            let mut key = self.project(here, Role::Key, x)?;
            let mut value = match settings.values {
                Values::Projected => self.project(here, Role::Value, x)?,
                Values::Key => key.clone(),
            };
            self.placed(index, Role::KeyNorm, settings.kv_heads, &mut key, (scene, axis))?;
            self.head_norm(index, Role::ValueNorm, settings.kv_heads, At::BeforeRope, &mut value)?;
            let key = hook(at(Stage::Key), key)?;
            let value = hook(at(Stage::Value), value)?;
            kept.insert(index, (key, value));
        }
        let (key, value) = kept.get(&settings.source.unwrap_or(index)).ok_or_else(|| {
            super::tensors::wrong(format!("layer {index} reads the keys of a layer that is not before it"))
        })?;
        let sinks: Option<Vec<f64>> =
            self.tensors.get(here, Role::Sink).map(|sinks| sinks.iter().copied().collect());
        let heads = scene.attend(&query, key, value, sinks.as_deref())?;
        hook(at(Stage::Heads), heads)
    }

    /// Normed and turned queries or keys, in the order that is declared.
    fn placed(
        &self,
        index: usize,
        role: Role,
        heads: usize,
        x: &mut Array2<f64>,
        (scene, axis): (&Scene<'_>, &[Vec<usize>; 2]),
    ) -> Result<(), Error> {
        self.head_norm(index, role, heads, At::BeforeRope, x)?;
        if let Some(rope) = &scene.layer.rope {
            if scene.layer.attention.dual_chunk.is_none() {
                scene.turn_all(rope, x, heads, |token, on| axis[on][token])?;
            } else if role == Role::KeyNorm {
                scene.turn_all(rope, x, heads, |token, _| token % scene.chunk())?;
                scene.multiply(x, |token| scene.enlarged(token));
            }
        }
        self.head_norm(index, role, heads, At::AfterRope, x)
    }

    /// Times σ of what the gate makes of the branch's input, where one is named.
    fn opened(&self, index: usize, x: &Array2<f64>, heads: Array2<f64>) -> Result<Array2<f64>, Error> {
        if self.tensors.get(Some(index), Role::AttentionGate).is_none() {
            return Ok(heads);
        }
        let gate = self.project(Some(index), Role::AttentionGate, x)?;
        let each = heads.ncols() / gate.ncols();
        Ok(Array2::from_shape_fn(heads.dim(), |(token, at)| {
            heads[[token, at]] / (1.0 + (-gate[[token, at / each]]).exp())
        }))
    }

    /// A norm of queries, keys or values, where one is named for this place.
    fn head_norm(
        &self,
        layer: usize,
        role: Role,
        heads: usize,
        at: At,
        x: &mut Array2<f64>,
    ) -> Result<(), Error> {
        let named = self.architecture.tensor(Some(layer), role).filter(|named| named.at == at);
        let Some(named) = named else { return Ok(()) };
        let (tokens, width) = x.dim();
        let columns = if named.per == Per::Width { width } else { width / heads };
        let rows = Array2::from_shape_fn((tokens * width / columns, columns), |(row, feature)| {
            x[[row * columns / width, row * columns % width + feature]]
        });
        let own = |row: usize, feature: usize| match named.per {
            Per::EachHead => row % heads * columns + feature,
            Per::Head | Per::Width => feature,
        };
        let normed = self.norm_rows(named, Some(layer), role, &rows, own)?;
        *x = Array2::from_shape_fn((tokens, width), |(token, feature)| {
            normed[[(token * width + feature) / columns, feature % columns]]
        });
        Ok(())
    }
}

impl Scene<'_> {
    /// c, the length of a chunk.
    fn chunk(&self) -> usize {
        self.layer.attention.dual_chunk.map_or(usize::MAX, |chunks| chunks.chunk_size - chunks.local_size)
    }

    /// Dual chunk attention's s, for a token's call.
    fn enlarged(&self, token: usize) -> f64 {
        let trained = self.layer.attention.dual_chunk.and_then(|c| c.original_max_position_embeddings);
        let Some(trained) = trained.filter(|trained| *trained > 0) else { return 1.0 };
        (0.1 * (self.sight.0[token] as f64 / trained as f64).ln() + 1.0).max(1.0)
    }

    fn multiply(&self, x: &mut Array2<f64>, by: impl Fn(usize) -> f64) {
        for (token, mut row) in x.outer_iter_mut().enumerate() {
            row.mapv_inplace(|x| x * by(token));
        }
    }

    /// What grows queries with their place.
    pub(super) fn grow(&self, query: &mut Array2<f64>) {
        if let Some(trained) = self.layer.attention.logn {
            self.multiply(query, |token| (((token + 1) as f64).ln() / (trained as f64).ln()).max(1.0));
        }
        if let Some(Temperature { beta, length, from }) = self.layer.attention.temperature {
            self.multiply(query, |token| 1.0 + beta * (1.0 + ((token + from) / length) as f64).ln());
        }
    }

    /// Turns every head of every token; `place` says where a token sits on an axis.
    pub(super) fn turn_all(
        &self,
        rope: &Rope,
        x: &mut Array2<f64>,
        heads: usize,
        place: impl Fn(usize, usize) -> usize,
    ) -> Result<(), Error> {
        let head_dim = x.ncols() / heads;
        let (part, pairing) = (head_dim / rope.axes, name(&rope.pairing));
        let way = if self.quirk == Quirk::TurnedBackwards { -1.0 } else { 1.0 };
        let mut last = None;
        for token in 0..x.nrows() {
            let now = length(rope, self.sight, token);
            let table = match last.take().filter(|(length, _)| *length == now) {
                Some((_, table)) => table,
                None => frequencies(rope, head_dim, now, self.quirk)?,
            };
            for start in (0..heads * rope.axes).map(|part_of| part_of * part) {
                let mut own: Vec<f64> = (start..start + part).map(|feature| x[[token, feature]]).collect();
                turn(&mut own, way, &pairing, &table, place(token, start / part % rope.axes));
                (0..part).for_each(|feature| x[[token, start + feature]] = own[feature]);
            }
            last = Some((now, table));
        }
        Ok(())
    }

    fn attend(
        &self,
        query: &Array2<f64>,
        key: &Array2<f64>,
        value: &Array2<f64>,
        sinks: Option<&[f64]>,
    ) -> Result<Array2<f64>, Error> {
        let settings = &self.layer.attention;
        let (head_dim, group) = (settings.head_dim, settings.heads / settings.kv_heads);
        let near = self.chunked(query, |i| i % self.chunk())?;
        let previous =
            self.chunked(query, |i| (i % self.chunk()).saturating_add(self.chunk()).min(self.farthest()))?;
        let older =
            self.chunked(query, |_| (self.chunk() - 1).saturating_add(self.chunk()).min(self.farthest()))?;
        let mut out = Array2::zeros(query.dim());
        for i in 0..self.ids.len() {
            for head in 0..settings.heads {
                let kv = head_dim
                    * if self.quirk == Quirk::KvHeadsByTurns {
                        head % settings.kv_heads
                    } else {
                        head / group
                    };
                let score = |j: usize| {
                    let query = match i / self.chunk() - j.min(i) / self.chunk() {
                        0 => &near,
                        1 => &previous,
                        _ => &older,
                    };
                    let dot: f64 =
                        (0..head_dim).map(|d| query[[i, head * head_dim + d]] * key[[j, kv + d]]).sum();
                    let bias = match settings.position {
                        Position::Alibi => slope(head, settings.heads) * (j as f64 - i as f64),
                        Position::Rope | Position::None => 0.0,
                    };
                    capped(dot * settings.scale, settings.softcap) + bias
                };
                for (j, share) in self.shares(i, score, sinks.map(|sinks| sinks[head])) {
                    (0..head_dim).for_each(|d| out[[i, head * head_dim + d]] += share * value[[j, kv + d]]);
                }
            }
        }
        Ok(out)
    }

    /// The share of each key that query i sees; a sink takes its own and gives nothing for it.
    pub(super) fn shares(
        &self,
        i: usize,
        score: impl Fn(usize) -> f64,
        sink: Option<f64>,
    ) -> Vec<(usize, f64)> {
        let seen: Vec<usize> = (0..self.ids.len()).filter(|j| self.sees(i, *j)).collect();
        let scores: Vec<f64> = seen.iter().map(|j| score(*j)).collect();
        let most = scores.iter().copied().chain(sink).fold(f64::NEG_INFINITY, f64::max);
        let whole: f64 = scores.iter().copied().chain(sink).map(|score| (score - most).exp()).sum();
        seen.into_iter().zip(scores).map(|(j, score)| (j, (score - most).exp() / whole)).collect()
    }

    /// Queries as dual chunk attention turns them for one of its runs; else as they are.
    fn chunked(&self, query: &Array2<f64>, place: impl Fn(usize) -> usize) -> Result<Array2<f64>, Error> {
        let mut query = query.clone();
        if let (Some(rope), Some(_)) = (&self.layer.rope, self.layer.attention.dual_chunk) {
            self.turn_all(rope, &mut query, self.layer.attention.heads, |token, _| place(token))?;
            self.multiply(&mut query, |token| self.enlarged(token));
        }
        Ok(query)
    }

    fn farthest(&self) -> usize {
        self.layer.attention.dual_chunk.map_or(usize::MAX, |chunks| chunks.chunk_size)
    }

    /// Whether query i sees key j: both ways within the prefix, else W keys back, its own among them, or those of its chunk.
    fn sees(&self, i: usize, j: usize) -> bool {
        let window = self.layer.attention.window.filter(|_| self.prefix == 0);
        let chunk = self.layer.attention.chunk.filter(|_| self.prefix == 0);
        j < self.prefix.max(i + 1)
            && window.is_none_or(|keys| i < keys + j)
            && chunk.is_none_or(|size| i / size == j / size)
    }
}
