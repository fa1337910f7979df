//! A key that config.json lacks is worth what the family's own config class says. `reference/config_defaults.json` holds
//! what each class says in two versions of transformers, and in the released remote code.

use std::path::Path;

use camelid::families::{Architecture, Library};
use serde_json::{Map, Value as Json};

type Config = Map<String, Json>;

/// Sizes are demanded, although each class has some: a config.json without them is of no use to anybody.
const SIZES: [&str; 9] = [
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "padded_vocab_size",
    "ffn_hidden_size",
    "inner_hidden_size",
    "num_layers",
];
/// The class of transformers, and the families whose checkpoints it reads.
const CLASSES: [(&str, &[&str]); 43] = [
    ("llama", &["llama1", "llama2", "llama3"]),
    ("gemma", &["gemma1"]),
    ("gemma2", &["gemma2"]),
    ("gemma3_text", &["gemma3"]),
    ("qwen2", &["qwen1.5", "qwen2"]),
    ("qwen3", &["qwen3"]),
    ("glm", &["glm4-hf"]),
    ("mistral", &["mistral"]),
    ("cohere", &["cohere"]),
    ("starcoder2", &["starcoder2"]),
    ("granite", &["granite"]),
    ("phi3", &["phi3"]),
    ("olmo2", &["olmo2"]),
    ("stablelm", &["stablelm"]),
    ("qwen2_moe", &["qwen2-moe"]),
    ("qwen3_moe", &["qwen3-moe"]),
    ("glm4", &["glm4-0414"]),
    ("glm4_moe", &["glm4.5"]),
    ("glm4_moe_lite", &["glm4.7-flash"]),
    ("minicpm3", &["minicpm3"]),
    ("gemma4_text", &["gemma4"]),
    ("llama4_text", &["llama4"]),
    ("deepseek_v2", &["deepseek2"]),
    ("deepseek_v3", &["deepseek3"]),
    ("gpt_oss", &["gpt-oss"]),
    ("ministral3", &["ministral3"]),
    ("mistral4", &["mistral4"]),
    ("cohere2", &["cohere2"]),
    ("smollm3", &["smollm3"]),
    ("olmo3", &["olmo3"]),
    ("mixtral", &["mixtral"]),
    ("ernie4_5_moe", &["ernie4.5-moe"]),
    ("seed_oss", &["seed-oss"]),
    ("dots1", &["dots1"]),
    ("exaone4", &["exaone4"]),
    ("hunyuan_v1_moe", &["hunyuan-v1-moe"]),
    ("minimax_m2", &["minimax-m2"]),
    ("youtu", &["youtu"]),
    ("qwen3_next", &["qwen3-next"]),
    ("qwen3_5_text", &["qwen3.5"]),
    ("qwen3_5_moe_text", &["qwen3.5-moe"]),
    ("olmo_hybrid", &["olmo-hybrid"]),
    ("kimi_linear", &["kimi-linear"]),
];

fn library() -> Library {
    let mut library = Library::built_in().expect("the built-in families");
    let beyond = Path::new(env!("CARGO_MANIFEST_DIR")).join("beyond");
    for entry in std::fs::read_dir(beyond).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        library.add(&path.join(format!("{name}.toml"))).unwrap_or_else(|error| panic!("{error}"));
    }
    library
}

fn table() -> Json {
    serde_json::from_str(include_str!("../reference/config_defaults.json")).expect("the table of defaults")
}

fn resolve(library: &Library, family: &str, config: &Config) -> Result<Architecture, String> {
    let family = library.get(family).unwrap_or_else(|error| panic!("{error}"));
    family.resolve(config, &[]).map_err(|unresolved| {
        unresolved.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    })
}

/// Leaves out each key in turn: what comes must be the same, or for a size, or a key that is `demanded`, a refusal.
fn check(
    library: &Library,
    family: &str,
    class: &str,
    whole: &Config,
    demanded: &[&str],
    wrong: &mut Vec<String>,
) {
    // Six layers say as much as sixty, and sooner; one of them is global where five are not.
    let mut whole = whole.clone();
    for (key, value) in
        whole.iter_mut().filter(|(key, _)| ["num_hidden_layers", "num_layers"].contains(&key.as_str()))
    {
        assert!(value.as_u64() > Some(6), "{class}: {key}");
        *value = 6.into();
    }
    let whole = &whole;
    let expected = match resolve(library, family, whole) {
        Ok(expected) => expected,
        Err(message) => return wrong.push(format!("{family}, {class} whole: {message}")),
    };
    for key in whole.keys().filter(|key| *key != "model_type" && *key != "architectures") {
        let mut config = whole.clone();
        config.shift_remove(key);
        let got = resolve(library, family, &config);
        let right = match &got {
            Ok(got) => *got == expected,
            Err(message) => {
                (SIZES.contains(&key.as_str()) || demanded.contains(&key.as_str()))
                    && message.contains("is missing")
                    || demanded.contains(&key.as_str())
            }
        };
        if !right {
            let got = match got {
                Ok(got) => format!("{:?}", camelid::families::difference(&expected, &got)),
                Err(message) => message,
            };
            wrong.push(format!("{family} without `{key}` ({class} says {}): {got}", whole[key]));
        }
    }
}

#[test]
fn a_key_left_out_is_worth_what_the_class_of_transformers_says() {
    let (library, table) = (library(), table());
    let mut wrong = Vec::new();
    let mut count = 0;
    let [older, newer] = ["transformers 4.57.6", "transformers 5.24.0"];
    for version in [older, newer] {
        for (class, families) in CLASSES {
            // The older version knows fewer.
            let own = match table[version]["classes"][class].as_object() {
                None if version == older => continue,
                own => own.unwrap_or_else(|| panic!("{version} has no {class}")),
            };
            let mut whole = table[version]["shared"].as_object().expect("shared keys").clone();
            whole.extend(own.clone());
            // What two classes have by default can't be run upstream either: 21 features to turn, and none of 64 experts.
            match class {
                "glm4_moe" => drop(whole.insert("head_dim".into(), 128.into())),
                "deepseek_v2" => drop(whole.insert("num_experts_per_tok".into(), 6.into())),
                _ => {}
            }
            // The two versions disagree, so a config.json that does not say is refused.
            let demanded: &[&str] = match class {
                "cohere" | "olmo3" => &["rope_theta", "rope_parameters"],
                "ministral3" | "mistral4" => &["rope_parameters"],
                "glm4_moe" => &["head_dim"],
                "deepseek_v2" => &["num_experts_per_tok"],
                _ => &[],
            };
            for family in families {
                count += whole.len();
                check(&library, family, &format!("{class} of {version}"), &whole, demanded, &mut wrong);
            }
        }
    }
    assert!(count > 1000, "{count} keys");
    assert!(wrong.is_empty(), "{} of {count} keys:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_key_left_out_is_worth_what_the_remote_code_says() {
    let (library, table) = (library(), table());
    let mut wrong = Vec::new();
    for (class, remote) in table["remote"].as_object().expect("the remote classes") {
        let family = remote["family"].as_str().expect("a family");
        let whole = remote["keys"].as_object().expect("its keys");
        let demanded: Vec<&str> =
            remote["demanded"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        check(&library, family, class, whole, &demanded, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
