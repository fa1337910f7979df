//! An architecture as words and values, for those who compare two of them.

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::waist::architecture::{Architecture, Layer};
use crate::waist::named::{At, By, Lies, Named, Per, Suffix, write_roles};

/// Word → value, in the order of a declaration. Where layers differ, the value is a list, one for each layer.
pub type Fields = IndexMap<String, Json>;

impl Architecture {
    /// Every word with its resolved value; tensors as `tensors."query | key"` with `{layer}` for the layer's number.
    #[must_use]
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        // Every table is named, here and for each layer: a new one does not compile until it has a place among them.
        let Architecture { embedding, stack, norm, layers, output, per_layer, prefix, tensors: _, inert: _ } =
            self;
        for Layer { block: _, attention: _, latent: _, delta: _, rope: _, mlp: _, experts: _, tensors: _ } in
            layers
        {}
        table(&mut fields, "embedding", embedding);
        if let Some(per_layer) = per_layer {
            table(&mut fields, "per_layer", per_layer);
        }
        table(&mut fields, "block", stack);
        self.per_layer(&mut fields, "block", |layer| json(&self.layers[layer].block));
        table(&mut fields, "norm", norm);
        self.per_layer(&mut fields, "attention", |layer| json(&self.layers[layer].attention));
        self.per_layer(&mut fields, "latent", |layer| json(&self.layers[layer].latent));
        self.per_layer(&mut fields, "delta", |layer| json(&self.layers[layer].delta));
        self.per_layer(&mut fields, "rope", |layer| json(&self.layers[layer].rope));
        if let Some(prefix) = prefix {
            table(&mut fields, "prefix", prefix);
        }
        self.per_layer(&mut fields, "mlp", |layer| json(&self.layers[layer].mlp));
        self.per_layer(&mut fields, "experts", |layer| json(&self.layers[layer].experts));
        table(&mut fields, "output", output);
        self.tensors_of(&mut fields);
        fields
    }

    /// The words of one table that each layer has, gathered over the layers.
    fn per_layer(&self, fields: &mut Fields, name: &str, of: impl Fn(usize) -> Json) {
        let layers: Vec<Json> = (0..self.layers.len()).map(of).collect();
        let keys = layers.iter().filter_map(Json::as_object).flat_map(|table| table.keys().cloned());
        let keys: indexmap::IndexSet<String> = keys.collect();
        for key in keys {
            let values: Vec<Json> =
                layers.iter().map(|layer| layer.get(&key).cloned().unwrap_or(Json::Null)).collect();
            fields.insert(format!("{name}.{key}"), gather(values));
        }
    }

    fn tensors_of(&self, fields: &mut Fields) {
        let mut gathered: IndexMap<String, Vec<Json>> = IndexMap::new();
        for (layer, named) in
            self.layers.iter().enumerate().flat_map(|(i, l)| l.tensors.iter().map(move |n| (i, n)))
        {
            let described = describe(named, Some(layer));
            gathered.entry(write_roles(&named.roles)).or_default().push(described);
        }
        for named in &self.tensors {
            gathered.entry(write_roles(&named.roles)).or_default().push(describe(named, None));
        }
        for (roles, values) in gathered {
            fields.insert(format!("tensors.\"{roles}\""), gather(values));
        }
    }
}

/// The words in which two architectures differ, with both values; null where one has no such word.
#[must_use]
pub fn difference(a: &Architecture, b: &Architecture) -> Vec<(String, Json, Json)> {
    let (a, b) = (a.fields(), b.fields());
    let words: indexmap::IndexSet<&String> = a.keys().chain(b.keys()).collect();
    let of = |fields: &Fields, word: &String| fields.get(word).cloned().unwrap_or(Json::Null);
    words
        .into_iter()
        .map(|word| (word.clone(), of(&a, word), of(&b, word)))
        .filter(|(_, a, b)| a != b)
        .collect()
}

fn table(fields: &mut Fields, name: &str, settings: &impl serde::Serialize) {
    if let Json::Object(entries) = json(settings) {
        fields.extend(entries.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)));
    }
}

fn json(settings: &impl serde::Serialize) -> Json {
    serde_json::to_value(settings).unwrap_or(Json::Null)
}

/// One value where all are equal, else the list.
fn gather(values: Vec<Json>) -> Json {
    match values.split_first() {
        Some((first, rest)) if rest.iter().all(|value| value == first) => first.clone(),
        _ => Json::Array(values),
    }
}

/// A tensor's name with its layer's number taken out, and what else is said of it, in the words of the schema.
fn describe(named: &Named, layer: Option<usize>) -> Json {
    let Named { roles: _, name, bias, by, per, at, suffix, lies, unit, eps, offset, factor } = named;
    let mut text = match layer {
        Some(layer) => name.replacen(&format!(".{layer}."), ".{layer}.", 1),
        None => name.clone(),
    };
    if *unit {
        text.push_str("without weight");
    }
    if *bias {
        text.push_str(" + bias");
    }
    let words = [
        (*by != By::default(), "by ", json(by)),
        (*per != Per::default(), "per ", json(per)),
        (*at != At::default(), "", json(at)),
        (*suffix != Suffix::default(), "suffix ", json(suffix)),
        (*lies != Lies::default(), "lies ", json(lies)),
        (eps.is_some(), "eps ", json(eps)),
        (offset.is_some(), "offset ", json(offset)),
        (*factor != 1.0, "times ", json(factor)),
    ];
    for (_, what, value) in words.into_iter().filter(|(unusual, _, _)| *unusual) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.extend([", ", what, &value]);
    }
    Json::String(text)
}
