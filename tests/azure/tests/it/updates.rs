//! What a PUT does, and what it may not.

use crate::client::Arm;
use azure_fake::{Behaviour, Change, Fake, How, samples};
use serde_json::{Value, json};

const OLD: &str = "contoso.azurecr.io/shop/web@sha256:aaaa";
const NEW: &str = "contoso.azurecr.io/shop/web@sha256:bbbb";

fn started(body: &Value) -> Value {
    let container = &body["properties"]["containers"][0]["properties"];
    container["instanceView"]["currentState"]["startTime"].clone()
}

#[tokio::test]
async fn a_put_creates_and_the_next_one_updates() {
    let fake = Fake::start().await;
    let arm = Arm::new(&fake);
    let created = arm.put("web", &samples::group("web", OLD)).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.body["properties"]["provisioningState"], "Creating");
    assert_eq!(created.body["properties"]["instanceView"]["state"], "Pending");
    let body = arm.settled("web").await.body;
    assert_eq!(body["properties"]["instanceView"]["state"], "Running");
    assert_eq!(body["type"], "Microsoft.ContainerInstance/containerGroups");
    assert_eq!(body["properties"]["ipAddress"]["fqdn"], "web.westeurope.azurecontainer.io");

    let updated = arm.put("web", &samples::group("web", NEW)).await;
    assert_eq!(updated.status, 200);
    assert_eq!(updated.body["properties"]["provisioningState"], "Updating");
    let images: Vec<_> = fake.history("web").into_iter().map(|change| change.images).collect();
    assert_eq!(images, [[OLD], [NEW]]);
}

#[tokio::test]
async fn an_identical_put_starts_all_containers_anew() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", OLD));
    let arm = Arm::new(&fake);
    let before = arm.get("web").await.body;
    assert_eq!(group.starts(), 1);

    assert_eq!(arm.put("web", &samples::group("web", OLD)).await.status, 200);
    let after = arm.settled("web").await.body;
    assert_eq!(group.starts(), 2);
    assert!(started(&before).is_string());
    assert_ne!(started(&before), started(&after));
}

#[tokio::test]
async fn what_a_put_leaves_out_goes_back_to_its_default() {
    let fake = Fake::start().await;
    let mut group = samples::group("web", OLD);
    group["properties"]["dnsConfig"] = json!({ "nameServers": ["1.1.1.1"] });
    fake.place(group);
    let arm = Arm::new(&fake);

    let mut sparse = samples::group("web", NEW);
    sparse.as_object_mut().unwrap().remove("tags");
    sparse["properties"].as_object_mut().unwrap().remove("ipAddress");
    assert_eq!(arm.put("web", &sparse).await.status, 200);
    let body = arm.settled("web").await.body;
    assert_eq!(body["tags"], Value::Null);
    assert_eq!(body["properties"]["ipAddress"], Value::Null);
    assert_eq!(body["properties"]["dnsConfig"], Value::Null);
    assert_eq!(body["properties"]["restartPolicy"], "Always");
}

#[tokio::test]
async fn what_only_azure_writes_is_passed_over() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    let arm = Arm::new(&fake);
    let mut body = arm.get("web").await.body;
    body["properties"]["provisioningState"] = json!("Failed");
    body["properties"]["ipAddress"]["ip"] = json!("1.2.3.4");
    body["properties"]["instanceView"]["state"] = json!("Stopped");
    assert_eq!(arm.put("web", &body).await.status, 200);
    let after = arm.settled("web").await.body;
    assert_ne!(after["properties"]["ipAddress"]["ip"], "1.2.3.4");
    assert_eq!(after["properties"]["provisioningState"], "Succeeded");
    let truth = fake.group("web").truth();
    assert_eq!(truth["properties"]["instanceView"], Value::Null);
    assert_eq!(truth["properties"]["ipAddress"]["ip"], Value::Null);
}

