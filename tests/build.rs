//! With the feature `lapack`, tests link Debian's OpenBLAS, which holds LAPACK.

fn main() {
    if std::env::var_os("CARGO_FEATURE_LAPACK").is_some() {
        println!("cargo::rustc-link-arg-tests=-lopenblas");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
