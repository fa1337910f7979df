//! Conversions over every case that the project carries: into itself, and into every form that an engine reads.

use std::path::{Path, PathBuf};

use camelid_checkpoint::{Checkpoint, Dtype};
use camelid_families::{
    Allow, Allowed, Architecture, Backend, Conversion, Declaration, Form, Grade, Library, Model, Numbers,
    Source, engine, engines, in_memory, own_form,
};
use ndarray::{Array2, Axis};
use serde_json::{Map, Value as Json};

struct Opened<'l> {
    name: String,
    family: &'l Declaration,
    config: Map<String, Json>,
    ids: Vec<u32>,
    checkpoint: Checkpoint,
    architecture: Architecture,
}

impl Opened<'_> {
    fn source(&self) -> Source<'_> {
        Source { family: self.family, config: &self.config, architecture: &self.architecture }
    }

    fn ids(&self, grade: Grade) -> Vec<u32> {
        match grade {
            Grade::Within(tokens) => self.ids[..self.ids.len().min(tokens)].to_vec(),
            Grade::Bytes | Grade::Exact => self.ids.clone(),
        }
    }
}

fn each(library: &Library, mut check: impl FnMut(&Opened<'_>)) {
    let mut seen = 0;
    for family in library.families() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases").join(&family.name);
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths {
            let checkpoint = Checkpoint::open(&path).expect("a checkpoint");
            let config = checkpoint.config().expect("a config.json").clone();
            let reference = Checkpoint::open(path.join("reference.safetensors")).expect("a reference");
            let ids = reference.tensor("input_ids").expect("the ids").to_i64().expect("whole numbers");
            let ids = ids.into_iter().map(|id| u32::try_from(id).expect("an id")).collect();
            let architecture = family.architecture(&config, &checkpoint, &Allow::default());
            let architecture = architecture.unwrap_or_else(|error| panic!("{error}"));
            let case = path.file_name().expect("a name").to_string_lossy().into_owned();
            let name = format!("{}/{case}", family.name);
            check(&Opened { name, family, config, ids, checkpoint, architecture });
            seen += 1;
        }
    }
    assert!(seen >= 50, "{seen} cases");
}

fn logits(model: &Model, ids: &[u32]) -> Array2<f32> {
    let hidden = model.forward(ids, &mut model.cache(), &mut ()).unwrap_or_else(|error| panic!("{error}"));
    model.logits(hidden.view())
}

/// max |a − b| / max |a|.
fn apart(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
    let most = |values: &Array2<f32>| values.iter().fold(0f32, |most, x| most.max(x.abs()));
    most(&(a - b)) / most(a)
}

fn last(logits: &Array2<f32>) -> Array2<f32> {
    logits.row(logits.nrows() - 1).to_owned().insert_axis(Axis(0))
}

fn converted_model(opened: &Opened<'_>, target: &Declaration, conversion: &Conversion) -> Model {
    let tensors = in_memory(&conversion.tensors, &opened.checkpoint, Dtype::F32).expect("the tensors");
    let checkpoint = Checkpoint::from_parts(Path::new("converted"), conversion.config.clone(), tensors);
    target
        .load(&conversion.config, &checkpoint.expect("a checkpoint"), Backend::serial(), &Allow::default())
        .unwrap_or_else(|error| panic!("{} as {}: {error}", opened.name, target.name))
}

#[test]
fn every_case_converts_to_itself_as_it_is() {
    let library = Library::built_in().expect("the built-in families");
    each(&library, |opened| {
        let conversion = opened
            .family
            .converted(opened.source(), None, Allowed::Bytes)
            .unwrap_or_else(|error| panic!("{}: {error}", opened.name));
        assert_eq!(conversion.grade, Grade::Bytes, "{}", opened.name);
        assert!(conversion.folds.is_empty(), "{}: {:?}", opened.name, conversion.folds);
        let mut config = opened.config.clone();
        config.entry("architectures").or_insert(conversion.config["architectures"].clone());
        assert_eq!(conversion.config, config, "{}", opened.name);
        for tensor in &conversion.tensors {
            let [piece] = &tensor.pieces[..] else { panic!("{}: {:?}", tensor.name, tensor.pieces) };
            let Numbers::Rows { tensor: from, rows } = &piece.from else { panic!("{}: zeros", tensor.name) };
            let stands = opened.checkpoint.tensor(from).expect("the tensor");
            assert_eq!(tensor.shape.iter().product::<usize>(), stands.elements(), "{}", tensor.name);
            // A text model inside a larger one has its tensors under the larger one's names.
            assert!(
                rows.start == 0 && (from == &tensor.name || opened.config.contains_key("text_config")),
                "{from}"
            );
            assert!(piece.steps.is_empty());
        }
    });
}

fn form(engine_name: &str, name: &str) -> &'static Form {
    let forms = &engine(engine_name).expect("an engine").forms;
    forms.iter().find(|form| form.name == name).expect("a form")
}

