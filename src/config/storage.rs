//! Where the state is kept under Functions: `AzureWebJobsStorage`, in the two forms that the host knows.

use super::identity::Identity;
use super::problems::Wrong;
use super::reader::Reader;
use super::values::{self, said};
use crate::secret::Secret;
use azure_data_tables::ConnectionString;
use std::collections::BTreeMap;
use url::Url;

const SETTING: &str = "AzureWebJobsStorage";
const ACCOUNT: &str = "AzureWebJobsStorage__accountName";
const TABLE_URI: &str = "AzureWebJobsStorage__tableServiceUri";
const CREDENTIAL: &str = "AzureWebJobsStorage__credential";
const CLIENT_ID: &str = "AzureWebJobsStorage__clientId";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// One that the table client can read.
    ConnectionString(Secret),
    Identity {
        table_endpoint: Url,
        identity: Identity,
    },
}

/// Is anything said about storage? Then the home is Functions.
pub(super) fn is_mentioned(env: &BTreeMap<String, String>) -> bool {
    let mut set = env.iter().filter(|(_, value)| !value.is_empty());
    set.any(|(name, _)| {
        name.strip_prefix(SETTING).is_some_and(|rest| rest.is_empty() || rest.starts_with("__"))
    })
}

/// `ours` is who we are where the setting does not say otherwise.
pub(super) fn read(reader: &mut Reader<'_>, ours: &Identity) -> Option<Storage> {
    let whole = reader.read(SETTING, connection_string);
    let identity = by_identity(reader, ours);
    if reader.is_set(SETTING) {
        for part in [ACCOUNT, TABLE_URI] {
            if reader.is_set(part) {
                reader
                    .problems
                    .add(part, format_args!("{SETTING} is set, too; remove one of them"));
            }
        }
        return whole;
    }
    identity
}

fn by_identity(reader: &mut Reader<'_>, ours: &Identity) -> Option<Storage> {
    let account = reader.read(ACCOUNT, account_endpoint);
    let endpoint = reader.read(TABLE_URI, token_endpoint);
    let managed =
        reader.read(CREDENTIAL, |text| values::one_of(text, &[("managedidentity", true)]));
    let client_id = reader.read(CLIENT_ID, values::azure_name);
    for (part, instead) in [
        ("AzureWebJobsStorage__managedIdentityResourceId", CLIENT_ID),
        (
            "AzureWebJobsStorage__clientSecret",
            "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
        ),
        ("AzureWebJobsStorage__connectionString", SETTING),
    ] {
        if reader.is_set(part) {
            reader.problems.add(part, format_args!("is not read by acr-fanin; use {instead}"));
        }
    }
    let identity = match (managed, client_id) {
        (None, None) => ours.clone(),
        (_, client_id) => Identity::Managed { client_id },
    };
    Some(Storage::Identity { table_endpoint: endpoint.or(account)?, identity })
}

/// Nothing at all about storage, under a host that cannot do without it.
pub(super) fn check_there(reader: &mut Reader<'_>) {
    if ![SETTING, ACCOUNT, TABLE_URI].into_iter().any(|name| reader.is_set(name)) {
        let advice =
            format_args!("is missing; write a connection string, or set {ACCOUNT} or {TABLE_URI}");
        reader.problems.add(SETTING, advice);
    }
}

fn account_endpoint(text: &str) -> Result<Url, Wrong> {
    let name = text.trim();
    let fits = (3..=24).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    match Url::parse(&format!("https://{name}.table.core.windows.net/")) {
        Ok(url) if fits => Ok(url),
        _ => said("is no name of a storage account: 3 to 24 lower-case letters and digits"),
    }
}

/// Tried with the table client's own reading, so that nothing passes here that fails there.
fn connection_string(text: &str) -> Result<Storage, Wrong> {
    let read = ConnectionString::parse(text).and_then(|read| read.table_endpoint());
    read.map(|_| Storage::ConnectionString(Secret::new(text))).map_err(|error| {
        let sentence = error.to_string();
        format!("is wrong: {}", sentence.strip_prefix("table storage: ").unwrap_or(&sentence))
    })
}

/// A token may not travel in the clear, not even to this machine.
fn token_endpoint(text: &str) -> Result<Url, Wrong> {
    let url = values::endpoint(text)?;
    if url.scheme() == "https" {
        Ok(url)
    } else {
        said("must be https, since an identity's token travels there")
    }
}
