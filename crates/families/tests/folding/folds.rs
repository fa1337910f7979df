//! Laws of folding: whatever a family says, what is folded into another form computes the same function.

use std::fmt::Write as _;

use camelid_checkpoint::Checkpoint;
use camelid_families::{Allowed, Architecture, Form, Grade, Library, Source, engine, own_form};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::apart;

/// A network that Llama's keys can't say: each field is a word of its own.
#[derive(Debug, Clone)]
struct Mine {
    offset: f64,
    embedding: f64,
    branch: f64,
    logits: f64,
    score: f64,
    unit_rows: bool,
    tie: bool,
    biased: bool,
    adjacent: bool,
    fraction: f64,
    scaled: u8,
    kv_heads: usize,
    output_norms: bool,
    head_norms: bool,
    seed: u64,
}

fn mine() -> impl Strategy<Value = Mine> {
    let numbers = (
        prop_oneof![Just(0.0), Just(1.0)],
        prop_oneof![Just(1.0), 0.3..12.0],
        prop_oneof![Just(1.0), 0.2..1.5],
        (1u8..9).prop_map(|n| 1.0 / f64::from(n)),
        prop_oneof![Just(SCORE), 0.1..0.6],
    );
    let truths = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let rest = (
        prop_oneof![Just(1.0), Just(0.5)],
        0u8..4,
        prop_oneof![Just(1usize), Just(2), Just(4)],
        any::<u64>(),
    );
    (numbers, truths, rest).prop_map(
        |(
            (offset, embedding, branch, logits, score),
            (unit_rows, tie, biased, adjacent, output_norms, head_norms),
            (fraction, scaled, kv_heads, seed),
        )| Mine {
            offset,
            embedding,
            branch,
            logits,
            score,
            unit_rows: unit_rows && !tie,
            tie,
            biased,
            adjacent,
            fraction,
            scaled,
            kv_heads,
            output_norms,
            head_norms,
            seed,
        },
    )
}

const HEAD_DIM: usize = 8;
const SCORE: f64 = 0.353_553_390_593_273_8;

impl Mine {
    /// Its family's file, which extends the one that it is folded into: whatever is not said here is the same.
    fn file(&self, parent: &str) -> String {
        let scaling = match self.scaled {
            0 => "\"none\"",
            1 => "{ rope_type = \"linear\", factor = 3.0 }",
            2 => {
                "{ rope_type = \"llama3\", factor = 4.0, low_freq_factor = 1.0, high_freq_factor = 4.0, original_max_position_embeddings = 16 }"
            }
            _ => "{ rope_type = \"yarn\", factor = 4.0, original_max_position_embeddings = 8 }",
        };
        // YaRN's factor is that of a whole head.
        let fraction = if self.scaled == 3 { 1.0 } else { self.fraction };
        let pairing = if self.adjacent { "adjacent" } else { "half" };
        // As Llama's keys say it: what was trained, stretched.
        let context = if self.scaled == 1 { 96 } else { 32 };
        let mut file = format!(
            "extends = \"{parent}\"\nmatch = \"= model_type == 'mine'\"\n[embedding]\nscale = {}\n[block]\ncontext = {context}\nbranch_scale = {}\n\
             [norm]\noffset = {}\n[attention]\nscale = {}\n[rope]\npairing = \"{pairing}\"\nfraction = {fraction}\nscaling = {scaling}\n\
             [output]\nscale = {}\nunit_rows = {}\n[bias]\n\"query | key | value | attention_output | gate | up | down\" = {}\n[tensors]\n",
            self.embedding, self.branch, self.offset, self.score, self.logits, self.unit_rows, self.biased,
        );
        let mut name =
            |role: &str| writeln!(file, "{role} = \"model.layers.{{layer}}.{role}\"").expect("a string");
        if self.output_norms {
            name("attention_output_norm");
            name("mlp_output_norm");
        }
        if self.head_norms {
            name("query_norm");
            name("key_norm");
        }
        file
    }

