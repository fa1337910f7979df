//! Queries that grow with their place, against the definition.

use camelid_attention::warmth;
use proptest::prelude::*;

proptest! {
    #[test]
    fn it_is_one_at_first_and_never_falls(place in 0..100_000usize, length in 1..10_000usize, beta in 0.0..1.0f64) {
        let here = warmth(place, beta, length);
        prop_assert!(place >= length || here == 1.0);
        prop_assert!(warmth(place + 1, beta, length) >= here);
        let steps = (place / length) as f64;
        prop_assert!((f64::from(here) - (1.0 + beta * (1.0 + steps).ln())).abs() < 1e-6);
    }
}
