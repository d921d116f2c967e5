//! The tests' own Azure, as far as acr-fanin speaks to it: Azure Resource Manager with container groups, Entra ID,
//! and the endpoints of managed identities.
//!
//! It behaves like the real ones, traps included: GET hides secrets, and a PUT of what GET returned loses them; every
//! PUT starts all containers anew; operations take their time and are followed in five ways; groups that are over or
//! busy refuse updates; an image may be missing in a replica; the address may change. Wherever the real one takes
//! time, the fake takes a number of requests, so that no test has to wait.
//!
//! It listens on loopback ports of its own, so the program itself can be started against it.
//!
//! ```no_run
//! # async fn example() {
//! use azure_fake::{Behaviour, Fake, Follow, Operations, samples};
//!
//! let fake = Fake::start().await;
//! fake.place(samples::group("web", "contoso.azurecr.io/shop/web@sha256:old"));
//! fake.operations(Operations::by(Follow::Location).polls(2));
//! fake.image_behaves("sha256:bad", Behaviour::exits(1, 0).logs("no such table"));
//! // Let the program deploy, with the settings of fake.environment(); then look at what it did.
//! assert_eq!(fake.group("web").history().len(), 2);
//! assert_eq!(fake.group("web").overlaps(), 0);
//! # }
//! ```
//!
//! Where the texts or codes of the real errors are not known, the fake's are its own; the statuses are what Azure
//! documents.

mod arm;
mod arm_error;
mod audience;
mod clock;
mod entra;
mod fake;
mod faults;
mod groups;
mod handle;
mod http;
mod identity;
pub mod samples;
mod server;
mod state;
mod tokens;
mod world;

pub use fake::Fake;
pub use faults::Fault;
pub use groups::{Behaviour, Change, Follow, How, Operations};
pub use handle::GroupHandle;
pub use http::Answer;
pub use state::Seen;

/// The tenant of [`CLIENT_ID`].
pub const TENANT_ID: &str = "7e4a47aa-0000-4000-8000-000000000001";
/// The application that may sign in with [`CLIENT_SECRET`] or [`FEDERATED_TOKEN`].
pub const CLIENT_ID: &str = "c11e4700-0000-4000-8000-000000000002";
pub const CLIENT_SECRET: &str = "client-secret-canary";
pub const FEDERATED_TOKEN: &str = "federated-token-canary";
/// The client id of the managed identity that is assigned by name.
pub const USER_IDENTITY: &str = "1de47171-0000-4000-8000-000000000003";
/// The client id of the managed identity that answers where nobody is named.
pub const SYSTEM_IDENTITY: &str = "1de47171-0000-4000-8000-000000000004";
/// Where container groups are that are called by their name alone.
pub const SUBSCRIPTION: &str = "5b5c41b7-0000-4000-8000-000000000005";
pub const RESOURCE_GROUP: &str = "rg-tests";