    fn config(&self) -> Map<String, Json> {
        let config = json!({
            "model_type": "mine", "vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": self.kv_heads, "head_dim": HEAD_DIM, "intermediate_size": 20, "hidden_act": "silu",
            "rms_norm_eps": 1e-5, "max_position_embeddings": 32, "rope_theta": 1000.0, "tie_word_embeddings": self.tie,
        });
        config.as_object().expect("a table").clone()
    }

    /// Numbers large enough that no softmax is flat.
    fn checkpoint(&self, architecture: &Architecture) -> Checkpoint {
        crate::checkpoint(architecture, self.config(), self.seed, |name, shape| {
            let base = if name.contains("norm") && self.offset == 0.0 { 1.0 } else { 0.0 };
            (base, if shape.len() > 1 { 0.5 } else { 0.3 })
        })
    }
}

/// Folds into a family's form and runs both; how far the logits are apart, and what was folded. None where it is refused.
fn folded(mine: &Mine, parent: &str, to: &str, form: Option<&Form>) -> Option<(f32, Grade)> {
    folded_with(mine, parent, (to, None), form)
}

fn folded_with(
    mine: &Mine,
    parent: &str,
    (to, file): (&str, Option<&str>),
    form: Option<&Form>,
) -> Option<(f32, Grade)> {
    let mut library = Library::built_in().expect("the built-in families");
    if let Some(file) = file {
        library.insert(to, "target.toml", file).expect("a declaration");
    }
    library.insert("mine", "mine.toml", &mine.file(parent)).expect("a declaration");
    let (family, target) = (library.get("mine").expect("it is there"), library.get(to).expect("it is there"));
    let config = mine.config();
    let architecture = family.resolve(&config, &[]).unwrap_or_else(|error| panic!("{:?}", error.problems));
    let checkpoint = mine.checkpoint(&architecture);
    let source = Source { family, config: &config, architecture: &architecture };
    let conversion = match target.converted(source, form, Allowed::Fold) {
        Ok(conversion) => conversion,
        Err(error) => {
            assert!(file.is_none() && (mine.output_norms || mine.head_norms), "{error}");
            return None;
        }
    };
    Some((apart(source, &checkpoint, target, &conversion), conversion.grade))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_llama_can_t_say_folds_into_llama(mine in mine()) {
        if let Some((far, _)) = folded(&mine, "llama2", "llama2", own_form("llama2")) {
            prop_assert!(far < 1e-4, "{far:e}");
        }
    }

    #[test]
    fn what_is_folded_into_a_form_of_its_own_words_stays_as_it_is(mine in mine()) {
        // Granite's keys say the four numbers.
        let plain = Mine {
            offset: 0.0, unit_rows: false, biased: false, adjacent: false, fraction: 1.0, scaled: 0, output_norms: false,
            head_norms: false, ..mine
        };
        let (far, grade) = folded(&plain, "llama2", "granite", own_form("granite")).expect("granite says it");
        prop_assert_eq!(grade, Grade::Bytes);
        prop_assert!(far < 2e-5, "{far:e}");
    }

    #[test]
    fn norms_on_outputs_and_heads_take_the_numbers(mine in mine()) {
        let normed = Mine { output_norms: true, head_norms: true, ..mine };
        // The same with every word at its plain value.
        let plain = Mine {
            offset: 0.0, embedding: 1.0, branch: 1.0, logits: 1.0, score: SCORE, fraction: 1.0, scaled: 0, adjacent: false,
            unit_rows: false, ..normed.clone()
        };
        let file = plain.file("llama2").replace("'mine'", "'theirs'").replace("scaling = \"none\"", "scaling = \"= rope_scaling\"").replace("context = 32", "context = \"= stretched\"");
        let file = file + "\n[release]\nmodel_type = \"theirs\"\n[[sizes]]\nname = \"1B\"\nparameters = 1\nconfig = {}\n";
        let (far, _) = folded_with(&normed, "llama2", ("theirs", Some(&file)), None).expect("it has the same norms");
        prop_assert!(far < 1e-4, "{far:e}");
    }
}

#[test]
fn every_engine_has_a_form_and_llama_cpp_s_are_files() {
    assert!(engine("llama.cpp").expect("it is there").forms.iter().all(Form::is_gguf));
}
