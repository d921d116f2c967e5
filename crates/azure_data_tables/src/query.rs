//! Reading many entities: filters, pages and what continues them.

use crate::{Entity, Error, answer::Answer, entity, limits};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// A filter by keys. Filters on other properties read the whole table, so none are made here.
///
/// ```
/// use azure_data_tables::Filter;
///
/// let due = Filter::partition("shop'1").rows_from("a").rows_before("b");
/// assert_eq!(due.as_str(), "PartitionKey eq 'shop''1' and RowKey ge 'a' and RowKey lt 'b'");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(String);

impl Filter {
    /// The entities of one partition.
    pub fn partition(key: &str) -> Self {
        Self(format!("PartitionKey eq {}", literal(key)))
    }

    /// And of these, those whose RowKey is `row` or follows it.
    #[must_use]
    pub fn rows_from(self, row: &str) -> Self {
        Self(format!("{} and RowKey ge {}", self.0, literal(row)))
    }

    /// And of these, those whose RowKey comes before `row`.
    #[must_use]
    pub fn rows_before(self, row: &str) -> Self {
        Self(format!("{} and RowKey lt {}", self.0, literal(row)))
    }

    /// An OData expression of the caller's own, who has to quote what is in it.
    pub fn expression(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The filter as OData.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A string literal of OData: a quote is doubled.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Which entities a query returns, and how many.
#[derive(Clone, Debug, Default)]
pub struct QueryOptions {
    /// All entities of the table unless set.
    pub filter: Option<Filter>,
    /// At most so many in one page, 1 to 1,000; 1,000 unless set.
    pub top: Option<u32>,
    /// Only these properties, beside the keys; all unless set.
    pub select: Option<Vec<String>>,
    /// Where an earlier page ended.
    pub continuation: Option<Continuation>,
}

impl QueryOptions {
    /// The query of the URL.
    pub(crate) fn pairs(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let mut pairs = Vec::new();
        if let Some(filter) = &self.filter {
            pairs.push(("$filter", filter.0.clone()));
        }
        if let Some(top) = self.top {
            if !(1..=limits::PAGE_ENTITIES).contains(&top) {
                return Err(Error::limit("a page has 1 to 1000 entities"));
            }
            pairs.push(("$top", top.to_string()));
        }
        if let Some(names) = &self.select {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            pairs.push(select(&names)?);
        }
        if let Some(Continuation { partition, row }) = &self.continuation {
            pairs.push(("NextPartitionKey", partition.clone()));
            pairs.extend(row.clone().map(|row| ("NextRowKey", row)));
        }
        Ok(pairs)
    }
}

/// The `$select` of an URL. Keys and Timestamp always come along: an entity is nothing without
/// them.
pub(crate) fn select(names: &[&str]) -> Result<(&'static str, String), Error> {
    for name in names {
        limits::property_name(name)?;
    }
    let own = names.iter().copied().filter(|name| !limits::SYSTEM.contains(name));
    Ok(("$select", limits::SYSTEM.into_iter().chain(own).collect::<Vec<_>>().join(",")))
}

/// Where a query goes on. Opaque: tokens are the service's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    partition: String,
    row: Option<String>,
}

/// One page of entities, by PartitionKey and RowKey ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The entities. May be none although there are more.
    pub items: Vec<Entity<T>>,
    /// There may be more: query again from here.
    pub next: Option<Continuation>,
}

#[derive(Deserialize)]
struct Body {
    value: Vec<Value>,
}

impl<T: DeserializeOwned> Page<T> {
    pub(crate) fn read(answer: &Answer) -> Result<Self, Error> {
        let body: Body = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::decode(format!("a page is no list of entities: {error}")))?;
        let items = body.value.into_iter().map(entity::decode).collect::<Result<_, _>>()?;
        let header = |name| answer.header(name).map(str::to_owned);
        let next = header("x-ms-continuation-nextpartitionkey").map(|partition| Continuation {
            partition,
            row: header("x-ms-continuation-nextrowkey"),
        });
        Ok(Self { items, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn page(headers: &[(&str, &str)], body: &str) -> Result<Page<Value>, Error> {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Page::read(&Answer { status: 200, headers, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn a_quote_in_a_key_cannot_end_the_literal() {
        let filter = Filter::partition("x' or RowKey ne '").rows_before("'");
        assert_eq!(filter.as_str(), "PartitionKey eq 'x'' or RowKey ne ''' and RowKey lt ''''");
    }

    #[test]
    fn a_selection_always_has_the_keys_and_only_names() {
        assert_eq!(select(&["a", "RowKey"]).unwrap().1, "PartitionKey,RowKey,Timestamp,a");
        assert_eq!(select(&["a,b"]).unwrap_err().kind(), ErrorKind::Limit);
    }

    #[test]
    fn a_page_of_none_or_too_many_is_refused() {
        for top in [0, 1001] {
            let options = QueryOptions { top: Some(top), ..QueryOptions::default() };
            assert_eq!(options.pairs().unwrap_err().kind(), ErrorKind::Limit);
        }
    }

    #[test]
    fn an_empty_page_may_go_on_and_the_row_of_its_token_may_be_missing() {
        let page =
            page(&[("x-ms-continuation-nextpartitionkey", "1!8!cA--")], r#"{"value":[]}"#).unwrap();
        assert!(page.items.is_empty());
        let options = QueryOptions { continuation: page.next, ..QueryOptions::default() };
        assert_eq!(options.pairs().unwrap(), [("NextPartitionKey", "1!8!cA--".to_owned())]);
    }

    #[test]
    fn a_page_without_token_is_the_last() {
        let headers = [("x-ms-continuation-nextpartitionkey", "")];
        assert_eq!(page(&headers, r#"{"value":[]}"#).unwrap().next, None);
    }

    #[test]
    fn a_page_that_is_none_is_a_decode_error() {
        for body in ["", "[]", r#"{"value":[7]}"#, r#"{"value":[{}]}"#] {
            assert_eq!(page(&[], body).unwrap_err().kind(), ErrorKind::Decode, "{body}");
        }
    }
}
