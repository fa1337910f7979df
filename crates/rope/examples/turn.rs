//! One crate in one's own program: a query turned to its place.
//!
//! `cargo run -p camelid-rope --example turn` prints
//!
//! ```text
//! a score of places 7 and 4:     1.0459
//! a score of places 1007 and 1004: the same to 1.2e-7
//! ```

use camelid_rope::ndarray::Array3;
use camelid_rope::{Pairing, Rope, Scaling, Settings, Table};

fn main() -> Result<(), camelid_rope::Error> {
    let settings = Settings { theta: 10_000.0, head_dim: 8, rotary_dim: 8, context: None };
    let rope = Rope::new(settings, Scaling::Default {})?;

    // The score of a query at one place and a key at another depends on how far apart they are, and on nothing else.
    let score = |query: usize, key: usize| {
        let turned = |place: usize| {
            let mut head = Array3::from_shape_fn((1, 1, 8), |(_, _, feature)| 1.0 - 0.1 * feature as f32);
            Table::new(&rope.frequencies(1), &[place]).turn(head.view_mut(), Pairing::Half);
            head
        };
        (turned(query) * turned(key)).sum()
    };
    let (near, far): (f32, f32) = (score(7, 4), score(1007, 1004));
    println!("a score of places 7 and 4:     {near:.4}");
    println!("a score of places 1007 and 1004: the same to {:.1e}", (near - far).abs());
    Ok(())
}
