//! What `verify` says of faults that were put in by hand: the right place, the right word, and no false cause.

use std::path::PathBuf;

use camelid::families::{
    Allow, Architecture, Backend, By, Layer, Length, Library, Model, Named, Position, Residual, Role, Rope,
    Stage, Tap,
};
use camelid::mlp::Activation;
use camelid::norm::Kind;
use camelid::rope::Pairing;
use camelid::verify::{Case, Divergence, Fault, Subject, compare_subject, diagnose, stage_name};
use ndarray::Array2;

fn open(family: &str, case: &str) -> (Case, Architecture) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "cases", family, case].iter().collect();
    let case = Case::open(&path).expect("a case of the project");
    let library = Library::built_in().expect("the built-in families");
    let family = library.get(family).expect("a built-in family");
    let architecture = family.architecture(&case.config, &case.checkpoint, &Allow::default());
    (case, architecture.expect("the case fits its family"))
}

fn load(case: &Case, architecture: Architecture) -> Model {
    let surplus: Vec<String> = case.checkpoint.tensors().map(|tensor| tensor.name().to_owned()).collect();
    Model::load(architecture, &case.checkpoint, Backend::serial(), &surplus, &mut |_, _| {})
        .expect("it loads")
}

fn diagnosed(subject: Subject<'_>, case: &Case) -> Divergence {
    let report = compare_subject(subject, case).expect("it runs");
    assert!(!report.passed, "the fault does not show in {}", case.name);
    diagnose(subject, case, &report).expect("it is diagnosed")
}

/// A fault in the declaration: `words` are what must be named as the cause.
fn declared(family: &str, case: &str, fault: fn(&mut Architecture), words: &[&str]) {
    let (case, mut architecture) = open(family, case);
    fault(&mut architecture);
    let model = load(&case, architecture);
    let found = diagnosed(Subject::new(&model), &case);
    let mut causes = found.causes.clone();
    causes.sort_unstable();
    assert_eq!(causes, words, "{family}/{}: {}", case.name, found.likely_cause);
    assert_eq!(found.fault, Fault::Declaration, "{}", found.likely_cause);
    assert!(found.likely_cause.contains("the whole case agrees"), "{}", found.likely_cause);
}

#[test]
fn a_wrong_word_about_norms_and_embedding_is_named() {
    declared("gemma2", "softcap", |a| a.norm.offset = 0.0, &["norm.offset"]);
    declared("llama2", "gqa", |a| a.norm.offset = 1.0, &["norm.offset"]);
    declared("llama1", "base", |a| a.norm.eps = 1e-5, &["norm.eps"]);
    declared("chatglm1", "gmask", |a| a.norm.kind = Kind::Rms, &["norm.kind"]);
    declared("minicpm", "mha", |a| a.embedding.scale = 1.0, &["embedding.scale"]);
    declared("gemma1", "mqa", |a| a.embedding.scale = 1.0, &["embedding.scale"]);
}

#[test]
fn a_wrong_word_about_attention_is_named() {
    declared("gemma2", "softcap", |a| window(a, |w| w.map(|w| w + 1)), &["attention.window"]);
    declared("qwen1.5", "swa", |a| window(a, |w| w.map(|w| w - 1)), &["attention.window"]);
    declared("qwen1.5", "swa", |a| window(a, |_| Some(11)), &["attention.window"]);
    declared("qwen1.5", "swa", |a| window(a, |_| None), &["attention.window"]);
    declared("gemma2", "softcap", |a| each(a, |l| l.attention.softcap = None), &["attention.softcap"]);
    declared(
        "gemma2",
        "softcap",
        |a| each(a, |l| l.attention.scale = 18f64.powf(-0.5)),
        &["attention.scale"],
    );
    declared("qwen1", "long", |a| each(a, |l| l.attention.logn = None), &["attention.logn"]);
    declared("qwen2", "dca", |a| each(a, |l| local_size(l, 9)), &["attention.dual_chunk"]);
    declared(
        "baichuan1",
        "13b-h6",
        |a| each(a, |l| l.attention.position = Position::None),
        &["attention.position"],
    );
}

