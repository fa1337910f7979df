//! Settings and shapes that do not fit, each with its message; and what is not chosen is not read.

use camelid_experts::{Error, Expert, Experts, GroupBy, Lies, Router, Settings, Shared, Side, Sides};
use camelid_kernels::Backend;
use camelid_linear::{Linear, Weight};
use camelid_mlp::{Activation, Glu, Layers, Mlp};
use ndarray::Array2;

fn linear(rows: usize, cols: usize) -> Linear {
    Linear { weight: Weight::from_f32(rows, cols, &vec![0.5; rows * cols]), bias: None }
}

fn side(rows: usize, cols: usize) -> Side {
    Side { weight: linear(rows, cols).weight, bias: None, lies: Lies::OutIn }
}

fn expert(width: usize, features: usize) -> Expert {
    let sides = Sides::Apart { gate: side(width, features), up: side(width, features) };
    Expert::new(sides, side(features, width))
}

fn says<T>(result: Result<T, Error>, message: &str) {
    assert_eq!(result.err().map(|error| error.to_string()).as_deref(), Some(message));
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let plain = Settings::plain(8, 2);
    says(Settings { chosen: 0, ..plain.clone() }.check(), "chosen is 0, but must be at least 1");
    says(Settings { experts: 0, ..plain.clone() }.check(), "experts is 0, but must be at least 1");
    says(Settings { chosen: 9, ..plain.clone() }.check(), "9 experts are chosen of 8");
    says(Settings { groups: 3, ..plain.clone() }.check(), "3 groups do not divide 8 experts");
    says(Settings { groups: 4, groups_kept: 5, ..plain.clone() }.check(), "5 groups are kept of 4");
    says(
        Settings { groups: 4, groups_kept: 1, chosen: 3, ..plain.clone() }.check(),
        "3 experts are chosen of 2",
    );
    says(
        Settings { groups: 8, groups_kept: 4, group_by: GroupBy::BestTwo, ..plain.clone() }.check(),
        "groups of one expert can't be judged by their best two",
    );
    says(
        Settings { scale: f64::INFINITY, ..plain.clone() }.check(),
        "the scale inf is not a finite 32-bit number",
    );
    let router = || Router::new(plain.clone(), linear(8, 3)).expect("it fits");
    says(Router::new(plain.clone(), linear(7, 3)), "the router has 7 elements for 8 experts");
    let biased = Linear { bias: Some(vec![0.0; 9]), ..linear(8, 3) };
    says(Router::new(plain.clone(), biased), "its bias has 9 elements for 8 experts");
    says(router().with_correction(vec![0.0; 7]), "the correction has 7 elements for 8 experts");
    says(router().with_factors(vec![0.0; 9]), "the factors has 9 elements for 8 experts");
}

#[test]
fn experts_that_do_not_fit_are_refused_and_none_is_laid_out() {
    let router = || Router::new(Settings::plain(2, 1), linear(2, 3)).expect("it fits");
    let built = |experts, glu: Glu, shared| Experts::new(router(), experts, glu, shared);
    let silu = Glu::from(Activation::Silu);
    says(built(vec![expert(4, 3)], silu, None), "1 experts for a router of 2");
    says(
        built(vec![expert(4, 3), expert(4, 2)], silu, None),
        "expert 1 is [2, 2], the router reads 3 features",
    );
    let odd = Expert::new(
        Sides::Packed { both: side(5, 3), packing: camelid_experts::Packing::Halves },
        side(3, 2),
    );
    says(built(vec![expert(4, 3), odd], silu, None), "expert 1 packs gate and up in 5 rows, an odd number");
    let limit = Glu { limit: Some(0.0), ..silu };
    says(built(vec![expert(4, 3), expert(4, 3)], limit, None), "expert 0: limit is 0, which is out of range");
    let mlp = |inputs, out| {
        let layers = Layers::Gated { gate: linear(4, inputs), up: linear(4, inputs), down: linear(out, 4) };
        Mlp::new(layers, silu).expect("it fits")
    };
    let with = |mlp, gate| built(vec![expert(4, 3), expert(4, 3)], silu, Some(Shared { mlp, gate }));
    says(with(mlp(2, 3), None), "the shared expert reads 2 features, the router 3");
    says(with(mlp(3, 3), Some(linear(2, 3))), "the gate of the shared expert gives 2 numbers, not 1");
    assert!(with(mlp(3, 3), Some(linear(1, 3))).is_ok());
}

/// A file whose pages must not be touched: an owner of bytes can't tell reads, but an expert that is laid out can be seen.
#[test]
fn an_expert_that_is_not_chosen_is_never_laid_out() {
    let router = Linear { weight: Weight::from_f32(4, 1, &[3.0, 1.0, 2.0, -1.0]), bias: None };
    let router = Router::new(Settings::plain(4, 2), router).expect("it fits");
    let turned = |_| {
        let turned = |rows, cols| Side { lies: Lies::InOut, ..side(cols, rows) };
        Expert::new(Sides::Apart { gate: turned(5, 1), up: turned(5, 1) }, turned(1, 5))
    };
    let experts =
        Experts::new(router, (0..4).map(turned).collect(), Activation::Silu, None).expect("it fits");
    let chosen = || experts.experts().iter().map(Expert::was_chosen).collect::<Vec<_>>();
    assert_eq!(chosen(), [false; 4]);
    experts.forward(Array2::ones((3, 1)).view(), &Backend::serial());
    assert_eq!(chosen(), [true, false, true, false]);
}
