//! Laws of folds of structure: another kind of norm, another shape of MLP, a bias at another place compute the same function.

use camelid_checkpoint::Checkpoint;
use camelid_families::{Allowed, Architecture, Grade, Library, Source};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::apart;

/// A network by its structure.
#[derive(Debug, Clone)]
struct Mine {
    layer_norm: bool,
    norm_biases: bool,
    final_bias: bool,
    head_bias: bool,
    plain: bool,
    value_bias: bool,
    output_bias: bool,
    /// Of everything else that projects.
    biased: bool,
    parallel: bool,
    tie: bool,
    packed: bool,
    kv_heads: usize,
    branch: f64,
    seed: u64,
}

fn mine() -> impl Strategy<Value = Mine> {
    let truths = any::<[bool; 10]>();
    let branch = prop_oneof![Just(1.0), 0.3..1.4];
    let all = (truths, prop_oneof![Just(1usize), Just(2), Just(4)], branch, any::<u64>());
    all.prop_map(|(truths, kv_heads, branch, seed)| {
        let [
            layer_norm,
            norm_biases,
            final_bias,
            plain,
            value_bias,
            output_bias,
            biased,
            parallel,
            tie,
            packed,
        ] = truths;
        Mine {
            norm_biases: layer_norm && norm_biases,
            final_bias: layer_norm && final_bias,
            head_bias: false,
            packed: packed && biased == value_bias,
            layer_norm,
            plain,
            value_bias,
            output_bias,
            biased,
            parallel,
            tie,
            kv_heads,
            branch,
            seed,
        }
    })
}

impl Mine {
    fn file(&self, name: &str) -> String {
        let Mine { norm_biases, final_bias, head_bias, value_bias, output_bias, biased, branch, .. } = self;
        let wiring = if self.parallel { "parallel" } else { "sequential" };
        let kind = if self.layer_norm { "layer" } else { "rms" };
        let (mlp, mlp_bias) = match self.plain {
            true => ("plain", format!("\"up | down\" = {biased}")),
            false => ("gated", format!("\"gate | up | down\" = {biased}")),
        };
        let norms = match self.parallel {
            true => format!("attention_norm = {norm_biases}"),
            false => format!("\"attention_norm | mlp_norm\" = {norm_biases}"),
        };
        let (gate, norm) = (
            if self.plain { "gate = \"none\"\n" } else { "" },
            if self.parallel { "mlp_norm = \"none\"\n" } else { "" },
        );
        let packed = match self.packed {
            true => "\"query | key | value\" = \"model.layers.{layer}.qkv\"\n",
            false => "",
        };
        format!(
            "extends = \"llama2\"\nmatch = \"= model_type == '{name}'\"\n[norm]\nkind = \"{kind}\"\n[block]\nwiring = \"{wiring}\"\n\
             branch_scale = {branch}\n[mlp]\nkind = \"{mlp}\"\n[tensors]\n{gate}{norm}{packed}[bias]\n{norms}\nfinal_norm = {final_bias}\n\
             output = {head_bias}\n\"query | key\" = {biased}\nvalue = {value_bias}\nattention_output = {output_bias}\n{mlp_bias}\n\
             [release]\nmodel_type = \"{name}\"\n[[sizes]]\nname = \"1B\"\nparameters = 1\nconfig = {{}}\n"
        )
    }

    fn config(&self) -> Map<String, Json> {
        let config = json!({
            "model_type": "mine", "vocab_size": 40, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": self.kv_heads, "head_dim": 8, "intermediate_size": 20, "hidden_act": "silu",
            "rms_norm_eps": 1e-5, "max_position_embeddings": 32, "rope_theta": 1000.0, "tie_word_embeddings": self.tie,
        });
        config.as_object().expect("a table").clone()
    }

    /// Numbers large enough that no softmax is flat, none of them with the mean 0.
    fn checkpoint(&self, architecture: &Architecture) -> Checkpoint {
        crate::checkpoint(architecture, self.config(), self.seed, |name, _| {
            (if name.ends_with("norm.weight") { 1.0 } else { 0.1 }, 0.5)
        })
    }
}

/// Folds one network's family into another's and runs both: how far the logits are apart, and the grade; or why not.
fn folded(mine: &Mine, theirs: Option<&Mine>) -> Result<(f32, Grade), String> {
    let mut library = Library::built_in().expect("the built-in families");
    library.insert("mine", "mine.toml", &mine.file("mine")).expect("a declaration");
    if let Some(theirs) = theirs {
        library.insert("theirs", "theirs.toml", &theirs.file("theirs")).expect("a declaration");
    }
    let family = library.get("mine").expect("it is there");
    let target = library.get(if theirs.is_some() { "theirs" } else { "llama2" }).expect("it is there");
    let config = mine.config();
    let architecture = family.resolve(&config, &[]).unwrap_or_else(|error| panic!("{:?}", error.problems));
    let checkpoint = mine.checkpoint(&architecture);
    let source = Source { family, config: &config, architecture: &architecture };
    let conversion = target.converted(source, None, Allowed::Fold).map_err(|error| error.to_string())?;
    Ok((apart(source, &checkpoint, target, &conversion), conversion.grade))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn layer_norms_and_plain_mlps_fold_into_a_family_without_them(mine in mine()) {
        // A bias wherever one may come to be; the final norm's can only become the head's.
        let theirs = Mine {
            layer_norm: false, norm_biases: false, final_bias: false, plain: false, biased: true, value_bias: true,
            output_bias: true, head_bias: true, packed: false, ..mine.clone()
        };
        match folded(&mine, Some(&theirs)) {
            Ok((far, grade)) => {
                prop_assert!(far < 1e-4, "{far:e}");
                prop_assert_eq!(grade > Grade::Bytes, mine.layer_norm);
            }
            // A family without a key for it can't leave a table tied that was centred.
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn what_has_no_bias_but_in_norms_folds_into_llama(mine in mine()) {
        let mine = Mine { parallel: false, final_bias: false, branch: 1.0, ..mine };
        let (far, _) = folded(&mine, None).map_err(TestCaseError::fail)?;
        prop_assert!(far < 1e-4, "{far:e}");
    }

    #[test]
    fn a_bias_of_values_is_one_of_what_they_leave_by(mine in mine()) {
        let mine = Mine { layer_norm: false, norm_biases: false, final_bias: false, plain: false, value_bias: true, packed: false, ..mine };
        let theirs = Mine { value_bias: false, output_bias: true, ..mine.clone() };
        let (far, grade) = folded(&mine, Some(&theirs)).map_err(TestCaseError::fail)?;
        prop_assert!(far < 1e-4, "{far:e}");
        prop_assert_eq!(grade, Grade::Exact);
    }
}

#[test]
fn a_final_bias_needs_a_head_with_one() {
    let mine = Mine {
        layer_norm: true,
        norm_biases: true,
        final_bias: true,
        head_bias: false,
        plain: true,
        value_bias: true,
        output_bias: true,
        biased: true,
        parallel: false,
        tie: false,
        packed: false,
        kv_heads: 2,
        branch: 1.0,
        seed: 7,
    };
    let error = folded(&mine, None).expect_err("Llama's head has none");
    assert!(error.contains("tensors.output"), "{error}");
}
