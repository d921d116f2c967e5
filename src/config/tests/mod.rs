//! Settings in, configuration or problems out.

mod deploys;
mod environment;
mod secrecy;
mod sink_file;

use super::*;
use fan_in::{Action, Correlation, NoticeKind};

/// A signing secret of 24 bytes.
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Without a file, wherever the tests run.
fn load(
    env: &BTreeMap<String, String>,
    home: Option<Home>,
    listen: Option<SocketAddr>,
) -> Result<Config, Problems> {
    load_with_file(env, "", home, listen)
}

/// The least that standalone needs, and more.
fn env(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut env =
        BTreeMap::from([("WebhookRegions".to_owned(), "northeurope,westeurope".to_owned())]);
    env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    env
}

fn good(more: &[(&str, &str)]) -> Config {
    load(&env(more), None, None).unwrap()
}

/// The only problem there is.
fn problem(more: &[(&str, &str)]) -> String {
    only(load(&env(more), None, None))
}

fn only(loaded: Result<Config, Problems>) -> String {
    let problems = loaded.unwrap_err();
    assert_eq!(problems.lines().count(), 1, "{problems}");
    problems.to_string()
}

fn good_file(toml: &str) -> Config {
    load_with_file(&env(&[("SECRET", SIGNING)]), toml, None, None).unwrap()
}

fn file_problem(toml: &str) -> String {
    only(load_with_file(&env(&[("SECRET", SIGNING)]), toml, None, None))
}

/// The only sink of a file, of this type and with these keys.
fn sink(kind: &str, keys: &str) -> String {
    format!("[[sink]]\nname = \"it\"\ntype = \"{kind}\"\n{keys}\n")
}

const FUNCTIONS: &[(&str, &str)] = &[
    ("AzureWebJobsStorage", "UseDevelopmentStorage=true"),
    ("FANIN_QUEUE", "fanin-notify"),
    ("FANIN_SCHEDULE", "*/15 * * * * *"),
];

fn functions(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    env(&[FUNCTIONS, more].concat())
}

#[test]
fn regions_alone_are_enough_for_standalone() {
    let config = good(&[]);
    assert_eq!(config.home, Home::Standalone);
    assert_eq!(
        config.policy.regions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["northeurope", "westeurope"]
    );
    assert_eq!(config.intake.regions, config.policy.regions);
    assert_eq!(config.policy.timeout, Duration::from_secs(600));
    assert_eq!(
        (config.policy.correlation, config.intake.correlation),
        (Correlation::Auto, Correlation::Auto)
    );
    assert_eq!(config.table, "fanin");
    assert_eq!(config.retention, Duration::from_secs(30 * 86_400));
    assert_eq!(config.retry, Retry::default());
    assert_eq!(config.sink_timeout, Duration::from_secs(15));
    assert!(config.storage.is_none() && config.queue.is_none() && config.read_token.is_none());
    assert!(config.sinks.is_empty() && config.policy.subscriptions.is_empty());
    assert!(config.intake.registries.is_empty() && config.intake.repositories.is_empty());
    assert!(config.intake.secrets.is_empty() && !config.intake.untagged);
}

#[test]
fn the_home_is_functions_when_storage_or_a_part_of_it_is_set() {
    let home = |name: &str, value: &str| {
        load(&functions(&[("AzureWebJobsStorage", ""), (name, value)]), None, None)
            .map(|config| config.home)
    };
    assert_eq!(home("AzureWebJobsStorage", "UseDevelopmentStorage=true"), Ok(Home::Functions));
    assert_eq!(home("AzureWebJobsStorage__accountName", "fanin"), Ok(Home::Functions));
    assert_eq!(home("AzureWebJobsStorage__accountName", ""), Ok(Home::Standalone));
    assert_eq!(home("AzureWebJobsStorageOther", "x"), Ok(Home::Standalone));
    let told = load(&functions(&[]), Some(Home::Standalone), None).unwrap();
    assert_eq!(told.home, Home::Standalone);
    assert!(told.storage.is_none() && told.queue.is_none());
}

#[test]
fn under_functions_storage_queue_and_schedule_are_required() {
    let problems = load(&env(&[]), Some(Home::Functions), None).unwrap_err();
    let places: Vec<_> =
        problems.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(places, ["AzureWebJobsStorage", "FANIN_SCHEDULE", "FANIN_QUEUE"]);
    let config = load(&functions(&[]), None, None).unwrap();
    assert_eq!(config.queue.as_deref(), Some("fanin-notify"));
    assert!(matches!(config.storage, Some(Storage::ConnectionString(_))));
}