#[test]
fn a_wrong_word_about_places_is_named() {
    declared("llama2", "mha", |a| each(a, |l| rope(l).pairing = Pairing::Adjacent), &["rope.pairing"]);
    declared("chatglm2", "base", |a| each(a, |l| rope(l).fraction = 1.0), &["rope.fraction"]);
    declared("yi", "llama", |a| each(a, |l| rope(l).theta = 1e4), &["rope.theta"]);
    declared("glm4", "remote-ratio500", |a| each(a, |l| rope(l).theta /= 500.0), &["rope.theta"]);
    declared("llama3", "3.1-rope", |a| each(a, |l| rope(l).scaling = None), &["rope.scaling"]);
    declared("chatglm1", "gmask", |a| each(a, |l| rope(l).round = None), &["rope.round"]);
}

#[test]
fn a_wrong_word_about_the_block_the_mlp_and_the_head_is_named() {
    declared("minicpm", "mha", |a| each(a, |l| l.block.branch_scale = 1.0), &["block.branch_scale"]);
    declared("chatglm1", "gmask", |a| each(a, |l| l.block.residual = Residual::Stream), &["block.residual"]);
    declared("gemma1", "mha", |a| each(a, |l| l.mlp.activation = Activation::Gelu), &["mlp.activation"]);
    declared("gemma2", "softcap", |a| a.output.softcap = None, &["output.softcap"]);
    declared("minicpm", "mha", |a| a.output.scale = 1.0, &["output.scale"]);
    declared("baichuan2", "7b-base", |a| a.output.unit_rows = false, &["output.unit_rows"]);
}

#[test]
fn a_wrong_word_about_tensors_is_named() {
    declared("baichuan1", "7b-base", |a| tensors(a, |n| permute(n, 3)), &["tensors"]);
    declared("chatglm2", "base", |a| tensors(a, |n| permute(n, 2)), &["tensors"]);
    declared("chatglm1", "gmask", |a| tensors(a, |n| n.by = By::Rows), &["tensors"]);
    declared("llama2", "bias", |a| tensors(a, |n| n.bias &= n.roles != [Role::Down]), &["bias"]);
    declared("gemma2", "softcap", |a| exchange(a, Role::AttentionOutputNorm, Role::MlpNorm), &["tensors"]);
}

#[test]
fn several_wrong_words_are_named_together() {
    let three = |a: &mut Architecture| {
        a.norm.offset = 0.0;
        window(a, |w| w.map(|w| w + 1));
        a.output.softcap = None;
    };
    declared("gemma2", "softcap", three, &["attention.window", "norm.offset", "output.softcap"]);
}

#[test]
fn what_only_decoding_shows_is_named() {
    let (case, mut architecture) = open("llama2", "dynamic");
    each(&mut architecture, |layer| rope(layer).length = Length::First);
    let model = load(&case, architecture);
    let found = diagnosed(Subject::new(&model), &case);
    assert_eq!(found.stage, "decode", "{}", found.likely_cause);
    assert_eq!(found.causes, ["rope.length"], "{}", found.likely_cause);
}

/// A fault in the code, at a stage of a layer: it must be located there from its first token, and no word be blamed.
fn coded(
    family: &str,
    case: &str,
    (layer, stage): (usize, Stage),
    fault: fn(usize, usize, f32) -> f32,
    first: usize,
) {
    let (case, architecture) = open(family, case);
    let model = load(&case, architecture);
    let wrong = Tap { layer: Some(layer), stage };
    let meddle = move |tap: Tap, mut value: Array2<f32>| {
        // Decoding is spared: a call of one token is no prompt.
        if tap == wrong && value.nrows() > 1 {
            value.indexed_iter_mut().for_each(|((token, feature), x)| *x = fault(token, feature, *x));
        }
        value
    };
    let found = diagnosed(Subject::with_fault(&model, &meddle), &case);
    let told = &found.likely_cause;
    assert_eq!(found.fault, Fault::Code, "{told}");
    assert_eq!((found.layer, found.stage.as_str()), (Some(layer), stage_name(stage)), "{told}");
    assert_eq!(found.first_token, Some(first), "{told}");
    assert_eq!(found.causes, [] as [&str; 0], "{told}");
}

