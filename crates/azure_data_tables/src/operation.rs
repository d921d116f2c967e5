//! One write, alone or as part of a transaction.

use crate::{endpoint::Endpoint, entity, error::Error, limits};
use azure_core::http::{Etag, Method, Url};
use serde::Serialize;

/// Which version of an entity a write is for.
#[derive(Clone, Debug, PartialEq)]
pub enum IfMatch {
    /// Any version, but the entity must exist.
    Any,
    /// Exactly this version.
    Tag(Etag),
}

impl From<Etag> for IfMatch {
    fn from(etag: Etag) -> Self {
        Self::Tag(etag)
    }
}

impl IfMatch {
    /// The header's value. An empty or bent one would turn a guarded write into an unguarded one.
    fn header(&self) -> Result<String, Error> {
        let tag = match self {
            Self::Any => return Ok("*".to_owned()),
            Self::Tag(etag) => etag.as_ref(),
        };
        if is_etag(tag) {
            return Ok(tag.to_owned());
        }
        Err(Error::limit("an ETag has the form W/\"…\" and is taken from an earlier answer"))
    }
}

/// An entity tag of RFC 9110, section 8.8.3.
pub(crate) fn is_etag(tag: &str) -> bool {
    tag.strip_prefix("W/")
        .unwrap_or(tag)
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .is_some_and(|inner| inner.chars().all(|c| c.is_ascii_graphic() && c != '"'))
}

/// A write, checked and ready to send.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) row_key: String,
    pub(crate) if_match: Option<String>,
    pub(crate) body: Option<String>,
}

impl Operation {
    pub(crate) fn insert<T: Serialize + ?Sized>(
        pk: &str,
        rk: &str,
        properties: &T,
    ) -> Result<Self, Error> {
        Self::write(Method::Post, pk, rk, properties, None)
    }

    pub(crate) fn replace<T: Serialize + ?Sized>(
        pk: &str,
        rk: &str,
        properties: &T,
        if_match: &IfMatch,
    ) -> Result<Self, Error> {
        Self::write(Method::Put, pk, rk, properties, Some(if_match))
    }

    pub(crate) fn upsert<T: Serialize + ?Sized>(
        pk: &str,
        rk: &str,
        properties: &T,
    ) -> Result<Self, Error> {
        Self::write(Method::Put, pk, rk, properties, None)
    }

    pub(crate) fn merge<T: Serialize + ?Sized>(
        pk: &str,
        rk: &str,
        properties: &T,
        if_match: &IfMatch,
    ) -> Result<Self, Error> {
        Self::write(Method::Patch, pk, rk, properties, Some(if_match))
    }

    pub(crate) fn upsert_merge<T: Serialize + ?Sized>(
        pk: &str,
        rk: &str,
        properties: &T,
    ) -> Result<Self, Error> {
        Self::write(Method::Patch, pk, rk, properties, None)
    }

    pub(crate) fn delete(pk: &str, rk: &str, if_match: &IfMatch) -> Result<Self, Error> {
        limits::key("PartitionKey", pk)?;
        limits::key("RowKey", rk)?;
        Ok(Self {
            method: Method::Delete,
            row_key: rk.to_owned(),
            if_match: Some(if_match.header()?),
            body: None,
        })
    }

    /// The service tells an update from an upsert by the `If-Match` header alone.
    fn write<T: Serialize + ?Sized>(
        method: Method,
        pk: &str,
        rk: &str,
        properties: &T,
        if_match: Option<&IfMatch>,
    ) -> Result<Self, Error> {
        Ok(Self {
            method,
            row_key: rk.to_owned(),
            if_match: if_match.map(IfMatch::header).transpose()?,
            body: Some(entity::encode(pk, rk, properties)?),
        })
    }

    pub(crate) fn url(&self, endpoint: &Endpoint, partition_key: &str) -> Url {
        match self.method {
            Method::Post => endpoint.table(),
            _ => endpoint.entity(partition_key, &self.row_key),
        }
    }

    /// Whether a success leaves an entity, and so must name its version.
    pub(crate) fn leaves_entity(&self) -> bool {
        self.method != Method::Delete
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use serde_json::json;

    #[test]
    fn only_a_guarded_write_carries_if_match() {
        let tag = IfMatch::Tag(Etag::from("W/\"datetime'2021'\""));
        let data = json!({});
        let header = |operation: Result<Operation, Error>| operation.unwrap().if_match;
        assert_eq!(header(Operation::insert("p", "r", &data)), None);
        assert_eq!(header(Operation::upsert("p", "r", &data)), None);
        assert_eq!(header(Operation::upsert_merge("p", "r", &data)), None);
        for guarded in [
            Operation::replace("p", "r", &data, &tag),
            Operation::merge("p", "r", &data, &tag),
            Operation::delete("p", "r", &tag),
        ] {
            assert_eq!(header(guarded).as_deref(), Some("W/\"datetime'2021'\""));
        }
        assert_eq!(header(Operation::delete("p", "r", &IfMatch::Any)).as_deref(), Some("*"));
    }

    #[test]
    fn an_etag_that_is_none_never_weakens_a_guard() {
        for bad in ["", "*", "abc", "W/", "\"", "W/\"a\"\r\nX: y\"", "W/\"a\nb\"", "W/\"a\"b\""] {
            let refused = Operation::delete("p", "r", &IfMatch::Tag(Etag::from(bad)));
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Limit, "{bad:?}");
        }
    }
}
