//! Entities between the caller's own types and the JSON of the service.

use crate::{
    error::{Error, causes},
    limits::{self, EntitySize},
};
use azure_core::http::Etag;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// Marks the type of the property before it: `Due@odata.type`.
const TYPE_SUFFIX: &str = "@odata.type";
const INT64: &str = "Edm.Int64";

/// An entity as read: its keys, its version, and the caller's properties.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity<T> {
    /// The partition it lives in.
    pub partition_key: String,
    /// Its name within the partition.
    pub row_key: String,
    /// Its version, for [`crate::IfMatch::Tag`]. Opaque.
    pub etag: Etag,
    /// Everything else.
    pub properties: T,
}

/// The JSON of an entity to write.
///
/// Integers beyond 32 bits are sent as `Edm.Int64`. Null properties are left out, as the service
/// would do.
pub(crate) fn encode<T>(partition_key: &str, row_key: &str, properties: &T) -> Result<String, Error>
where
    T: Serialize + ?Sized,
{
    limits::key("PartitionKey", partition_key)?;
    limits::key("RowKey", row_key)?;
    let given = match serde_json::to_value(properties) {
        Ok(Value::Object(given)) => given,
        Ok(_) => return Err(Error::limit("properties must be a struct or a map")),
        Err(error) => return Err(Error::limit(format!("properties do not become JSON: {error}"))),
    };
    let mut size = EntitySize::new(partition_key, row_key);
    let mut sent = Map::new();
    for (name, value) in given {
        put(&mut sent, &mut size, name, value)?;
    }
    sent.insert("PartitionKey".to_owned(), partition_key.into());
    sent.insert("RowKey".to_owned(), row_key.into());
    Ok(Value::Object(sent).to_string())
}

fn put(
    sent: &mut Map<String, Value>,
    size: &mut EntitySize,
    name: String,
    value: Value,
) -> Result<(), Error> {
    if let Some(property) = name.strip_suffix(TYPE_SUFFIX) {
        limits::property_name(property)?;
        if !value.as_str().is_some_and(|kind| kind.starts_with("Edm.")) {
            return Err(Error::limit(format!(
                "{property}{TYPE_SUFFIX} is not the name of an Edm type"
            )));
        }
        sent.insert(name, value);
        return Ok(());
    }
    limits::property_name(&name)?;
    if limits::SYSTEM.contains(&name.as_str()) {
        return Err(Error::limit(format!("{name} belongs to the service and is no property")));
    }
    let value = match value {
        Value::Null => return Ok(()),
        Value::String(text) => {
            size.add_string(&name, &text)?;
            Value::String(text)
        }
        Value::Bool(_) => {
            size.add_scalar(&name)?;
            value
        }
        Value::Number(number) => {
            size.add_scalar(&name)?;
            if is_int32_or_double(&number) {
                Value::Number(number)
            } else if let Some(int64) = number.as_i64() {
                sent.insert(format!("{name}{TYPE_SUFFIX}"), INT64.into());
                Value::String(int64.to_string())
            } else {
                return Err(Error::limit(format!("property {name} is beyond 64 signed bits")));
            }
        }
        Value::Array(_) | Value::Object(_) => {
            return Err(Error::limit(format!(
                "property {name} is a list or an object: write it as text"
            )));
        }
    };
    sent.insert(name, value);
    Ok(())
}

fn is_int32_or_double(number: &serde_json::Number) -> bool {
    number.is_f64() || number.as_i64().is_some_and(|value| i32::try_from(value).is_ok())
}

/// Reads one entity of the answer to a get or a query.
///
/// Annotations, `Timestamp` and nulls are dropped; an `Edm.Int64` becomes a number again.
pub(crate) fn decode<T: DeserializeOwned>(value: Value) -> Result<Entity<T>, Error> {
    let Value::Object(mut given) = value else {
        return Err(Error::decode("an entity is not an object"));
    };
    let mut text = |name: &str| match given.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Error::decode(format!("an entity came without {name}"))),
    };
    let partition_key = text("PartitionKey")?;
    let row_key = text("RowKey")?;
    let etag = Etag::from(text("odata.etag")?);
    given.remove("Timestamp");

    let (annotations, properties): (Map<_, _>, Map<_, _>) =
        given.into_iter().partition(|(name, _)| name.contains("odata."));
    let properties = properties
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let kind = annotations.get(&format!("{name}{TYPE_SUFFIX}")).and_then(Value::as_str);
            let value = if kind == Some(INT64) { int64(&name, &value)? } else { value };
            Ok((name, value))
        })
        .collect::<Result<Map<_, _>, Error>>()?;
    let properties = serde_json::from_value(Value::Object(properties))
        .map_err(|error| Error::decode(format!("an entity does not fit: {}", causes(&error))))?;
    Ok(Entity { partition_key, row_key, etag, properties })
}

