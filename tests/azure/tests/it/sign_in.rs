//! Tokens: of Entra ID for an application, and of the managed identity endpoints.

use crate::client::{Received, send};
use azure_fake::{
    CLIENT_ID, CLIENT_SECRET, FEDERATED_TOKEN, Fake, Fault, SYSTEM_IDENTITY, TENANT_ID,
    USER_IDENTITY, samples,
};
use serde_json::Value;

/// Asks Entra for a token with these members of the form.
async fn entra(fake: &Fake, tenant: &str, form: &[(&str, &str)]) -> Received {
    let url = format!("{}/{tenant}/oauth2/v2.0/token", fake.authority_url());
    let pairs: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
    send("POST", &url, &[], &pairs.join("&")).await.unwrap()
}

/// The form of a client secret for a scope.
async fn by_secret(fake: &Fake, secret: &str, scope: &str) -> Received {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", CLIENT_ID),
        ("client_secret", secret),
        ("scope", scope),
    ];
    entra(fake, TENANT_ID, &form).await
}

/// GET of a group with a token: what ARM makes of it.
async fn arm_status(fake: &Fake, token: &Value) -> (u16, String) {
    let group = fake.place(samples::group("web", "nginx"));
    let url = format!("{}{}?api-version=2025-09-01", fake.arm_url(), group.id());
    let authorization = format!("Bearer {}", token.as_str().unwrap());
    let received = send("GET", &url, &[("Authorization", &authorization)], "").await.unwrap();
    (received.status, received.code().to_owned())
}

#[tokio::test]
async fn a_client_secret_gets_a_token_that_arm_takes() {
    let fake = Fake::start().await;
    fake.token_lifetime_s(600);
    let scope = format!("{}/.default", fake.arm_url());
    let received = by_secret(&fake, CLIENT_SECRET, &scope).await;
    assert_eq!(received.status, 200);
    assert_eq!(
        (&received.body["token_type"], &received.body["expires_in"]),
        (&"Bearer".into(), &600.into())
    );
    assert_eq!(arm_status(&fake, &received.body["access_token"]).await.0, 200);
    assert_eq!(fake.sign_ins(), 1);
}

#[tokio::test]
async fn a_token_for_storage_is_not_for_arm() {
    let fake = Fake::start().await;
    let received = by_secret(&fake, CLIENT_SECRET, "https://storage.azure.com/.default").await;
    assert_eq!(received.status, 200);
    let (status, code) = arm_status(&fake, &received.body["access_token"]).await;
    assert_eq!((status, code.as_str()), (401, "InvalidAuthenticationTokenAudience"));
}

#[tokio::test]
async fn entra_says_what_is_wrong_with_a_sign_in() {
    let fake = Fake::start().await;
    let scope = "https://management.azure.com/.default";
    let refused = by_secret(&fake, "expired-secret", scope).await;
    assert_eq!((refused.status, &refused.body["error"]), (401, &"invalid_client".into()));
    assert_eq!(refused.body["error_codes"][0], 7_000_215);
    let description = refused.body["error_description"].as_str().unwrap();
    assert!(description.starts_with("AADSTS7000215: Invalid client secret provided."));
    assert!(!description.contains("expired-secret"));

    let refused = by_secret(&fake, CLIENT_SECRET, "https://elsewhere.example/.default").await;
    assert_eq!((refused.status, &refused.body["error_codes"][0]), (400, &500_011.into()));
    let refused = entra(&fake, "another-tenant", &[]).await;
    assert_eq!((refused.status, &refused.body["error_codes"][0]), (400, &90_002.into()));
    let form = [("grant_type", "client_credentials"), ("client_id", "nobody")];
    let refused = entra(&fake, TENANT_ID, &form).await;
    assert_eq!((refused.status, &refused.body["error_codes"][0]), (400, &700_016.into()));
}

#[tokio::test]
async fn an_assertion_is_good_until_another_one_is_written() {
    let fake = Fake::start().await;
    let sign_in = async |assertion: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT_ID),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
            ("scope", "https://management.azure.com//.default"),
        ];
        entra(&fake, TENANT_ID, &form).await.status
    };
    assert_eq!(sign_in(FEDERATED_TOKEN).await, 200);
    fake.rotate_federated_token("another");
    assert_eq!(sign_in(FEDERATED_TOKEN).await, 401);
    assert_eq!(sign_in("another").await, 200);
}

