//! Addresses: where a table lives and how keys and filters become part of an URL.

use crate::{error::Error, limits};
use azure_core::http::Url;

/// Percent-encodes everything but the unreserved characters of RFC 3986: letters, digits and
/// `-._~`.
///
/// What is sent is also what is signed, so it must be a form that nobody on the way rewrites.
pub(crate) fn percent_encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
        .replace('*', "%2A")
        .replace("%7E", "~")
}

/// A string literal of OData, percent-encoded for an URL.
fn literal(text: &str) -> String {
    format!("'{}'", percent_encode(&text.replace('\'', "''")))
}

/// Accepts https anywhere and plain http on this machine only, and nothing that would carry a
/// secret.
///
/// `what` names the address in the error; its value is not repeated.
pub(crate) fn check(what: &str, url: &Url) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::config(format!("{what} {why}")));
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(url) => {}
        "http" => return refuse("is plain http, which is accepted for this machine only"),
        _ => return refuse("is neither https nor http"),
    }
    if url.host().is_none() {
        return refuse("names no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("carries a user or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("carries a query: give a shared access signature as the credential");
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// One table of one account.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    base: Url,
    table: String,
}

impl Endpoint {
    pub(crate) fn new(base: Url, table: &str) -> Result<Self, Error> {
        check("the table endpoint", &base)?;
        limits::table_name(table)?;
        Ok(Self { base, table: table.to_owned() })
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    pub(crate) fn table_name(&self) -> &str {
        &self.table
    }

    /// The list of tables, where new ones are created.
    pub(crate) fn tables(&self) -> Url {
        self.at("Tables")
    }

    /// The table, where entities are inserted.
    pub(crate) fn table(&self) -> Url {
        self.at(&self.table)
    }

    /// One entity.
    pub(crate) fn entity(&self, partition_key: &str, row_key: &str) -> Url {
        let keys = format!("PartitionKey={},RowKey={}", literal(partition_key), literal(row_key));
        self.at(&format!("{}({keys})", self.table))
    }

    /// The entities of the table, narrowed by `query`.
    pub(crate) fn entities(&self, query: &[(&str, String)]) -> Url {
        let mut url = self.at(&format!("{}()", self.table));
        set_query(&mut url, query);
        url
    }

    /// Where transactions are sent.
    pub(crate) fn batch(&self) -> Url {
        self.at("$batch")
    }

    fn at(&self, last: &str) -> Url {
        let mut url = self.base.clone();
        let root = self.base.path().trim_end_matches('/');
        url.set_path(&format!("{root}/{last}"));
        url
    }
}

/// Sets the query; names are ours, values are encoded. A space becomes `%20`, never `+`.
pub(crate) fn set_query(url: &mut Url, query: &[(&str, String)]) {
    let pairs: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    url.set_query((!pairs.is_empty()).then(|| pairs.join("&")).as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn endpoint(base: &str) -> Endpoint {
        Endpoint::new(Url::parse(base).unwrap(), "orders").unwrap()
    }

    #[test]
    fn keys_become_part_of_the_path_and_cannot_leave_it() {
        let endpoint = endpoint("https://acc.table.core.windows.net/");
        for (key, encoded) in [
            ("o'brien", "o%27%27brien"),
            ("a%b", "a%25b"),
            ("100%25", "100%2525"),
            ("ü x+y", "%C3%BC%20x%2By"),
            ("..", ".."),
            ("-._~*", "-._~%2A"),
            ("%7E", "%257E"),
            ("a?b#c", "a%3Fb%23c"),
        ] {
            assert_eq!(
                endpoint.entity(key, "1").as_str(),
                format!(
                    "https://acc.table.core.windows.net/orders(PartitionKey='{encoded}',RowKey='1')"
                )
            );
        }
    }

    #[test]
    fn an_emulator_keeps_its_account_in_the_path() {
        let endpoint = endpoint("http://127.0.0.1:10002/devstoreaccount1");
        assert_eq!(endpoint.tables().path(), "/devstoreaccount1/Tables");
        assert_eq!(endpoint.table().path(), "/devstoreaccount1/orders");
        assert_eq!(endpoint.batch().path(), "/devstoreaccount1/$batch");
    }

    #[test]
    fn a_query_is_encoded_without_plus_signs() {
        let query = [("$filter", "RowKey ge 'a+b'".to_owned()), ("$top", "5".to_owned())];
        assert_eq!(
            endpoint("https://h").entities(&query).as_str(),
            "https://h/orders()?$filter=RowKey%20ge%20%27a%2Bb%27&$top=5"
        );
        assert_eq!(endpoint("https://h").entities(&[]).as_str(), "https://h/orders()");
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in ["https://h", "http://127.0.0.1:1/a", "http://[::1]:1", "http://localhost:1"] {
            assert_eq!(check("it", &Url::parse(good).unwrap()), Ok(()), "{good}");
        }
        for bad in [
            "http://acc.table.core.windows.net",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "https://user:pw@h",
            "https://h/?sig=topsecret",
        ] {
            let error = check("it", &Url::parse(bad).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{bad}");
            assert!(!error.to_string().contains("topsecret"));
        }
    }
}