#[test]
fn a_wrong_stage_is_located_and_no_word_is_blamed() {
    coded("llama2", "gqa", (1, Stage::Heads), |token, _, x| if token >= 12 { 1.01 * x } else { x }, 12);
    coded(
        "gemma2",
        "softcap",
        (2, Stage::Query),
        |token, at, x| if (token, at) == (7, 3) { -x } else { x },
        7,
    );
    coded("qwen2", "yarn", (0, Stage::Key), |token, _, x| if token > 40 { x + 0.01 } else { x }, 41);
    coded("minicpm", "mha", (1, Stage::MlpOutput), |_, at, x| if at % 2 == 0 { x + 0.001 } else { x }, 0);
    coded(
        "chatglm1",
        "gmask",
        (0, Stage::AttentionInput),
        |token, at, x| if token + at == 9 { x + 0.1 } else { x },
        0,
    );
    coded("qwen1", "base", (1, Stage::Layer), |token, _, x| x + 1e-3 * token as f32, 1);
    coded(
        "baichuan1",
        "13b-h5",
        (0, Stage::Value),
        |token, at, x| if at < 4 && token > 2 { 2.0 * x } else { x },
        3,
    );
}

#[test]
fn heads_that_differ_are_told() {
    let (case, architecture) = open("llama2", "gqa");
    let head_dim = architecture.layers[0].attention.head_dim;
    let model = load(&case, architecture);
    let wrong = Tap { layer: Some(0), stage: Stage::Heads };
    let meddle = move |tap: Tap, mut value: Array2<f32>| {
        if tap == wrong {
            value.indexed_iter_mut().filter(|((_, at), _)| at / head_dim == 3).for_each(|(_, x)| *x += 0.1);
        }
        value
    };
    let found = diagnosed(Subject::with_fault(&model, &meddle), &case);
    assert_eq!(found.heads, Some(vec![3]), "{}", found.likely_cause);
    assert_eq!(found.components, ["attention"], "{}", found.likely_cause);
}

#[test]
fn a_fault_in_decoding_alone_is_located_by_step_and_stage() {
    let (case, architecture) = open("llama2", "mha");
    let model = load(&case, architecture);
    let wrong = Tap { layer: Some(1), stage: Stage::Key };
    let meddle = move |tap: Tap, mut value: Array2<f32>| {
        if tap == wrong && value.nrows() == 1 {
            value.mapv_inplace(|x| -x);
        }
        value
    };
    let found = diagnosed(Subject::with_fault(&model, &meddle), &case);
    let told = &found.likely_cause;
    assert_eq!((found.stage.as_str(), found.within.as_deref()), ("decode", Some("key")), "{told}");
    assert_eq!((found.layer, found.step), (Some(1), Some(1)), "{told}");
    assert_eq!(found.fault, Fault::Code, "{told}");
    assert!(told.contains("in one call agree"), "{told}");
}

fn each(architecture: &mut Architecture, edit: impl Fn(&mut Layer)) {
    architecture.layers.iter_mut().for_each(edit);
}

fn rope(layer: &mut Layer) -> &mut Rope {
    layer.rope.as_mut().expect("the family turns")
}

fn local_size(layer: &mut Layer, size: usize) {
    layer.attention.dual_chunk.as_mut().expect("it has dual chunks").local_size = size;
}

fn window(architecture: &mut Architecture, to: fn(Option<usize>) -> Option<usize>) {
    each(architecture, |layer| layer.attention.window = to(layer.attention.window));
}

fn tensors(architecture: &mut Architecture, edit: impl Fn(&mut Named)) {
    architecture.layers.iter_mut().flat_map(|layer| &mut layer.tensors).for_each(edit);
}

/// Exchanges the first two roles of a tensor that holds so many.
fn permute(named: &mut Named, roles: usize) {
    if named.roles.len() == roles {
        named.roles.swap(0, 1);
    }
}

fn exchange(architecture: &mut Architecture, a: Role, b: Role) {
    tensors(architecture, |named| {
        if named.roles == [a] {
            named.roles = vec![b];
        } else if named.roles == [b] {
            named.roles = vec![a];
        }
    });
}
