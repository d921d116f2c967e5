//! Entity-group transactions: all of it or nothing, within one partition.

use crate::{IfMatch, error::Error, limits, operation::Operation};
use serde::Serialize;
use std::collections::HashSet;

/// Writes that the service makes all together or not at all.
///
/// One partition by construction; at most 100 operations and 4 MiB; each entity once.
/// <https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions>
///
/// ```
/// use azure_data_tables::{IfMatch, Transaction};
/// use serde_json::json;
///
/// # fn example() -> Result<(), azure_data_tables::Error> {
/// let mut transaction = Transaction::new("2026-11");
/// transaction.insert("1", &json!({"state": "new"}))?.delete("0", &IfMatch::Any)?;
/// assert_eq!(transaction.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Transaction {
    partition_key: String,
    rows: HashSet<String>,
    operations: Vec<Operation>,
}

impl Transaction {
    /// An empty transaction over one partition.
    pub fn new(partition_key: impl Into<String>) -> Self {
        Self { partition_key: partition_key.into(), rows: HashSet::new(), operations: Vec::new() }
    }

    /// Adds an insert: makes the transaction fail if the entity exists.
    ///
    /// # Errors
    /// `Limit` for the 101st operation, for an entity that is in the transaction already, and for
    /// everything that is refused for the same write alone.
    pub fn insert<T: Serialize + ?Sized>(
        &mut self,
        row_key: &str,
        properties: &T,
    ) -> Result<&mut Self, Error> {
        let operation = Operation::insert(&self.partition_key, row_key, properties)?;
        self.add(operation)
    }

    /// Adds a replacement of an entity of that version.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    pub fn replace<T: Serialize + ?Sized>(
        &mut self,
        row_key: &str,
        properties: &T,
        if_match: &IfMatch,
    ) -> Result<&mut Self, Error> {
        let operation = Operation::replace(&self.partition_key, row_key, properties, if_match)?;
        self.add(operation)
    }

    /// Adds a replacement, or an insert where there is no such entity.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    pub fn upsert<T: Serialize + ?Sized>(
        &mut self,
        row_key: &str,
        properties: &T,
    ) -> Result<&mut Self, Error> {
        let operation = Operation::upsert(&self.partition_key, row_key, properties)?;
        self.add(operation)
    }

    /// Adds a change of the given properties of an entity of that version.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    pub fn merge<T: Serialize + ?Sized>(
        &mut self,
        row_key: &str,
        properties: &T,
        if_match: &IfMatch,
    ) -> Result<&mut Self, Error> {
        let operation = Operation::merge(&self.partition_key, row_key, properties, if_match)?;
        self.add(operation)
    }

    /// Adds a change of the given properties, or an insert where there is no such entity.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    pub fn upsert_merge<T: Serialize + ?Sized>(
        &mut self,
        row_key: &str,
        properties: &T,
    ) -> Result<&mut Self, Error> {
        let operation = Operation::upsert_merge(&self.partition_key, row_key, properties)?;
        self.add(operation)
    }

    /// Adds the removal of an entity of that version.
    ///
    /// # Errors
    /// As [`Transaction::insert`].
    pub fn delete(&mut self, row_key: &str, if_match: &IfMatch) -> Result<&mut Self, Error> {
        let operation = Operation::delete(&self.partition_key, row_key, if_match)?;
        self.add(operation)
    }

    /// How many operations it has.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether it has no operation yet.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    pub(crate) fn partition_key(&self) -> &str {
        &self.partition_key
    }

    pub(crate) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    fn add(&mut self, operation: Operation) -> Result<&mut Self, Error> {
        if self.operations.len() == limits::TRANSACTION_OPERATIONS {
            return Err(Error::limit("a transaction has at most 100 operations"));
        }
        if !self.rows.insert(operation.row_key.clone()) {
            return Err(Error::limit("a transaction changes each entity only once"));
        }
        self.operations.push(operation);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use serde_json::json;

    #[test]
    fn the_101st_operation_is_refused() {
        let mut transaction = Transaction::new("p");
        for row in 0..100 {
            transaction.insert(&row.to_string(), &json!({})).unwrap();
        }
        assert_eq!(transaction.insert("x", &json!({})).unwrap_err().kind(), ErrorKind::Limit);
        assert_eq!(transaction.len(), 100);
    }

    #[test]
    fn an_entity_is_changed_only_once() {
        let mut transaction = Transaction::new("p");
        transaction.delete("r", &IfMatch::Any).unwrap();
        assert_eq!(transaction.insert("r", &json!({})).unwrap_err().kind(), ErrorKind::Limit);
        transaction.upsert("R", &json!({})).unwrap();
        assert_eq!(transaction.len(), 2);
    }

    #[test]
    fn a_key_that_cannot_be_is_refused_as_it_is_added() {
        assert!(Transaction::new("a/b").insert("r", &json!({})).is_err());
        assert!(Transaction::new("p").delete("a#b", &IfMatch::Any).is_err());
    }
}
