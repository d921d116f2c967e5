//! The table of settings, the samples, and the promise that no value is ever shown.

use super::*;
use settings::SETTINGS;
use std::collections::BTreeSet;

const CANARY: &str = "canary";

/// Shapes that get a value past one check and into the next.
const SHAPES: &[&str] = &[
    "canary",
    "Canary Canary",
    "canary,,canary",
    "canary,Canary",
    "canary\ncanary",
    "canaryü",
    "http://canary.example/canary?canary",
    "https://canary:canary@canary.example/canary?canary#canary",
    "https://canary canary/",
    "https://canary.example/canary?canary",
    "ftp://canary.example/canary",
    "canary:canary",
    "https://[canary]/",
    "/subscriptions/canary/canary",
    "UseDevelopmentStorage=canary",
    "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=canary",
    "canary=1;Canary=2",
    "AccountName=canary;AccountKey=QUJD;EndpointSuffix=canary canary",
    "whsec_Y2FuYXJ5Y2FuYXJ5",
    "9999canary",
    "canary*:canary",
    "whsec_canary",
    "AccountName=canary",
    "AccountName=canary;AccountKey=canary!;TableEndpoint=http://canary",
    "AccountName=canary;AccountKey=QUJD;TableEndpoint=http://canary.example/canary",
    "SharedAccessSignature=canary",
    "canary;canary",
    "5canary",
    "canary-",
    "1.canary:00:00",
    "${canary}",
];

fn shows_nothing(loaded: Result<Config, Problems>) {
    let Err(problems) = loaded else { return };
    let shown = format!("{problems}\n{problems:?}");
    assert!(!shown.to_ascii_lowercase().contains(CANARY), "{shown}");
}

#[test]
fn a_configuration_does_not_show_its_secrets_either() {
    let url = "https://canary:canary@a.example/canary?canary";
    let hook = "https://a.example/canary";
    let key = "AccountName=a;AccountKey=canarycanary";
    let env = functions(&[
        ("AzureWebJobsStorage", key),
        ("SLACK_WEBHOOK_URL", hook),
        ("TEAMS_WEBHOOK_URL", hook),
        ("NOTIFY_WEBHOOK_URL", url),
        ("NOTIFY_WEBHOOK_SECRET", "canarycanarycanarycanarycanarycanary"),
        ("FANIN_WEBHOOK_SECRET", "canary"),
        ("FANIN_READ_TOKEN", "canary"),
        ("FANIN_FUNCTION_KEY", "canary"),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "canary"),
    ]);
    let toml = format!(
        "[[sink]]\nname = \"it\"\ntype = \"webhook\"\nurl = {url:?}\nheaders = {{ X = \"canary\" }}\n"
    );
    let shown = format!("{:?}", load_with_file(&env, &toml, None, None).unwrap());
    assert!(shown.contains("a.example") && !shown.contains(CANARY), "{shown}");
}

#[test]
fn no_value_of_any_setting_is_ever_shown() {
    for shape in SHAPES {
        for setting in SETTINGS {
            shows_nothing(load(&env(&[(setting.name, shape)]), Some(Home::Functions), None));
            shows_nothing(load(
                &functions(&[("FANIN_NOBODY", shape), (setting.name, shape)]),
                None,
                None,
            ));
        }
        let all: Vec<_> = SETTINGS.iter().map(|setting| (setting.name, *shape)).collect();
        shows_nothing(load(&env(&all), None, Some("0.0.0.0:80".parse().unwrap())));
    }
}

