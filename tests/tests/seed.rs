//! docs/seed.md, claim by claim, from the data.

use camelid::families::{Architecture, Library, Position, Role, Scaling};

/// A family's published size, resolved.
fn at(family: &str, size: &str) -> Architecture {
    let library = Library::built_in().expect("the built-in families");
    let family = library.get(family).expect("a family");
    let size = family
        .sizes
        .iter()
        .find(|s| s.name == size)
        .unwrap_or_else(|| panic!("{} has no {size}", family.name));
    family.resolve(&size.config, &[]).unwrap_or_else(|unresolved| panic!("{:?}", unresolved.problems))
}

/// Every published size of a family.
fn all(family: &str) -> Vec<Architecture> {
    let library = Library::built_in().expect("the built-in families");
    let names: Vec<_> =
        library.get(family).expect("a family").sizes.iter().map(|size| size.name.clone()).collect();
    names.iter().map(|size| at(family, size)).collect()
}

/// (heads, kv heads) of the first layer.
fn heads(family: &str, size: &str) -> (usize, usize) {
    let attention = at(family, size).layers[0].attention.clone();
    (attention.heads, attention.kv_heads)
}

fn grouped(architecture: &Architecture) -> bool {
    architecture.layers.iter().all(|layer| layer.attention.kv_heads < layer.attention.heads)
}

fn packed(architecture: &Architecture, biased: bool) -> bool {
    let query = architecture.tensor(Some(0), Role::Query).expect("a query");
    query.roles == [Role::Query, Role::Key, Role::Value] && query.bias == biased
}

#[test]
fn llama() {
    assert_eq!([heads("llama2", "34B"), heads("llama2", "70B")], [(64, 8), (64, 8)]);
    assert_eq!([heads("llama2", "7B"), heads("llama2", "13B")], [(32, 32), (40, 40)]);
    assert_eq!(at("llama2", "7B").stack.context, Some(4096));
    assert!(all("llama1").iter().all(|size| size.stack.context == Some(2048)));
    assert!(all("llama3").iter().all(|size| grouped(size) && size.layers[0].attention.kv_heads == 8));
    assert!(all("llama3").iter().all(|size| size.embedding.vocab == 128_256));
    assert_eq!(
        [at("llama3", "8B").stack.context, at("llama3", "3.1-405B").stack.context],
        [Some(8192), Some(131_072)]
    );
    let scaling = at("llama3", "3.1-405B").layers[0].rope.clone().and_then(|rope| rope.scaling);
    assert!(matches!(scaling, Some(Scaling::Plain(camelid::rope::Scaling::Llama3 { .. }))));
}

#[test]
fn baichuan() {
    for family in ["baichuan1", "baichuan2"] {
        assert!(all(family).iter().all(|size| packed(size, false) && size.stack.context == Some(4096)));
        assert_eq!(at(family, "7B").layers[0].attention.position, Position::Rope);
        assert_eq!(at(family, "13B").layers[0].attention.position, Position::Alibi);
    }
    assert!(all("baichuan1").iter().all(|size| size.embedding.vocab == 64_000 && !size.output.unit_rows));
    assert!(all("baichuan2").iter().all(|size| size.embedding.vocab == 125_696 && size.output.unit_rows));
}

#[test]
fn yi() {
    let library = Library::built_in().expect("the built-in families");
    assert_eq!(library.get("yi").expect("a family").chain[1], "llama2");
    assert!(all("yi").iter().all(grouped));
    let theta = |size| at("yi", size).layers[0].rope.as_ref().map(|rope| rope.theta);
    assert_eq!([theta("6B"), theta("34B"), theta("9B")], [Some(5e6), Some(5e6), Some(1e4)]);
}

