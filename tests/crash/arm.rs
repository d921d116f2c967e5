//! A bad network before Resource Manager, while a standalone server updates container groups.

use crate::alone::Alone;
use crate::faults::{arrive, failures, share};
use crate::hook::Hook;
use crate::progress;
use crate::proxy::{Fault, Proxy, Upstream};
use azure_fake::{Fake, How, samples};
use std::sync::Arc;

/// Each has a container group.
const REPOSITORIES: u64 = 8;
const REGISTRY: &str = "myregistry.azurecr.io";

/// The pushes of one repository have times in their order.
fn hook(number: u64) -> Hook {
    let hook = Hook::new(number, &format!("v{number}"), number);
    Hook { repository: format!("team/app{}", number % REPOSITORIES), ..hook }
}

fn sink(number: u64) -> String {
    format!(
        "[[sink]]\nname = \"app{number}\"\ntype = \"aci-update\"\ncontainer_group = \"app{number}\"\n\
         repositories = [\"team/app{number}\"]\nwatch = \"0s\"\n"
    )
}

/// A server whose way to Resource Manager leads through a proxy.
async fn deploying(fake: &Fake) -> (Alone, Proxy) {
    let retries = ["1s"; 60].join(",");
    let home = Alone::new(&[
        ("WebhookTimeout", "1h"),
        ("FANIN_RETRY", &retries),
        ("FANIN_SINK_TIMEOUT", "4s"),
        ("FANIN_REGISTRIES", REGISTRY),
        ("FANIN_REPOSITORIES", "team/*"),
        ("AZURE_SUBSCRIPTION_ID", azure_fake::SUBSCRIPTION),
        ("RESOURCE_GROUP_NAME", azure_fake::RESOURCE_GROUP),
    ])
    .await;
    let arm = fake.arm_url().trim_start_matches("http://").parse().unwrap();
    let proxy = Proxy::start(Arc::clone(&home.wire), "arm", Upstream::Service(arm)).await.unwrap();
    fake.is_reached_at(format!("http://{}", proxy.address));
    for (name, value) in fake.environment() {
        home.set(name, &value);
    }
    home.write("fanin.toml", &(0..REPOSITORIES).map(sink).collect::<String>());
    for number in 0..REPOSITORIES {
        let image = format!("{REGISTRY}/team/app{number}:v0");
        fake.place(samples::group(&format!("app{number}"), &image));
    }
    home.restart().await;
    (home, proxy)
}

/// Two of three requests meet the fault, until as many steps have failed as there are groups; each group has to run
/// its newest image, and each update was written once.
pub(crate) async fn arm(fault: Fault, pushes: u64) {
    let fake = Fake::start().await;
    let (home, _proxy) = deploying(&fake).await;
    let hooks: Vec<Hook> = (1..=pushes).map(hook).collect();
    home.wire.trouble("arm", fault, share(fault));
    arrive(&home, &hooks, "northeurope").await;
    arrive(&home, &hooks, "westeurope").await;
    let groups = pushes.min(REPOSITORIES);
    failures(&home, groups.try_into().unwrap()).await;
    home.wire.heal();
    home.settle().await;
    let seen = home.observe().await;
    seen.assert_nothing_is_lost();
    seen.assert_decided_well();
    seen.assert_told("slack", &home.slack);
    let mut written = 0;
    for number in 0..groups {
        let group = format!("app{number}");
        let newest = hooks.iter().rev().find(|hook| hook.repository == format!("team/{group}"));
        let newest = newest.unwrap();
        let history = fake.history(&group);
        let puts: Vec<_> = history.iter().filter(|change| change.how == How::Put).collect();
        let image = format!("{REGISTRY}/{}@{}", newest.repository, newest.digest());
        assert_eq!(puts.last().unwrap().images, [image], "{puts:#?}\n{}", home.logs.last());
        let mut images: Vec<_> = puts.iter().map(|put| &put.images).collect();
        images.sort();
        images.dedup();
        assert_eq!(images.len(), puts.len(), "an image was written twice: {puts:#?}");
        assert_eq!(fake.group(&group).overlaps(), 0);
        written += puts.len();
    }
    assert_eq!(home.wire.lives(), 1, "the server has died\n{}", home.logs.last());
    home.logs.assert_clean();
    let met = home.wire.faults_met("arm");
    progress(&format!("arm {fault:?}: {met} faults, {written} updates written, none twice"));
}