fn int64(name: &str, value: &Value) -> Result<Value, Error> {
    value
        .as_str()
        .and_then(|text| text.parse::<i64>().ok())
        .map(Value::from)
        .ok_or_else(|| Error::decode(format!("property {name} is no {INT64}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use serde::Deserialize;
    use serde_json::json;

    fn sent(properties: Value) -> Value {
        serde_json::from_str(&encode("p", "r", &properties).unwrap()).unwrap()
    }

    #[test]
    fn properties_travel_beside_the_keys_and_large_integers_as_int64() {
        let properties =
            json!({"a": "x", "b": true, "c": 7, "d": 5_000_000_000_i64, "e": 1.5, "f": null});
        assert_eq!(
            sent(properties),
            json!({
                "PartitionKey": "p", "RowKey": "r", "a": "x", "b": true, "c": 7,
                "d": "5000000000", "d@odata.type": "Edm.Int64", "e": 1.5
            })
        );
    }

    #[test]
    fn a_type_given_by_the_caller_is_passed_on() {
        let properties = json!({"at": "2026-11-20T00:00:00Z", "at@odata.type": "Edm.DateTime"});
        assert_eq!(sent(properties)["at@odata.type"], "Edm.DateTime");
    }

    #[test]
    fn what_the_service_cannot_hold_is_refused_before_sending() {
        for bad in [
            json!(7),
            json!({"a": [1]}),
            json!({"a": {"b": 1}}),
            json!({"a-b": 1}),
            json!({"": 1}),
            json!({"1a": 1}),
            json!({"RowKey": "x"}),
            json!({"Timestamp": "x"}),
            json!({"a": u64::MAX}),
            json!({"a@odata.type": "System.String"}),
            json!({"a": "x".repeat(32 * 1024 + 1)}),
        ] {
            assert_eq!(encode("p", "r", &bad).unwrap_err().kind(), ErrorKind::Limit, "{bad}");
        }
        assert_eq!(encode("a/b", "r", &json!({})).unwrap_err().kind(), ErrorKind::Limit);
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Order {
        state: String,
        due: i64,
        #[serde(default)]
        note: Option<String>,
    }

    /// In the shape in which the service answers under `odata=minimalmetadata`.
    fn answered() -> Value {
        json!({
            "odata.metadata": "https://acc.table.core.windows.net/$metadata#orders/@Element",
            "odata.etag": "W/\"datetime'2021-10-18T20%3A22%3A00.7019109Z'\"",
            "PartitionKey": "p", "RowKey": "r", "Timestamp": "2021-10-18T20:22:00.7019109Z",
            "state": "new", "due@odata.type": "Edm.Int64", "due": "5000000000", "note": null
        })
    }

    #[test]
    fn an_answer_becomes_keys_etag_and_properties() {
        let entity: Entity<Order> = decode(answered()).unwrap();
        assert_eq!((entity.partition_key.as_str(), entity.row_key.as_str()), ("p", "r"));
        assert_eq!(entity.etag.as_ref(), "W/\"datetime'2021-10-18T20%3A22%3A00.7019109Z'\"");
        assert_eq!(
            entity.properties,
            Order { state: "new".to_owned(), due: 5_000_000_000, note: None }
        );
    }

    #[test]
    fn an_entity_without_version_or_of_another_shape_is_a_decode_error() {
        for (name, value) in [
            ("odata.etag", Value::Null),
            ("due", json!("soon")),
            ("state", json!(1)),
            ("RowKey", json!(1)),
        ] {
            let mut answer = answered();
            answer[name] = value;
            assert_eq!(decode::<Order>(answer).unwrap_err().kind(), ErrorKind::Decode, "{name}");
        }
    }
}