#[test]
fn qwen() {
    for size in all("qwen1") {
        assert!(packed(&size, true));
        assert!(size.layers[0].attention.logn.is_some());
        let scaling = size.layers[0].rope.clone().and_then(|rope| rope.scaling);
        assert!(matches!(scaling, Some(Scaling::Plain(camelid::rope::Scaling::Stepped {}))));
    }
    let vocab = ["1.8B", "7B", "14B", "72B"].map(|size| at("qwen1", size).embedding.vocab);
    assert_eq!(vocab, [151_936, 151_936, 152_064, 152_064]);
    assert!(all("qwen1.5").iter().all(|size| size.stack.context == Some(32_768)));
    assert!(
        all("qwen1.5").iter().all(|size| size.layers.iter().all(|layer| layer.attention.window.is_none()))
    );
    assert_eq!([heads("qwen1.5", "32B"), heads("qwen1.5", "110B")], [(40, 8), (64, 8)]);
    assert_eq!(all("qwen1.5").iter().filter(|size| grouped(size)).count(), 2);
    assert!(all("qwen2").iter().all(grouped));
    let widths = |family| (at(family, "7B").layers[0].mlp.width, at(family, "7B").embedding.width);
    assert_eq!([widths("qwen1.5"), widths("qwen2")], [(11_008, 4096), (18_944, 3584)]);
}

#[test]
fn a_window_of_qwen_1_5_is_on_upper_layers_where_config_asks_for_it() {
    let library = Library::built_in().expect("the built-in families");
    let family = library.get("qwen1.5").expect("a family");
    let mut config = family.sizes[0].config.clone();
    config.insert("use_sliding_window".into(), true.into());
    config.insert("max_window_layers".into(), 10.into());
    let resolved =
        family.resolve(&config, &[]).unwrap_or_else(|unresolved| panic!("{:?}", unresolved.problems));
    let windows: Vec<bool> = resolved.layers.iter().map(|layer| layer.attention.window.is_some()).collect();
    assert!(windows.iter().enumerate().all(|(layer, slides)| *slides == (layer >= 10)));
}

#[test]
fn chatglm() {
    assert!(all("chatglm1").iter().all(|size| size.prefix.is_some() && packed(size, true)));
    for family in ["chatglm2", "chatglm3", "glm4"] {
        assert!(all(family).iter().all(|size| size.prefix.is_none() && packed(size, true)));
    }
    let query = at("glm4-hf", "9B").tensor(Some(0), Role::Query).cloned().expect("a query");
    assert!(query.roles == [Role::Query] && query.bias);
}

#[test]
fn minicpm() {
    let size = at("minicpm", "2B");
    assert!(size.output.tie);
    assert_eq!((size.stack.layers, size.embedding.width, size.embedding.vocab), (40, 2304, 122_753));
    let gemma = at("gemma1", "2B");
    assert_eq!((gemma.stack.layers, gemma.embedding.width), (18, 2048));
}

#[test]
fn gemma() {
    for family in ["gemma1", "gemma2"] {
        for size in all(family) {
            let mlp = serde_json::to_value(&size.layers[0].mlp).expect("an MLP");
            assert_eq!(
                (mlp["kind"].as_str(), mlp["activation"].as_str()),
                (Some("gated"), Some("gelu_pytorch_tanh"))
            );
            assert!(size.output.tie);
        }
    }
    assert_eq!([heads("gemma1", "2B"), heads("gemma1", "7B")], [(8, 1), (16, 16)]);
    for size in all("gemma2") {
        let windows = size.layers.iter().map(|layer| layer.attention.window);
        assert!(windows.enumerate().all(|(layer, window)| window == (layer % 2 == 0).then_some(4096)));
    }
}

#[test]
fn forms_of_one_family_release_the_same_model() {
    let library = Library::built_in().expect("the built-in families");
    let mut compared = 0;
    for form in library.families().filter(|family| family.form_of.is_some()) {
        let of = library.get(form.form_of.as_deref().unwrap_or_default()).expect("what it is a form of");
        for size in &form.sizes {
            assert!(of.sizes.iter().any(|known| known.name == size.name), "{}: {}", form.name, size.name);
            let (own, other) = (at(&form.name, &size.name), at(&of.name, &size.name));
            let differ: Vec<_> = camelid::families::difference(&own, &other)
                .into_iter()
                // Names are what forms differ in; a trained length is read by scalings alone, of which these have none.
                .filter(|(word, ..)| !word.starts_with("tensors.") && word != "rope.context")
                .collect();
            assert!(own.layers.iter().all(|layer| layer.rope.iter().all(|rope| rope.scaling.is_none())));
            assert!(differ.is_empty(), "{} and {} at {}: {differ:?}", form.name, of.name, size.name);
            compared += 1;
        }
    }
    assert!(compared > 0);
}