#[tokio::test]
async fn entra_has_no_instance_discovery() {
    let fake = Fake::start().await;
    let url = format!("{}/common/discovery/instance?api-version=1.1", fake.authority_url());
    assert_eq!(send("GET", &url, &[], "").await.unwrap().status, 404);
    assert_eq!(fake.sign_ins(), 0);
}

/// Asks the App Service endpoint, with its header unless another is given.
async fn app_service(fake: &Fake, query: &str, header: Option<&str>) -> Received {
    let url = format!("{}?{query}", fake.identity_endpoint());
    let own = fake.identity_header();
    let headers = [("X-IDENTITY-HEADER", header.unwrap_or(&own))];
    send("GET", &url, &headers, "").await.unwrap()
}

#[tokio::test]
async fn a_managed_identity_says_when_its_token_ends_as_a_string() {
    let fake = Fake::start().await;
    let query = "api-version=2019-08-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";
    let received = app_service(&fake, query, None).await;
    assert_eq!((received.status, &received.body["client_id"]), (200, &SYSTEM_IDENTITY.into()));
    let ends = received.body["expires_on"].as_str().unwrap();
    assert!(ends.parse::<i64>().unwrap() > 0);
    assert_eq!(arm_status(&fake, &received.body["access_token"]).await.0, 200);

    let named = app_service(&fake, &format!("{query}&client_id={USER_IDENTITY}"), None).await;
    assert_eq!((named.status, &named.body["client_id"]), (200, &USER_IDENTITY.into()));
}

#[tokio::test]
async fn an_identity_that_is_not_assigned_is_a_bad_request() {
    let fake = Fake::start().await;
    let query = "api-version=2019-08-01&resource=https://management.azure.com";
    let refused = app_service(&fake, &format!("{query}&client_id={CLIENT_ID}"), None).await;
    assert_eq!((refused.status, &refused.body["statusCode"]), (400, &400.into()));
    assert!(refused.body["message"].as_str().unwrap().contains("No User Assigned"));
    fake.remove_system_identity();
    assert_eq!(app_service(&fake, query, None).await.status, 400);
}

#[tokio::test]
async fn the_endpoint_checks_its_header_and_the_form_of_the_request() {
    let fake = Fake::start().await;
    let query = "api-version=2019-08-01&resource=https://management.azure.com";
    assert_eq!(app_service(&fake, query, Some("guessed")).await.status, 401);
    let old = "api-version=2017-09-01&resource=https://management.azure.com";
    assert_eq!(app_service(&fake, old, None).await.status, 400);
    assert_eq!(app_service(&fake, "api-version=2019-08-01", None).await.status, 400);
}

#[tokio::test]
async fn the_metadata_service_wants_its_header_and_no_forwarding() {
    let fake = Fake::start().await;
    let url = format!(
        "{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/",
        fake.metadata_url()
    );
    let metadata = ("Metadata", "true");
    let received = send("GET", &url, &[metadata], "").await.unwrap();
    assert_eq!(received.status, 200);
    for member in ["expires_in", "expires_on", "not_before"] {
        assert!(received.body[member].is_string(), "{member}");
    }
    assert_eq!(send("GET", &url, &[], "").await.unwrap().status, 400);
    let forwarded = [metadata, ("X-Forwarded-For", "10.0.0.1")];
    assert_eq!(send("GET", &url, &forwarded, "").await.unwrap().status, 400);
    let unknown = format!("{url}&client_id={CLIENT_ID}");
    let refused = send("GET", &unknown, &[metadata], "").await.unwrap();
    assert_eq!((refused.status, &refused.body["error"]), (400, &"invalid_request".into()));
}

#[tokio::test]
async fn a_sign_in_may_meet_a_fault() {
    let fake = Fake::start().await;
    fake.next_sign_in(Fault::Status(503));
    let query = "api-version=2019-08-01&resource=https://management.azure.com";
    assert_eq!(app_service(&fake, query, None).await.status, 503);
    assert_eq!(app_service(&fake, query, None).await.status, 200);
}
