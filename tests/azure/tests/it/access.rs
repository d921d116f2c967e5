//! Who may, what every request must say, and what is not there.

use crate::client::{Arm, send};
use azure_fake::{CLIENT_ID, Fake, samples};
use serde_json::{Value, json};

const IMAGE: &str = "contoso.azurecr.io/shop/web:1";

#[tokio::test]
async fn without_a_token_arm_names_the_tenant_that_gives_them() {
    let fake = Fake::start().await;
    let url = format!("{}/subscriptions?api-version=2022-12-01", fake.arm_url());
    let refused = send("GET", &url, &[], "").await.unwrap();
    assert_eq!((refused.status, refused.code()), (401, "AuthenticationFailed"));
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains(azure_fake::TENANT_ID), "{challenge}");
}

#[tokio::test]
async fn tokens_that_have_expired_are_refused_until_there_is_a_new_one() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", IMAGE));
    let mut arm = Arm::new(&fake);
    assert_eq!(arm.get("web").await.status, 200);

    fake.expire_tokens();
    let refused = arm.get("web").await;
    assert_eq!((refused.status, refused.code()), (401, "ExpiredAuthenticationToken"));
    assert!(refused.header("www-authenticate").is_some());
    arm.token = fake.token();
    assert_eq!(arm.get("web").await.status, 200);
    let shown: Vec<_> = fake.requests().into_iter().map(|seen| seen.authorization).collect();
    assert_eq!(
        shown,
        ["Bearer token 1", "Bearer token 1", "Bearer token 2"].map(|text| Some(text.to_owned()))
    );
}

#[tokio::test]
async fn every_request_names_an_api_version() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", IMAGE));
    let url = format!("{}{}", fake.arm_url(), group.id());
    let refused = Arm::new(&fake).at("GET", &url, "").await.unwrap();
    assert_eq!((refused.status, refused.code()), (400, "MissingApiVersionParameter"));
    assert!(refused.header("x-ms-request-id").is_some());
}

#[tokio::test]
async fn a_right_that_is_lacking_is_named() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", IMAGE));
    let arm = Arm::new(&fake);
    let write = "Microsoft.ContainerInstance/containerGroups/write";
    fake.deny(write);
    assert_eq!(arm.get("web").await.status, 200);
    let refused = arm.put("web", &samples::group("web", IMAGE)).await;
    assert_eq!((refused.status, refused.code()), (403, "AuthorizationFailed"));
    assert!(refused.message().contains(write) && refused.message().contains(CLIENT_ID));

    fake.allow(write);
    assert_eq!(arm.put("web", &samples::group("web", IMAGE)).await.status, 200);
}

#[tokio::test]
async fn ids_are_compared_without_case() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", IMAGE));
    let arm = Arm::new(&fake);
    let url = format!("{}{}?API-Version=2025-09-01", fake.arm_url(), group.id().to_uppercase());
    let found = arm.at("GET", &url, "").await.unwrap();
    assert_eq!(found.body["id"], group.id());
    let changed = samples::group("web", "contoso.azurecr.io/shop/web:2").to_string();
    assert_eq!(arm.at("PUT", &url, &changed).await.unwrap().status, 200);
    assert_eq!(fake.groups(), [group.id()]);
}

#[tokio::test]
async fn what_is_absent_is_told_from_a_resource_group_that_is_absent() {
    let fake = Fake::start().await;
    let arm = Arm::new(&fake);
    let absent = arm.get("web").await;
    assert_eq!((absent.status, absent.code()), (404, "ResourceNotFound"));
    assert_eq!(arm.delete("web").await.status, 204);

    let id = fake.group("web").id().replace(azure_fake::RESOURCE_GROUP, "elsewhere");
    let url = format!("{}{id}?api-version=2025-09-01", fake.arm_url());
    let body = samples::group("web", IMAGE).to_string();
    let absent = arm.at("PUT", &url, &body).await.unwrap();
    assert_eq!((absent.status, absent.code()), (404, "ResourceGroupNotFound"));
    fake.add_resource_group(azure_fake::SUBSCRIPTION, "Elsewhere");
    assert_eq!(arm.at("PUT", &url, &body).await.unwrap().status, 201);
}

#[tokio::test]
async fn a_resource_group_tells_where_it_is() {
    let fake = Fake::start().await;
    let arm = Arm::new(&fake);
    let url = |name: &str| {
        let subscription = azure_fake::SUBSCRIPTION;
        let path = format!("subscriptions/{subscription}/resourcegroups/{name}");
        format!("{}/{path}?api-version=2021-04-01", fake.arm_url())
    };
    let found = arm.at("GET", &url(azure_fake::RESOURCE_GROUP), "").await.unwrap();
    assert_eq!((found.status, &found.body["location"]), (200, &json!("westeurope")));
    let absent = arm.at("GET", &url("elsewhere"), "").await.unwrap();
    assert_eq!((absent.status, absent.code()), (404, "ResourceGroupNotFound"));
    fake.deny("Microsoft.Resources/subscriptions/resourceGroups/read");
    let refused = arm.at("GET", &url(azure_fake::RESOURCE_GROUP), "").await.unwrap();
    assert_eq!((refused.status, refused.code()), (403, "AuthorizationFailed"));
}

#[tokio::test]
async fn a_list_says_nothing_of_how_containers_fare() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", IMAGE));
    fake.place(samples::group_with_secrets("shop", IMAGE));
    let arm = Arm::new(&fake);
    let list = arm.get("").await.body;
    let names: Vec<&Value> =
        list["value"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(json!(names), json!(["shop", "web"]));
    assert!(!list.to_string().contains("instanceView"), "{list}");
    assert!(!list.to_string().contains(samples::SECRET), "{list}");
}

#[tokio::test]
async fn names_are_lower_case_labels_of_63_characters() {
    let fake = Fake::start().await;
    let arm = Arm::new(&fake);
    let long = "a".repeat(63);
    for name in ["a", "5b5c41b7-0000-4000-8000-000000000005", &long] {
        assert_eq!(arm.put(name, &samples::job(name, IMAGE)).await.status, 201, "{name}");
    }
    let too_long = "a".repeat(64);
    for name in ["Web", "-web", "web-", "web_1", &too_long] {
        let refused = arm.put(name, &samples::job(name, IMAGE)).await;
        assert_eq!((refused.status, refused.code()), (400, "InvalidContainerGroupName"), "{name}");
    }
    let mut group = samples::group("web", IMAGE);
    group["properties"]["containers"][0]["name"] = json!("Web");
    assert_eq!(arm.put("web", &group).await.code(), "InvalidContainerName");
}