#[test]
fn no_value_in_the_file_is_ever_shown() {
    let keys = [
        "name",
        "type",
        "on",
        "region",
        "actions",
        "repositories",
        "tags",
        "private",
        "url",
        "format",
        "secret",
        "headers",
        "user_agent",
        "template",
        "colour",
    ];
    for shape in SHAPES {
        let env = env(&[("VALUE", shape), ("canary", shape)]);
        let text = format!("{shape:?}");
        let forms = [
            text.clone(),
            format!("[{text}]"),
            format!("{{ X-A = {text} }}"),
            "\"${VALUE}\"".to_owned(),
            text.replace('"', ""),
        ];
        for (key, kind) in
            keys.iter().flat_map(|key| ["slack", "webhook", "log", "fax"].map(|kind| (key, kind)))
        {
            for form in &forms {
                // A plain name in the file and the name of a variable are no values.
                if (*key == "name" && !form.contains("VALUE"))
                    || (shape.contains("${") && !form.contains("VALUE"))
                {
                    continue;
                }
                let rest = [("name", "\"it\""), ("type", kind)]
                    .into_iter()
                    .filter(|(other, _)| other != key);
                let rest: String =
                    rest.map(|(k, v)| format!("{k} = \"{}\"\n", v.replace('"', ""))).collect();
                shows_nothing(load_with_file(
                    &env,
                    &format!("[[sink]]\n{rest}{key} = {form}\n"),
                    None,
                    None,
                ));
            }
        }
    }
}

/// `Values` of the sample, as the host makes environment variables of them.
fn sample() -> BTreeMap<String, String> {
    let text = include_str!("../../../local.settings.sample.json");
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    let values = json["Values"].as_object().unwrap();
    values.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

#[test]
fn the_sample_names_the_settings_of_the_table_with_their_values() {
    let hosts_own = BTreeMap::from([("FUNCTIONS_WORKER_RUNTIME".to_owned(), "custom".to_owned())]);
    let known = SETTINGS.iter().filter_map(|s| Some((s.name.to_owned(), s.sample?.to_owned())));
    assert_eq!(sample(), known.chain(hosts_own).collect());
}

#[test]
fn the_samples_are_without_problems() {
    let config = load(&sample(), None, None).unwrap();
    assert_eq!(config.home, Home::Functions);
    assert!(config.sinks.is_empty());
    load(&sample(), Some(Home::Standalone), None).unwrap();

    let mut env = sample();
    for (name, value) in [
        ("SLACK_RELEASES_URL", "https://hooks.slack.com/services/T0/B0/x"),
        ("TEAMS_PLATFORM_URL", "https://prod.example/workflows/x"),
        ("FLUX_HOOK_PATH", "abc"),
        ("HOOKS_SIGNING_SECRET", SIGNING),
        ("HOOKS_TOKEN", "t"),
        ("FANIN_REGISTRIES", "contoso.azurecr.io"),
        ("FANIN_REPOSITORIES", "samples/*"),
        ("AZURE_SUBSCRIPTION_ID", "00000000-0000-0000-0000-000000000000"),
        ("RESOURCE_GROUP_NAME", "rg"),
        ("PULL_PASSWORD", "p"),
        ("SMOKE_API_KEY", "k"),
    ] {
        env.insert(name.to_owned(), value.to_owned());
    }
    let config =
        load_with_file(&env, include_str!("../../../fanin.sample.toml"), None, None).unwrap();
    assert_eq!((config.sinks.len(), config.jobs.len()), (7, 2));
    assert!(
        config
            .sinks
            .iter()
            .zip(&config.policy.subscriptions)
            .all(|(sink, told)| sink.name == told.sink)
    );
}

#[test]
fn the_table_holds_what_is_read() {
    let names: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
    let sources = [
        include_str!("../load.rs"),
        include_str!("../sinks.rs"),
        include_str!("../storage.rs"),
        include_str!("../process.rs"),
        include_str!("../identity.rs"),
    ];
    let quoted = sources.iter().flat_map(|source| source.split('"').skip(1).step_by(2));
    let quoted = quoted.filter(|text| !text.contains(' '));
    let read: BTreeSet<_> = quoted
        .filter(|text| {
            (text.starts_with("FANIN_") && text.len() > 6)
                || text.ends_with("_URL")
                || text.starts_with("Webhook")
                || text.starts_with("AZURE_")
        })
        .collect();
    assert!(read.is_subset(&names), "{:?}", read.difference(&names));
    assert!(read.len() > 20, "{read:?}");
    let defaults = SETTINGS.iter().filter_map(|s| Some((s.name, s.default?)));
    let defaults: Vec<_> = defaults.collect();
    let written = load(&env(&defaults), None, None).unwrap();
    assert_eq!(format!("{written:?}"), format!("{:?}", good(&[])));
}
