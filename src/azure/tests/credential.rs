use super::{Credential, application, groups, groups_of, settings, soon};
use crate::azure::transport::{Detour, client};
use crate::azure::{Arm, ArmError, credential};
use crate::config::{Identity, process_env};
use azure_fake::{FEDERATED_TOKEN, Fake, Fault, USER_IDENTITY};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use url::Url;

/// Asks for a group that is not there.
async fn asks(fake: &Fake, identity: Identity) -> Result<(), ArmError> {
    groups(fake, identity).get("none", soon()).await.map(|group| assert_eq!(group, None))
}

fn workload(token_file: PathBuf) -> Identity {
    Identity::Workload {
        tenant_id: azure_fake::TENANT_ID.to_owned(),
        client_id: azure_fake::CLIENT_ID.to_owned(),
        token_file,
    }
}

#[tokio::test]
async fn an_application_signs_in_once_with_its_secret() {
    let fake = Fake::start().await;
    let groups = groups(&fake, application());
    for _ in 0..3 {
        assert_eq!(groups.get("none", soon()).await, Ok(None));
    }
    assert_eq!(fake.sign_ins(), 1);
    let asked = &fake.requests()[0];
    assert_eq!(asked.api_version.as_deref(), Some("2025-09-01"));
}

#[tokio::test]
async fn a_workload_signs_in_with_what_stands_in_its_file() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, FEDERATED_TOKEN).unwrap();
    assert_eq!(asks(&fake, workload(file.clone())).await, Ok(()));
    assert_eq!(fake.sign_ins(), 1);
    std::fs::write(&file, "wrong").unwrap();
    let Err(ArmError::Later { sentence, .. }) = asks(&fake, workload(file)).await else {
        panic!("signed in")
    };
    assert!(sentence.contains("AADSTS700211"), "{sentence}");
}

#[tokio::test]
async fn a_file_that_was_written_anew_is_read_when_the_token_is_refused() {
    let fake = Fake::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, FEDERATED_TOKEN).unwrap();
    let groups = groups(&fake, workload(file.clone()));
    assert_eq!(groups.get("none", soon()).await, Ok(None));
    std::fs::write(&file, "second-canary").unwrap();
    fake.rotate_federated_token("second-canary");
    fake.expire_tokens();
    assert_eq!(groups.get("none", soon()).await, Ok(None));
    assert_eq!(fake.sign_ins(), 2);
}

#[tokio::test]
async fn a_virtual_machine_asks_its_metadata_service() {
    for client_id in [None, Some(USER_IDENTITY)] {
        let fake = Fake::start().await;
        let http = Detour {
            inner: Arc::new(client(true, Duration::from_secs(20)).unwrap()),
            from: Url::parse("http://169.254.169.254").unwrap().origin(),
            to: fake.metadata_url().parse().unwrap(),
        };
        let identity = Identity::Managed { client_id: client_id.map(str::to_owned) };
        let credential = Credential::with_transport(&identity, None, Arc::new(http)).unwrap();
        let endpoint = fake.arm_url().parse().unwrap();
        let arm = Arm::with_credential(Some(&endpoint), Arc::new(credential)).unwrap();
        assert_eq!(groups_of(arm).get("none", soon()).await, Ok(None));
        assert_eq!(fake.sign_ins(), 1);
    }
}

/// Runs [`in_a_functions_app`] in a process of its own.
async fn functions_app(fake: &Fake, client_id: &str) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "azure::tests::credential::in_a_functions_app",
            "--ignored",
            "--nocapture",
        ])
        .envs(fake.managed_environment())
        // A proxy that would break every request that went to it.
        .env("http_proxy", "http://127.0.0.1:1")
        .env("AZURE_CLIENT_ID", client_id);
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("running 1 test"), "{text}");
    (output.status.success(), text)
}

#[tokio::test]
async fn a_functions_app_asks_its_identity_endpoint() {
    let fake = Fake::start().await;
    let (signed_in, said) = functions_app(&fake, "").await;
    assert!(signed_in, "{said}");
    let (signed_in, said) = functions_app(&fake, USER_IDENTITY).await;
    assert!(signed_in, "{said}");
    assert_eq!(fake.sign_ins(), 2);
    let (signed_in, said) = functions_app(&fake, "00000000-0000-0000-0000-000000000000").await;
    assert!(!signed_in && said.contains("has not been assigned"), "{said}");
    assert!(!said.contains(&fake.identity_header()), "{said}");
}

#[tokio::test]
#[ignore = "is started with the environment of a Functions app by the test above"]
async fn in_a_functions_app() {
    let env = process_env();
    let client_id = env.get("AZURE_CLIENT_ID").filter(|id| !id.is_empty()).cloned();
    let endpoint: Url = env["AZURE_RESOURCE_MANAGER_ENDPOINT"].parse().unwrap();
    let credential = credential::shared(&Identity::Managed { client_id }, None).unwrap();
    let arm = Arm::with_credential(Some(&endpoint), credential).unwrap();
    assert_eq!(groups_of(arm).get("none", soon()).await, Ok(None));
}

#[tokio::test]
async fn everybody_in_a_process_has_the_same_credential() {
    let fake = Fake::start().await;
    let settings = settings(&fake, application());
    let shared = || credential::shared(&settings.identity, settings.authority_host.as_ref());
    let (one, other) = (shared().unwrap(), shared().unwrap());
    assert!(Arc::ptr_eq(&one, &other));
    let elsewhere = credential::shared(&settings.identity, None).unwrap();
    assert!(!Arc::ptr_eq(&one, &elsewhere));
}

#[tokio::test]
async fn a_service_that_refuses_every_token_is_asked_twice_and_no_more() {
    let fake = Fake::start().await;
    let groups = groups(&fake, application());
    for _ in 0..2 {
        fake.next("GET", "", Fault::Status(401));
    }
    let Err(ArmError::GiveUp(said)) = groups.get("none", soon()).await else { panic!("accepted") };
    assert!(said.starts_with("Azure does not accept our token"), "{said}");
    assert_eq!((fake.requests().len(), fake.sign_ins()), (2, 2));
}

#[tokio::test]
async fn no_token_and_no_secret_is_ever_shown() {
    let fake = Fake::start().await;
    let settings = settings(&fake, application());
    let arm = Arm::new(&settings).unwrap();
    let groups = groups_of(arm);
    assert_eq!(groups.get("none", soon()).await, Ok(None));
    let shown = format!("{groups:?} {settings:?}");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!shown.contains("Bearer") && shown.contains("ContainerGroups"), "{shown}");
}