#[test]
fn a_result_is_the_same_function_in_every_form_that_holds_it() {
    let library = Library::built_in().expect("the built-in families");
    let (mut bytes, mut exact, mut within) = (0, 0, 0);
    each(&library, |opened| {
        let model =
            opened.family.load(&opened.config, &opened.checkpoint, Backend::serial(), &Allow::default());
        let model = model.unwrap_or_else(|error| panic!("{error}"));
        for form in ["original", "transformers", "vllm"]
            .iter()
            .flat_map(|name| &engine(name).expect("it is there").forms)
        {
            let target = library.get(&form.family).expect("a family");
            let Ok(conversion) = target.converted(opened.source(), Some(form), Allowed::Length) else {
                continue;
            };
            let ids = opened.ids(conversion.grade);
            let (ours, theirs) =
                (logits(&model, &ids), logits(&converted_model(opened, target, &conversion), &ids));
            let far = apart(&ours, &theirs);
            assert!(far < 3e-5, "{} as {}: {far:e}, {:?}", opened.name, form.name, conversion.folds);
            let class = conversion.config["architectures"][0].as_str().expect("a class");
            let known = form.class.iter().chain(&target.classes).any(|known| known == class);
            assert!(known, "{} as {}: {class}", opened.name, form.name);
            match conversion.grade {
                Grade::Bytes => bytes += 1,
                Grade::Exact => exact += 1,
                Grade::Within(_) => within += 1,
            }
        }
    });
    println!("bytes {bytes}, exact {exact}, within a length {within}");
    assert!(
        bytes > 60 && exact > 20 && within > 10,
        "bytes {bytes}, exact {exact}, within a length {within}"
    );
}

#[test]
fn beyond_its_length_a_result_is_another_function() {
    let library = Library::built_in().expect("the built-in families");
    let mut seen = 0;
    each(&library, |opened| {
        let target = library.get("llama2").expect("a family");
        let model =
            || opened.family.load(&opened.config, &opened.checkpoint, Backend::serial(), &Allow::default());
        let form = own_form("qwen1.5").filter(|_| opened.name.starts_with("qwen"));
        let target = if form.is_some() { library.get("qwen1.5").expect("a family") } else { target };
        let Ok(conversion) = target.converted(opened.source(), form, Allowed::Length) else { return };
        let Grade::Within(tokens) = conversion.grade else { return };
        let ids = &opened.ids;
        if ids.len() <= tokens {
            return;
        }
        let model = model().unwrap_or_else(|error| panic!("{error}"));
        let other = converted_model(opened, target, &conversion);
        let (ours, theirs) = (logits(&model, ids), logits(&other, ids));
        let far = apart(&last(&ours), &last(&theirs));
        assert!(far > 1e-4, "{}: beyond {tokens} tokens nothing changes: {far:e}", opened.name);
        seen += 1;
    });
    assert!(seen >= 3, "{seen}");
}

#[test]
fn what_an_original_can_not_say_is_refused_though_its_family_inherits_the_words() {
    let library = Library::built_in().expect("the built-in families");
    let refused = |case: &str, to: &str, words: &[&str]| {
        each_named(&library, case, |opened| {
            let target = library.get(to).expect("a family");
            let error =
                target.converted(opened.source(), own_form(to), Allowed::Bytes).expect_err(case).to_string();
            for word in words {
                assert!(error.contains(word), "{case} as {to}: {error} lacks {word}");
            }
        });
    };
    refused("llama2/linear", "baichuan1", &["rope.scaling"]);
    refused("llama3/3.1-rope", "minicpm", &["rope.scaling"]);
    refused("llama2/bias", "yi", &["tensors.query"]);
    // What a fold leaves is told beside what would allow it: Llama's head has no bias.
    refused("starcoder2/base", "llama2", &["norm.kind", "the last one's into the head", "tensors.output"]);
}

fn each_named(library: &Library, case: &str, check: impl Fn(&Opened<'_>)) {
    let mut found = false;
    each(library, |opened| {
        if opened.name == case {
            found = true;
            check(opened);
        }
    });
    assert!(found, "{case}");
}

#[test]
fn knobs_go_before_folds() {
    let library = Library::built_in().expect("the built-in families");
    each_named(&library, "minicpm/gqa", |opened| {
        let as_granite = library.get("granite").expect("a family");
        let conversion = as_granite.converted(opened.source(), own_form("granite"), Allowed::Bytes);
        let conversion = conversion.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((conversion.grade, conversion.folds.len()), (Grade::Bytes, 0));
        let as_llama = library.get("llama2").expect("a family");
        let error =
            as_llama.converted(opened.source(), own_form("llama2"), Allowed::Bytes).expect_err("it rounds");
        assert!(error.to_string().contains("--allow fold"), "{error}");
        let folded =
            as_llama.converted(opened.source(), own_form("llama2"), Allowed::Fold).expect("it folds");
        assert_eq!(folded.grade, Grade::Exact);
        assert!(folded.architecture.output.tie == opened.architecture.output.tie, "it stays tied");
    });
}

#[test]
fn engines_are_there_with_their_forms() {
    assert!(engines().all(|engine| !engine.forms.is_empty() && !engine.version.is_empty()));
    assert!(form("llama.cpp", "llama").is_gguf() && !form("vllm", "granite").is_gguf());
}
