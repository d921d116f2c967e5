//! All that the fake knows.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::clock::Clock;
use crate::faults::Planned;
use crate::groups::Groups;
use crate::tokens::Tokens;

/// The one application that Entra knows.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) tenant_id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) federated_token: String,
}

/// A request to ARM, as tests may look at it. `status` is none where no answer went out.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub api_version: Option<String>,
    /// `Bearer token 3`: which of the tokens, counted in the order in which they were given out.
    pub authorization: Option<String>,
    pub body: Option<Value>,
    pub status: Option<u16>,
}

#[derive(Debug)]
pub(crate) struct State {
    /// Where ARM is, without a slash at the end.
    pub(crate) arm_url: String,
    pub(crate) app: App,
    /// The client ids of the user-assigned identities.
    pub(crate) identities: Vec<String>,
    pub(crate) system_identity: Option<String>,
    pub(crate) identity_header: String,
    pub(crate) tokens: Tokens,
    pub(crate) token_lifetime_s: u32,
    pub(crate) sign_ins: usize,
    pub(crate) clock: Clock,
    /// Actions that nobody may take, in lower case.
    pub(crate) denied: BTreeSet<String>,
    pub(crate) arm_faults: Vec<Planned>,
    pub(crate) sign_in_faults: Vec<Planned>,
    pub(crate) requests: Vec<Seen>,
    pub(crate) groups: Groups,
}
