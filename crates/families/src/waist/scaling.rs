//! `rope.scaling`: the frequencies of crate `rope` and of crate `yarn` under upstream's one table.

use camelid_yarn::Yarn;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::Value as Json;

/// How rotary frequencies are scaled: upstream's `rope_scaling` table, told apart by its `rope_type`.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// One of those that need no crate beside `rope`.
    Plain(camelid_rope::Scaling),
    /// `yarn`.
    Yarn(Yarn),
}

impl<'de> Deserialize<'de> for Scaling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scaling, D::Error> {
        let mut table = serde_json::Map::deserialize(deserializer)?;
        if table.get("rope_type") == Some(&Json::String("yarn".into())) {
            table.remove("rope_type");
            return serde_json::from_value(Json::Object(table)).map(Scaling::Yarn).map_err(D::Error::custom);
        }
        serde_json::from_value(Json::Object(table)).map(Scaling::Plain).map_err(D::Error::custom)
    }
}

impl Serialize for Scaling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Scaling::Plain(scaling) => scaling.serialize(serializer),
            Scaling::Yarn(yarn) => {
                let mut table = serde_json::to_value(yarn).map_err(S::Error::custom)?;
                if let Json::Object(table) = &mut table {
                    table.shift_insert(0, "rope_type".into(), "yarn".into());
                }
                table.serialize(serializer)
            }
        }
    }
}
