//! Floats in files are finite, checked on reading and on writing. TOML can contain `nan`, and JSON
//! would write it as `null`.

use serde::de::{Error as _, Unexpected};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else {
        Err(S::Error::custom(format_args!("{value} cannot be written, expected a finite number")))
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(D::Error::invalid_value(Unexpected::Float(value), &"a finite number"))
    }
}

/// The same for an optional number. The field also needs `default` and `skip_serializing_if`.
pub(crate) mod option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(super::Finite).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        Ok(Option::<super::Finite>::deserialize(deserializer)?.map(|finite| finite.0))
    }
}

/// The same for an optional list.
pub(crate) mod list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Finite;

    pub(crate) fn serialize<S: Serializer>(
        list: &Option<Vec<f64>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let list = list.as_ref().map(|list| list.iter().copied().map(Finite).collect::<Vec<_>>());
        list.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D>(deserializer: D) -> Result<Option<Vec<f64>>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let list = Option::<Vec<Finite>>::deserialize(deserializer)?;
        Ok(list.map(|list| list.into_iter().map(|finite| finite.0).collect()))
    }
}

// `with` works on fields only, so numbers inside an `Option` or a `Vec` go through this wrapper.
#[derive(Serialize, Deserialize)]
struct Finite(#[serde(with = "crate::finite")] f64);