#[tokio::test]
async fn what_a_group_keeps_for_its_life_cannot_be_changed() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", OLD));
    let arm = Arm::new(&fake);
    let requests = "/properties/containers/0/properties/resources/requests";
    let changes = [
        (
            "/properties/restartPolicy",
            json!("Never"),
            "RestartPolicy (old \"Always\", new \"Never\")",
        ),
        ("/properties/osType", json!("Windows"), "OSType"),
        (requests, json!({ "cpu": 2.0, "memoryInGB": 1.5 }), "Cpu (old 1.0, new 2.0)"),
        (requests, json!({ "cpu": 1.0, "memoryInGB": 3.5 }), "MemoryInGB"),
        (
            requests,
            json!({ "cpu": 1.0, "memoryInGB": 1.5, "gpu": { "count": 1, "sku": "V100" } }),
            "Gpu",
        ),
    ];
    for (pointer, value, named) in changes {
        let mut group = samples::group("web", NEW);
        *group.pointer_mut(pointer).unwrap() = value;
        let refused = arm.put("web", &group).await;
        assert_eq!((refused.status, refused.code()), (400, "InvalidContainerGroupUpdate"));
        assert!(refused.message().contains(named), "{}", refused.message());
    }
    for (place, member, value) in
        [("/properties", "subnetIds", json!([{ "id": "/subnet" }])), ("", "zones", json!(["1"]))]
    {
        let mut group = samples::group("web", NEW);
        group.pointer_mut(place).unwrap()[member] = value;
        assert_eq!(arm.put("web", &group).await.code(), "InvalidContainerGroupUpdate", "{member}");
    }
    let mut group = samples::group("web", NEW);
    group["location"] = json!("northeurope");
    assert_eq!(arm.put("web", &group).await.code(), "InvalidResourceLocation");
    group["location"] = json!("West Europe");
    assert_eq!(arm.put("web", &group).await.status, 200);
}

#[tokio::test]
async fn groups_that_are_over_refuse_updates_until_they_are_deleted() {
    let fake = Fake::start().await;
    fake.image_behaves(OLD, Behaviour::exits(0, 0));
    fake.place(samples::job("done", OLD));
    fake.place(samples::group("stopped", NEW)).stop();
    let arm = Arm::new(&fake);
    for (name, state, document) in [
        ("done", "Succeeded", samples::job("done", NEW)),
        ("stopped", "Stopped", samples::group("stopped", NEW)),
    ] {
        let body = arm.get(name).await.body;
        assert_eq!(body["properties"]["instanceView"]["state"], state);
        assert_eq!(body["properties"]["provisioningState"], "Succeeded");
        let refused = arm.put(name, &document).await;
        assert_eq!((refused.status, refused.code()), (400, "InvalidContainerGroupUpdate"));
        assert!(refused.message().contains(state), "{}", refused.message());

        assert_eq!(arm.delete(name).await.status, 200);
        assert_eq!(arm.put(name, &document).await.status, 201);
    }
}

#[tokio::test]
async fn the_address_is_usually_kept() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", OLD));
    let ip = || group.view()["properties"]["ipAddress"]["ip"].clone();
    let first = ip();
    assert!(first.is_string());
    let arm = Arm::new(&fake);
    arm.put("web", &samples::group("web", NEW)).await;
    arm.settled("web").await;
    assert_eq!(ip(), first);

    fake.change_ip_on_update();
    arm.put("web", &samples::group("web", OLD)).await;
    let body = arm.settled("web").await.body;
    assert_ne!(ip(), first);
    assert_eq!(body["properties"]["ipAddress"]["fqdn"], "web.westeurope.azurecontainer.io");
}

#[tokio::test]
async fn a_patch_changes_tags_and_nothing_else() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", OLD));
    let arm = Arm::new(&fake);
    let patch = json!({
        "tags": { "fanin-push": "sha256:aaaa" },
        "properties": samples::group("web", NEW)["properties"],
    });
    assert_eq!(arm.group("PATCH", "web", &patch).await.status, 200);
    assert_eq!(group.starts(), 1);
    let images = vec![OLD.to_owned()];
    let [placed, tagged] = &group.history()[..] else { panic!("{:?}", group.history()) };
    assert_eq!(placed, &Change { how: How::Placed, images: images.clone(), push: None });
    let push = Some("sha256:aaaa".to_owned());
    assert_eq!(tagged, &Change { how: How::Tagged, images, push });
}
