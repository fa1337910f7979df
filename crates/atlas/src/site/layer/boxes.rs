//! Boxes of a layer's drawing: projections, norms, and what stands between them.

use camelid_families::{Architecture, Kind, Per, Role};

use crate::facts::said::{significant, thousands};

/// One box: what it is called, its numbers at one size, and the words and roles that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Box {
    pub(crate) title: String,
    pub(crate) detail: String,
    pub(crate) words: Vec<String>,
    pub(crate) kind: &'static str,
}

impl Box {
    /// A step that has no tensor of its own.
    pub(crate) fn step(title: &str, detail: String, words: &[&str]) -> Box {
        Box {
            title: title.into(),
            detail,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            kind: "step",
        }
    }
}

/// The tensors of one layer, as boxes.
pub(crate) struct Drawer<'a> {
    pub(crate) architecture: &'a Architecture,
    pub(crate) layer: usize,
}

impl Drawer<'_> {
    /// The box of a role; none where the layer has no such tensor.
    pub(crate) fn tensor(&self, role: Role, title: &str) -> Option<Box> {
        let named = self.architecture.tensor(Some(self.layer), role)?;
        let shape = self.architecture.shape(Some(self.layer), role, named.per);
        let sizes: Vec<_> = shape.iter().rev().map(|size| thousands(*size as u64)).collect();
        let mut title = title.to_owned();
        if named.roles.len() > 1 {
            title += ", packed";
        }
        if named.bias {
            title += " + b";
        }
        let norm = &self.architecture.norm;
        let (kind, detail, words): (_, _, &[&str]) = match role.kind() {
            Kind::Norm => {
                let eps = named.eps.unwrap_or(norm.eps);
                title = match named.per {
                    Per::Head => title,
                    Per::EachHead => format!("{title}, each head"),
                    Per::Width => format!("{title}, all heads"),
                };
                let detail =
                    format!("{} of {}, ε {}", kind_of(norm.kind), sizes.join(" · "), significant(eps, 3));
                ("norm", detail, &["norm"])
            }
            Kind::Matrix => ("linear", sizes.join(" → "), &[]),
            Kind::Vector => {
                // A box is narrow: a dimension of one says nothing.
                let sizes: Vec<_> = sizes.iter().filter(|size| *size != "1").cloned().collect();
                let said = match sizes.as_slice() {
                    [] => "1 number".into(),
                    [one] => format!("{one} numbers"),
                    more => more.join(" · "),
                };
                ("vector", said, &[])
            }
        };
        let words = words.iter().map(|word| (*word).to_owned()).chain([role.name().to_owned()]);
        Some(Box { title, detail, words: words.collect(), kind })
    }

    /// A row of the boxes that are there; none where there is none.
    pub(crate) fn row(&self, roles: &[(Role, &str)]) -> Option<Vec<Box>> {
        let row: Vec<Box> = roles.iter().filter_map(|(role, title)| self.tensor(*role, title)).collect();
        (!row.is_empty()).then_some(row)
    }
}

fn kind_of(kind: camelid_norm::Kind) -> &'static str {
    match kind {
        camelid_norm::Kind::Rms => "RMS",
        camelid_norm::Kind::Layer => "layer norm",
    }
}
