//! Who we are to Azure.

use super::reader::Reader;
use super::values;
use crate::secret::Secret;
use std::path::PathBuf;

const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    ClientSecret {
        tenant_id: String,
        client_id: String,
        secret: Secret,
    },
    Workload {
        tenant_id: String,
        client_id: String,
        token_file: PathBuf,
    },
    Managed {
        /// Of a user-assigned identity.
        client_id: Option<String>,
    },
}

/// The first that is there, in the order in which Azure's own libraries look: a client secret, a workload
/// identity, a managed identity.
pub(super) fn read(reader: &mut Reader<'_>) -> Identity {
    let tenant_id = reader.read(TENANT, values::azure_name);
    let client_id = reader.read(CLIENT, values::azure_name);
    let secret = reader.read(SECRET, values::token);
    let token_file = reader.read(TOKEN_FILE, values::any);
    for name in [TENANT, CLIENT] {
        if reader.is_set(SECRET) && !reader.is_set(name) {
            reader
                .problems
                .add(name, format_args!("is missing; {SECRET} means nothing without it"));
        }
    }
    match (tenant_id, client_id, secret, token_file) {
        (Some(tenant_id), Some(client_id), Some(secret), _) => {
            Identity::ClientSecret { tenant_id, client_id, secret }
        }
        (Some(tenant_id), Some(client_id), None, Some(token_file)) => {
            Identity::Workload { tenant_id, client_id, token_file: token_file.into() }
        }
        (_, client_id, ..) => Identity::Managed { client_id },
    }
}
