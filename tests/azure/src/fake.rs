//! The fake as tests hold it.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::arm_error::ArmError;
use crate::clock::Clock;
use crate::faults::{Fault, Planned};
use crate::groups::{Behaviour, Change, GroupId, Groups, Operations, Whom};
use crate::handle::GroupHandle;
use crate::identity::APP_SERVICE;
use crate::server::serve;
use crate::state::{App, Seen, State};
use crate::tokens::Tokens;
use crate::world::{Service, World};
use crate::{
    CLIENT_ID, CLIENT_SECRET, FEDERATED_TOKEN, RESOURCE_GROUP, SUBSCRIPTION, SYSTEM_IDENTITY,
    TENANT_ID, USER_IDENTITY,
};

/// A running Azure. Dropping it ends it and breaks off its connections.
#[derive(Debug)]
pub struct Fake {
    world: Arc<World>,
    authority_url: String,
    identity_url: String,
    _servers: JoinSet<()>,
}

impl Fake {
    /// Starts one on free loopback ports. It has the resource group [`RESOURCE_GROUP`] with nothing in it.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Self {
        let (arm, arm_url) = listen().await;
        let (authority, authority_url) = listen().await;
        let (identity, identity_url) = listen().await;
        let world = Arc::new(World::new(state(arm_url)));
        let mut servers = JoinSet::new();
        let services =
            [(arm, Service::Arm), (authority, Service::Authority), (identity, Service::Identity)];
        for (listener, service) in services {
            servers.spawn(serve(listener, service, Arc::clone(&world)));
        }
        let fake = Self { world, authority_url, identity_url, _servers: servers };
        fake.add_resource_group(SUBSCRIPTION, RESOURCE_GROUP);
        fake
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.world.lock()
    }

    /// Azure Resource Manager: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn arm_url(&self) -> String {
        self.state().arm_url.clone()
    }

    /// Entra ID: `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn authority_url(&self) -> String {
        self.authority_url.clone()
    }

    /// What `IDENTITY_ENDPOINT` is under App Service and Functions.
    #[must_use]
    pub fn identity_endpoint(&self) -> String {
        format!("{}{APP_SERVICE}", self.identity_url)
    }

    /// What `IDENTITY_HEADER` is there.
    #[must_use]
    pub fn identity_header(&self) -> String {
        self.state().identity_header.clone()
    }

    /// What stands in for `http://169.254.169.254`, the metadata service of virtual machines.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        self.identity_url.clone()
    }

    /// The settings of a program that uses this Azure with a client secret.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.endpoints();
        environment.extend([
            ("AZURE_TENANT_ID", TENANT_ID.to_owned()),
            ("AZURE_CLIENT_ID", CLIENT_ID.to_owned()),
            ("AZURE_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ]);
        environment
    }

    /// The settings of a program that uses this Azure with the managed identity of a Functions app.
    #[must_use]
    pub fn managed_environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.endpoints();
        environment.extend([
            ("IDENTITY_ENDPOINT", self.identity_endpoint()),
            ("IDENTITY_HEADER", self.identity_header()),
        ]);
        environment
    }

    fn endpoints(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_RESOURCE_MANAGER_ENDPOINT", self.arm_url()),
            ("AZURE_AUTHORITY_HOST", self.authority_url()),
        ]
    }

    /// Somebody stands before ARM: tokens are for this address from now on, and operations are asked for there.
    pub fn is_reached_at(&self, url: String) {
        self.state().arm_url = url;
    }

    /// A token for ARM without signing in, for tests that speak to ARM themselves.
    #[must_use]
    pub fn token(&self) -> String {
        let state = &mut *self.state();
        state.tokens.issue(&state.arm_url)
    }

    /// Makes all tokens that were given out invalid: ARM answers 401 until the caller has a new one.
    pub fn expire_tokens(&self) {
        self.state().tokens.expire();
    }

    /// How long tokens are said to be good for; an hour unless this is called. They end by
    /// [`expire_tokens`](Self::expire_tokens) alone.
    pub fn token_lifetime_s(&self, seconds: u32) {
        self.state().token_lifetime_s = seconds;
    }

    /// How many tokens were asked for, of Entra and of the managed identity.
    #[must_use]
    pub fn sign_ins(&self) -> usize {
        self.state().sign_ins
    }

    /// From now on Entra takes this assertion only, as when Kubernetes has written the file anew.
    pub fn rotate_federated_token(&self, token: &str) {
        self.state().app.federated_token = token.to_owned();
    }

    /// From now on there is no managed identity but the named one.
    pub fn remove_system_identity(&self) {
        self.state().system_identity = None;
    }

    /// Takes the right to an action from everybody, such as `Microsoft.ContainerInstance/containerGroups/write`.
    pub fn deny(&self, action: &str) {
        self.state().denied.insert(action.to_ascii_lowercase());
    }

    /// Gives back the right to an action.
    pub fn allow(&self, action: &str) {
        self.state().denied.remove(&action.to_ascii_lowercase());
    }

    /// The next request to ARM with this method and this part of a path meets a fault; an empty one fits all.
    /// Faults wait side by side, each for one request.
    pub fn next(&self, method: &str, part_of_path: &str, fault: Fault) {
        self.state().arm_faults.push(Planned::new(method, part_of_path, fault));
    }

    /// The next request for a token meets a fault.
    pub fn next_sign_in(&self, fault: Fault) {
        self.state().sign_in_faults.push(Planned::new("", "", fault));
    }

    /// The next requests to ARM are answered 429.
    pub fn throttle(&self, times: usize, retry_after_s: u32) {
        for _ in 0..times {
            self.next("", "", Fault::Throttled { retry_after_s });
        }
    }

    /// All requests to ARM so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.state().requests.clone()
    }

    /// Waits until a condition holds, which is looked at again after every request to ARM.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut requests = self.world.watch();
        while !holds(self) {
            // The sender lives as long as the world.
            let _ = requests.changed().await;
        }
    }

    /// Adds a resource group.
    pub fn add_resource_group(&self, subscription: &str, name: &str) {
        self.state().groups.add_resource_group(&GroupId::new(subscription, name, ""));
    }

    /// Puts a container group in place that runs, without a request. Its `id` says where; without one it is in
    /// [`RESOURCE_GROUP`] under its `name`.
    ///
    /// # Panics
    /// When it is no document that ARM would take.
    pub fn place(&self, group: Value) -> GroupHandle<'_> {
        let name = group["id"].as_str().or_else(|| group["name"].as_str()).unwrap_or_default();
        let handle = self.group(name);
        handle.place(group);
        handle
    }

    /// A container group by its whole id, or by its name if it is in [`RESOURCE_GROUP`]. It need not be there yet.
    #[must_use]
    pub fn group(&self, name: &str) -> GroupHandle<'_> {
        let default = || GroupId::new(SUBSCRIPTION, RESOURCE_GROUP, name);
        GroupHandle::new(self, GroupId::parse(name).unwrap_or_else(default))
    }

    /// The ids of all container groups.
    #[must_use]
    pub fn groups(&self) -> Vec<String> {
        self.state().groups.all.values().map(|group| group.id.to_string()).collect()
    }

    /// What has changed a group, in order; also after it is gone.
    #[must_use]
    pub fn history(&self, group: &str) -> Vec<Change> {
        self.group(group).history()
    }

    /// How operations go from now on, where their group says nothing else.
    pub fn operations(&self, operations: Operations) {
        self.state().groups.settings.operations = operations;
    }

    /// The next PUT that is accepted fails in the end with this, whatever else was said of operations.
    pub fn next_update_fails(&self, code: &str, message: &str) {
        let failure = ArmError::bad_request(code, message);
        self.state().groups.settings.failures.push_back(failure);
    }

    /// From now on a DELETE is an operation, too. Otherwise the group is gone with the answer.
    pub fn deletes_take_time(&self) {
        self.state().groups.settings.deletes_take_time = true;
    }

    /// How containers fare from their next start on, where nothing said later fits them. Those that prepare a group
    /// end well unless something is said of their image or name.
    pub fn containers_behave(&self, behaviour: Behaviour) {
        self.state().groups.settings.behaviours.push((Whom::All, behaviour));
    }

    /// How containers fare whose image contains this text, from their next start on.
    pub fn image_behaves(&self, part_of_image: &str, behaviour: Behaviour) {
        let whom = Whom::Image(part_of_image.to_owned());
        self.state().groups.settings.behaviours.push((whom, behaviour));
    }

    /// The image cannot be pulled for so many PUTs, as when the replica does not have it yet.
    pub fn image_missing(&self, image: &str, times: u32) {
        self.state().groups.settings.miss(image, times);
    }

    /// How many container groups there may be.
    pub fn quota(&self, groups: usize) {
        self.state().groups.settings.groups_max = Some(groups);
    }

    /// A location has no room for so many PUTs.
    pub fn no_room(&self, location: &str, times: u32) {
        self.state().groups.settings.fill(location, times);
    }

    /// From now on every update gives its group another address. The DNS name stays.
    pub fn change_ip_on_update(&self) {
        self.state().groups.settings.ip_changes = true;
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
    let address = listener.local_addr().expect("a listener has an address");
    (listener, format!("http://{address}"))
}

fn state(arm_url: String) -> State {
    let [tenant_id, client_id, client_secret, federated_token] =
        [TENANT_ID, CLIENT_ID, CLIENT_SECRET, FEDERATED_TOKEN].map(str::to_owned);
    State {
        arm_url,
        app: App { tenant_id, client_id, client_secret, federated_token },
        identities: vec![USER_IDENTITY.to_owned(), SYSTEM_IDENTITY.to_owned()],
        system_identity: Some(SYSTEM_IDENTITY.to_owned()),
        identity_header: Uuid::new_v4().to_string(),
        tokens: Tokens::default(),
        token_lifetime_s: 3599,
        sign_ins: 0,
        clock: Clock::new(),
        denied: BTreeSet::new(),
        arm_faults: Vec::new(),
        sign_in_faults: Vec::new(),
        requests: Vec::new(),
        groups: Groups::default(),
    }
}
