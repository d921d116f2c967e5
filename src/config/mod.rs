//! config (placeholder until the room is furnished)
use crate::intake::Rules;
use crate::secret::*;
use fan_in::*;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;
#[derive(Clone, Debug)]
pub enum Storage {
    ConnectionString(Secret),
    Identity { table_endpoint: Url, identity: Identity },
}
#[derive(Clone, Debug)]
pub enum Identity {
    ClientSecret { tenant_id: String, client_id: String, secret: Secret },
    Workload { tenant_id: String, client_id: String, token_file: PathBuf },
    Managed { client_id: Option<String> },
}
#[derive(Clone, Debug)]
pub struct Config {
    pub policy: Policy,
    pub intake: Rules,
    pub storage: Option<Storage>,
    pub table: String,
    pub retention: Duration,
    pub retry: Retry,
    pub sink_timeout: Duration,
    pub read_token: Option<Secret>,
    pub sinks: Vec<()>,
}
