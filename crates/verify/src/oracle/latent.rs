//! Latent attention, expanded: keys and values of every head and position, one number at a time.

use camelid_families::{Latent, Role, Stage, Tap};
use ndarray::Array2;

use super::attention::Scene;
use super::network::Oracle;
use super::sight::{Halt, Hook};
use crate::error::Error;

impl Oracle<'_> {
    /// What the heads give, `[tokens, heads · value_dim]`.
    pub(super) fn latent_heads(
        &self,
        index: usize,
        latent: &Latent,
        x: &Array2<f64>,
        scene: &Scene<'_>,
        hook: Hook<'_>,
    ) -> Result<Array2<f64>, Halt> {
        let here = Some(index);
        let heads = self.architecture.layers[index].attention.heads;
        let mut query = match latent.query_rank {
            Some(_) => {
                let down = self.project(here, Role::QueryDown, x)?;
                self.project(here, Role::Query, &self.norm(here, Role::QueryDownNorm, &down)?)?
            }
            None => self.project(here, Role::Query, x)?,
        };
        let both = self.project(here, Role::LatentDown, x)?;
        let part = |from: usize, to: usize| {
            Array2::from_shape_fn((both.nrows(), to - from), |(token, d)| both[[token, from + d]])
        };
        let c = self.norm(here, Role::LatentNorm, &part(0, latent.rank))?;
        let mut turned = part(latent.rank, latent.rank + latent.turned);
        self.turn_trailing(latent, scene, heads, &mut query)?;
        if let Some(rope) = &scene.layer.rope {
            scene.turn_all(rope, &mut turned, 1, |token, _| token)?;
        }
        scene.grow(&mut query);
        let query = hook(Tap { layer: here, stage: Stage::Query }, query)?;
        let made = self.project(here, Role::LatentUp, &c)?;
        let each = latent.unturned + latent.value_dim;
        let mut out = Array2::zeros((x.nrows(), heads * latent.value_dim));
        for head in 0..heads {
            let score = |i: usize, j: usize| -> f64 {
                let q = |d: usize| query[[i, head * (latent.unturned + latent.turned) + d]];
                let plain: f64 = (0..latent.unturned).map(|d| q(d) * made[[j, head * each + d]]).sum();
                let place: f64 = (0..latent.turned).map(|d| q(latent.unturned + d) * turned[[j, d]]).sum();
                (plain + place) * scene.layer.attention.scale
            };
            for i in 0..x.nrows() {
                let shares = scene.shares(i, |j| score(i, j), None);
                for (j, share) in shares {
                    for d in 0..latent.value_dim {
                        out[[i, head * latent.value_dim + d]] +=
                            share * made[[j, head * each + latent.unturned + d]];
                    }
                }
            }
        }
        hook(Tap { layer: here, stage: Stage::Heads }, out)
    }

    /// The trailing features of each head, taken out, turned and put back.
    fn turn_trailing(
        &self,
        latent: &Latent,
        scene: &Scene<'_>,
        heads: usize,
        query: &mut Array2<f64>,
    ) -> Result<(), Error> {
        let Some(rope) = &scene.layer.rope else { return Ok(()) };
        let place = |at: usize| {
            at / latent.turned * (latent.unturned + latent.turned) + latent.unturned + at % latent.turned
        };
        let shape = (query.nrows(), heads * latent.turned);
        let mut own = Array2::from_shape_fn(shape, |(token, at)| query[[token, place(at)]]);
        scene.turn_all(rope, &mut own, heads, |token, _| token)?;
        own.indexed_iter().for_each(|((token, at), x)| query[[token, place(at)]] = *x);
        Ok(())
    }
}