#[test]
fn an_identity_may_take_the_place_of_a_connection_string() {
    let config = |more: &[(&str, &str)]| {
        let parts = [&[("AzureWebJobsStorage", "")], more].concat();
        load(&functions(&parts), None, None)
    };
    let storage = |more: &[(&str, &str)]| match config(more).unwrap().storage {
        Some(Storage::Identity { table_endpoint, identity }) => {
            (table_endpoint.to_string(), identity)
        }
        other => panic!("{other:?}"),
    };
    let account = ("AzureWebJobsStorage__accountName", "fanin");
    let (endpoint, identity) = storage(&[account]);
    assert_eq!(endpoint, "https://fanin.table.core.windows.net/");
    assert_eq!(identity, Identity::Managed { client_id: None });
    let uri = "https://fanin.table.core.chinacloudapi.cn/";
    let (endpoint, _) = storage(&[account, ("AzureWebJobsStorage__tableServiceUri", uri)]);
    assert_eq!(endpoint, uri);

    let client =
        [account, ("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("AZURE_CLIENT_SECRET", "s")];
    let (tenant_id, client_id) = ("t".to_owned(), "c".to_owned());
    let secret = Secret::new("s");
    assert_eq!(storage(&client).1, Identity::ClientSecret { tenant_id, client_id, secret });
    let workload = [&client[..3], &[("AZURE_FEDERATED_TOKEN_FILE", "/token")]].concat();
    let Identity::Workload { token_file, .. } = storage(&workload).1 else { panic!("no workload") };
    assert_eq!(token_file.to_str(), Some("/token"));
    let managed = |id: &str| Identity::Managed { client_id: Some(id.to_owned()) };
    assert_eq!(storage(&client[..3]).1, managed("c"));
    let own = [&client[..], &[("AzureWebJobsStorage__clientId", "own")]].concat();
    assert_eq!(storage(&own).1, managed("own"));
    let own = [&client[..], &[("AzureWebJobsStorage__credential", "managedIdentity")]].concat();
    assert_eq!(storage(&own).1, Identity::Managed { client_id: None });

    for (name, value) in [
        ("AzureWebJobsStorage__accountName", "Not_An_Account"),
        ("AzureWebJobsStorage__tableServiceUri", "http://127.0.0.1:10002/devstoreaccount1"),
        ("AzureWebJobsStorage__tableServiceUri", "https://a.example/?sig=x"),
    ] {
        assert!(only(config(&[(name, value)])).starts_with(&format!("{name}: ")));
    }
    for (name, value) in [
        ("AzureWebJobsStorage__credential", "certificate"),
        ("AzureWebJobsStorage__clientSecret", "x"),
        ("AzureWebJobsStorage__managedIdentityResourceId", "/subscriptions/x"),
    ] {
        assert!(only(config(&[account, (name, value)])).starts_with(&format!("{name}: ")));
    }
    let both = only(load(&functions(&[account]), None, None));
    assert!(
        both.starts_with("AzureWebJobsStorage__accountName: AzureWebJobsStorage is set, too"),
        "{both}"
    );
    let neither = only(config(&[(
        "AzureWebJobsStorage__blobServiceUri",
        "https://fanin.blob.core.windows.net",
    )]));
    assert!(neither.starts_with("AzureWebJobsStorage: is missing"), "{neither}");
}

#[test]
fn all_problems_are_told_at_once_each_on_its_line() {
    let env = env(&[
        ("WebhookRegions", ""),
        ("WebhookTimeout", "8d"),
        ("FANIN_TABLE", "1"),
        ("FANIN_RETRY", "1s,,2s"),
        ("FANIN_COLOUR", "red"),
        ("SLACK_WEBHOOK_URL", "http://hooks.slack.com/x"),
    ]);
    let toml =
        "[[sink]]\nname = \"a\"\ntype = \"slack\"\ncolour = 1\n[[sink]]\ntype = \"fax\"\n[[job]]\n";
    let listen = "0.0.0.0:80".parse().unwrap();
    let problems = load_with_file(&env, toml, None, Some(listen)).unwrap_err();
    let text = problems.to_string();
    for place in [
        "FANIN_COLOUR: there is no such setting",
        "WebhookRegions: is missing",
        "WebhookTimeout: ",
        "FANIN_TABLE: ",
        "FANIN_RETRY: item 2 of the list is empty",
        "SLACK_WEBHOOK_URL: is plain http",
        "fanin.toml: job 1: key name: is missing",
        "fanin.toml: job 1: key subscription: is missing, and so is the setting AZURE_SUBSCRIPTION_ID",
        "fanin.toml: job 1: key resource_group: is missing",
        "fanin.toml: job 1: key image: is missing",
        "fanin.toml: sink \"a\": key url: is missing",
        "fanin.toml: sink \"a\": key colour: there is no such key",
        "fanin.toml: sink 2: key name: is missing",
        "fanin.toml: sink 2: key type: must be slack or teams or webhook or aci-update or aci-job or log",
        "FANIN_WEBHOOK_SECRET: is missing",
        "FANIN_READ_TOKEN: is missing",
    ] {
        assert_eq!(
            text.lines().filter(|line| line.starts_with(place)).count(),
            1,
            "{place}\n{text}"
        );
    }
    assert_eq!(text.lines().count(), 16, "{text}");
}
