//! What GET does not return, and what becomes of it when its answer is put back.

use crate::client::Arm;
use azure_fake::{Fake, samples};
use serde_json::{Value, json};

const IMAGE: &str = "contoso.azurecr.io/shop/web@sha256:aaaa";

#[tokio::test]
async fn get_returns_no_secret_of_any_kind() {
    let fake = Fake::start().await;
    fake.place(samples::group_with_secrets("web", IMAGE));
    let arm = Arm::new(&fake);

    let body = arm.get("web").await.body;
    let text = body.to_string();
    assert!(!text.contains(samples::SECRET) && !text.contains("Z3JvdXAt"), "{text}");
    let properties = &body["properties"];
    assert_eq!(
        properties["containers"][0]["properties"]["environmentVariables"],
        json!([{ "name": "PLAIN", "value": "visible" }, { "name": "API_KEY" }])
    );
    assert_eq!(
        properties["imageRegistryCredentials"],
        json!([{ "server": "contoso.azurecr.io", "username": "puller" }])
    );
    assert_eq!(
        properties["volumes"][0]["azureFile"],
        json!({ "shareName": "files", "storageAccountName": "contosofiles" })
    );
    assert_eq!(properties["volumes"][1], json!({ "name": "certificates", "secret": {} }));
    assert_eq!(properties["diagnostics"]["logAnalytics"], json!({ "workspaceId": "workspace" }));
    assert_eq!(properties["extensions"][0]["properties"]["protectedSettings"], Value::Null);
    assert_eq!(properties["extensions"][0]["properties"]["version"], "1.0");

    let truth = fake.group("web").truth().to_string();
    assert_eq!(truth.matches(samples::SECRET).count(), 5, "{truth}");
}

#[tokio::test]
async fn putting_back_what_get_returned_is_refused_for_what_is_required() {
    let fake = Fake::start().await;
    fake.place(samples::group_with_secrets("web", IMAGE));
    let arm = Arm::new(&fake);

    let mut body = arm.get("web").await.body;
    let refused = arm.put("web", &body).await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidImageRegistryCredentialType"));

    body["properties"]["imageRegistryCredentials"] = json!([]);
    let refused = arm.put("web", &body).await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidAzureFileVolume"));

    body["properties"]["volumes"].as_array_mut().unwrap().remove(0);
    let refused = arm.put("web", &body).await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidLogAnalyticsWorkspaceKey"));
    assert_eq!(fake.group("web").history().len(), 1, "nothing was changed");
}

#[tokio::test]
async fn putting_back_what_get_returned_loses_the_rest_without_a_word() {
    let fake = Fake::start().await;
    let mut group = samples::group_with_secrets("web", IMAGE);
    let properties = group["properties"].as_object_mut().unwrap();
    properties.remove("imageRegistryCredentials");
    properties.remove("diagnostics");
    properties["volumes"].as_array_mut().unwrap().remove(0);
    fake.place(group);
    let arm = Arm::new(&fake);

    let body = arm.get("web").await.body;
    assert_eq!(arm.put("web", &body).await.status, 200);
    let truth = fake.group("web").truth();
    assert!(!truth.to_string().contains(samples::SECRET), "{truth}");
    assert_eq!(truth["properties"]["volumes"][0]["secret"], json!({}));
}

#[tokio::test]
async fn references_and_identities_come_back_as_they_were() {
    let fake = Fake::start().await;
    let identity = "/subscriptions/s/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pull";
    let mut group = samples::group("web", IMAGE);
    group["identity"] =
        json!({ "type": "UserAssigned", "userAssignedIdentities": { identity: {} } });
    let properties = &mut group["properties"];
    properties["imageRegistryCredentials"] = json!([
        { "server": "contoso.azurecr.io", "identity": identity },
        { "server": "fabrikam.azurecr.io", "username": "u", "passwordReference": "password" },
    ]);
    properties["volumes"] = json!([
        { "name": "share", "azureFile": { "shareName": "f", "storageAccountName": "s", "storageAccountKeyReference": "key" } },
        { "name": "files", "secretReference": { "tls.key": "tls" } },
    ]);
    fake.place(group.clone());
    let arm = Arm::new(&fake);

    let body = arm.get("web").await.body;
    for member in ["imageRegistryCredentials", "volumes"] {
        assert_eq!(body["properties"][member], group["properties"][member], "{member}");
    }
    let shown = &body["identity"]["userAssignedIdentities"][identity];
    assert_eq!(shown["clientId"], azure_fake::USER_IDENTITY);
    assert_eq!(arm.put("web", &body).await.status, 200);

    let mut stripped = body;
    stripped.as_object_mut().unwrap().remove("identity");
    arm.settled("web").await;
    let refused = arm.put("web", &stripped).await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidImageRegistryIdentity"));
}
