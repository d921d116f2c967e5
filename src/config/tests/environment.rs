//! One setting at a time.

use super::*;
use crate::config::signing::signing_secret;

/// Nothing but each of these values is wrong, and it is named by its setting.
fn refused(name: &str, values: &[&str]) {
    for value in values {
        let problems = load(&env(&[(name, value)]), None, None).unwrap_err();
        let place = format!("{name}: ");
        assert!(problems.lines().all(|line| line.starts_with(&place)), "{value}: {problems}");
    }
}

#[test]
fn every_bad_item_of_a_list_is_told_on_a_line_of_its_own() {
    let told = |name: &str, value: &str| {
        let problems = load(&env(&[(name, value)]), None, None).unwrap_err();
        let place = format!("{name}: ");
        let told = problems.lines().map(|line| line.strip_prefix(&place).unwrap().to_owned());
        told.map(|line| line.split(": ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let empty = |number: u8| {
        format!("item {number} of the list is empty; remove the comma or fill the gap")
    };
    let item = |number: u8, wrong: &str| format!("item {number} of the list {wrong}");
    let twice = "names a region twice; capitals and spaces make no difference".to_owned();
    let no_region = |number| item(number, "is no region");
    assert_eq!(
        told("WebhookRegions", "a,größe,A,,b/c"),
        [no_region(2), empty(4), no_region(5), twice]
    );
    assert_eq!(told("FANIN_REGISTRIES", ",a.io,*"), [empty(1), item(3, "is wrong")]);
    assert_eq!(told("FANIN_WEBHOOK_SECRET", "ok,,ü").len(), 2);
    assert_eq!(told("FANIN_REPOSITORIES", "A,b,C").len(), 2);
    assert_eq!(told("FANIN_RETRY", "1s,soon,,8d").len(), 3);
    assert_eq!(told("FANIN_RETRY", &"1,".repeat(1_000)), ["has more than 1000 items"]);
}

#[test]
fn a_list_of_regions_is_named_once_and_without_gaps() {
    let many = |count: usize| (0..count).map(|n| format!("r{n}")).collect::<Vec<_>>().join(",");
    refused(
        "WebhookRegions",
        &[
            "",
            ",",
            "northeurope,",
            "a,,b",
            "a, ,b",
            "west/europe",
            "westeurope,West Europe",
            "a,A",
            "größe",
            &many(65),
        ],
    );
    let regions = |value: &str| good(&[("WebhookRegions", value)]).policy.regions.len();
    assert_eq!(regions(" West Europe , northeurope "), 2);
    assert_eq!(regions(&many(64)), 64);
}

#[test]
fn regions_cannot_be_read_from_the_registry_yet() {
    for value in ["auto", "AUTO", "westeurope,auto"] {
        let problem = problem(&[("WebhookRegions", value)]);
        assert!(problem.contains("not available in this version"), "{problem}");
    }
}

#[test]
fn the_region_of_docker_hub_is_none_that_a_registry_has_replicas_in() {
    for value in ["global", "Glo Bal", "westeurope,global"] {
        let problem = problem(&[("WebhookRegions", value)]);
        assert!(problem.contains("is global, which stands for Docker Hub"), "{problem}");
    }
}

#[test]
fn the_timeout_lies_between_a_second_and_a_week() {
    let timeout = |value: &str| good(&[("WebhookTimeout", value)]).policy.timeout.as_secs();
    for (value, seconds) in
        [("0:1:20", 80), ("1s", 1), ("7d", 604_800), ("7.00:00:00", 604_800), ("", 600)]
    {
        assert_eq!(timeout(value), seconds, "{value}");
    }
    refused(
        "WebhookTimeout",
        &["999ms", "0:0:0.9", "7.00:00:01", "8d", "600", "soon", "-0:10:00", " "],
    );
}

#[test]
fn both_spellings_of_a_setting_may_not_contradict_each_other() {
    assert_eq!(good(&[("WebhookTimeOut", "0:1:20")]).policy.timeout, Duration::from_secs(80));
    assert_eq!(
        good(&[("WebhookTimeOut", "80s"), ("WebhookTimeout", "0:1:20")]).policy.timeout.as_secs(),
        80
    );
    assert!(problem(&[("WebhookTimeOut", "1")]).starts_with("WebhookTimeOut: "));
    let both = problem(&[("WebhookTimeOut", "1m"), ("WebhookTimeout", "2m")]);
    assert!(both.starts_with("WebhookTimeout: WebhookTimeOut is set"), "{both}");

    let group = |more: &[_]| good(more).azure.resource_group;
    assert_eq!(group(&[("ResourceGroupName", "rg")]).as_deref(), Some("rg"));
    assert_eq!(
        group(&[("ResourceGroupName", "rg"), ("RESOURCE_GROUP_NAME", "rg")]).as_deref(),
        Some("rg")
    );
    let both = problem(&[("ResourceGroupName", "rg"), ("RESOURCE_GROUP_NAME", "other")]);
    assert!(both.starts_with("RESOURCE_GROUP_NAME: ResourceGroupName is set"), "{both}");
}

#[test]
fn retention_is_at_least_a_day_and_twice_the_timeout() {
    refused("FANIN_RETENTION", &["23h", "0", "forever", "4000d"]);
    assert_eq!(good(&[("FANIN_RETENTION", "1.00:00:00")]).retention, Duration::from_secs(86_400));
    let short = problem(&[("WebhookTimeout", "2d"), ("FANIN_RETENTION", "3d")]);
    assert!(short.starts_with("FANIN_RETENTION: must be at least twice WebhookTimeout"), "{short}");
    good(&[("WebhookTimeout", "2d"), ("FANIN_RETENTION", "4d")]);
}

#[test]
fn pauses_are_a_list_of_durations() {
    let retry = good(&[("FANIN_RETRY", "100ms, 2s,0:1:0")]).retry;
    assert_eq!(retry, Retry([100, 2_000, 60_000].map(Duration::from_millis).into()));
    refused("FANIN_RETRY", &["1s,", "1", "0s", "8d", &["1s"; 65].join(",")]);
}

#[test]
fn a_call_of_a_sink_is_bounded_sensibly() {
    assert_eq!(good(&[("FANIN_SINK_TIMEOUT", "100ms")]).sink_timeout, Duration::from_millis(100));
    assert_eq!(good(&[("FANIN_SINK_TIMEOUT", "5m")]).sink_timeout, Duration::from_secs(300));
    refused("FANIN_SINK_TIMEOUT", &["99ms", "0:5:1", "15"]);
}

#[test]
fn a_word_is_one_of_those_that_are_known() {
    assert_eq!(good(&[("FANIN_CORRELATION", "id")]).intake.correlation, Correlation::Id);
    assert!(good(&[("FANIN_UNTAGGED", "True")]).intake.untagged);
    refused("FANIN_CORRELATION", &["content", " "]);
    refused("FANIN_UNTAGGED", &["yes", "1"]);
    refused("FANIN_PRIVATE_SINKS", &["on"]);
}

#[test]
fn table_and_queue_have_names_that_storage_takes() {
    refused(
        "FANIN_TABLE",
        &["ab", "1table", "fan-in", "fan in", "größe", "tables", &"a".repeat(64)],
    );
    assert_eq!(good(&[("FANIN_TABLE", &"a".repeat(63))]).table.len(), 63);
    refused(
        "FANIN_QUEUE",
        &["ab", "Fanin", "-fanin", "fanin-", "fan--in", "fan_in", &"a".repeat(64)],
    );
}

#[test]
fn registries_and_repositories_are_lists_without_gaps() {
    let config = good(&[
        ("FANIN_REGISTRIES", "MyReg.azurecr.io, myreg.westeurope.geo.azurecr.io, docker.io"),
        ("FANIN_REPOSITORIES", "samples/*, app"),
    ]);
    let registries: Vec<_> =
        config.intake.registries.iter().map(fan_in::Registry::as_str).collect();
    assert_eq!(registries, ["docker.io", "myreg.azurecr.io"]);
    assert!(config.intake.repositories.iter().any(|glob| glob.matches("samples/a/b")));
    refused("FANIN_REGISTRIES", &["a.io,,b.io", ",", "https://a.io", "*.azurecr.io", " "]);
    refused("FANIN_REPOSITORIES", &["samples/*,", "App", "app:v1", "a b"]);
}

#[test]
fn secrets_and_tokens_can_travel_in_a_header() {
    let secrets = good(&[("FANIN_WEBHOOK_SECRET", "old, new one")]).intake.secrets;
    assert_eq!(secrets, ["old", "new one"].map(Secret::new));
    refused("FANIN_WEBHOOK_SECRET", &["old,", ",", " ", "schlüssel", "a\nb"]);
    refused("FANIN_READ_TOKEN", &["token\n", " ", "to ken", "größe"]);
    assert_eq!(good(&[("FANIN_READ_TOKEN", "a,b")]).read_token, Some(Secret::new("a,b")));
}

#[test]
fn beyond_loopback_standalone_listens_with_secret_and_token_only() {
    let load = |more: &[(&str, &str)], home, listen: &str| {
        load(&env(more), home, Some(listen.parse().unwrap()))
    };
    for open in ["0.0.0.0:7071", "[::]:7071", "192.168.1.4:80", "[::ffff:10.0.0.1]:80"] {
        let problems = load(&[], None, open).unwrap_err().to_string();
        assert!(
            problems.contains("FANIN_WEBHOOK_SECRET: is missing")
                && problems.contains("FANIN_READ_TOKEN: is missing")
        );
        assert!(
            only(load(&[("FANIN_READ_TOKEN", "t")], None, open))
                .starts_with("FANIN_WEBHOOK_SECRET: ")
        );
        assert!(
            only(load(&[("FANIN_WEBHOOK_SECRET", "s")], None, open))
                .starts_with("FANIN_READ_TOKEN: ")
        );
        load(&[("FANIN_WEBHOOK_SECRET", "s"), ("FANIN_READ_TOKEN", "t")], None, open).unwrap();
    }
    for closed in ["127.0.0.1:7071", "127.1.2.3:0", "[::1]:7071", "[::ffff:127.0.0.1]:80"] {
        load(&[], None, closed).unwrap();
    }
    load(FUNCTIONS, Some(Home::Functions), "0.0.0.0:80").unwrap();
}

#[test]
fn plain_http_is_for_loopback_hosts_only() {
    for url in [
        "http://127.0.0.1:9/x",
        "http://localhost/x",
        "http://a.localhost/",
        "http://LocalHost./x",
        "http://0x7f.1/",
        "http://[::1]:1/",
        "http://[::ffff:127.0.0.1]/",
        "https://a.example",
    ] {
        good(&[
            ("SLACK_WEBHOOK_URL", url),
            ("TEAMS_WEBHOOK_URL", url),
            ("NOTIFY_WEBHOOK_URL", url),
        ]);
    }
    for name in ["SLACK_WEBHOOK_URL", "TEAMS_WEBHOOK_URL", "NOTIFY_WEBHOOK_URL"] {
        refused(
            name,
            &[
                "http://a.example/",
                "http://10.0.0.1/",
                "http://localhost.example/",
                "http://evil-localhost/",
                "http://[fe80::1]/",
                "ftp://a/",
                "a.example/x",
                "/x",
                "https://",
                "https://a b/",
            ],
        );
    }
    let user = "https://user:pw@a.example/hook";
    refused("SLACK_WEBHOOK_URL", &[user]);
    refused("TEAMS_WEBHOOK_URL", &[user]);
    let sinks = good(&[("NOTIFY_WEBHOOK_URL", user)]).sinks;
    let SinkKind::Webhook { url, .. } = &sinks[0].kind else { panic!("{sinks:?}") };
    assert_eq!(url.expose().username(), "user");
}

#[test]
fn an_address_that_no_sink_could_ever_call_stops_the_start() {
    let with = |name, url, private| [(name, url), ("FANIN_PRIVATE_SINKS", private)];
    for name in ["SLACK_WEBHOOK_URL", "TEAMS_WEBHOOK_URL", "NOTIFY_WEBHOOK_URL"] {
        for url in ["https://169.254.169.254/x", "https://[fe80::1]/", "https://0xa9fea9fe/"] {
            for private in ["", "true"] {
                let problem = problem(&with(name, url, private));
                assert!(problem.starts_with(&format!("{name}: is at a link-local")), "{problem}");
            }
        }
        for url in ["https://10.0.0.1/x", "https://[fd00::1]/", "https://0.0.0.0/"] {
            let problem = problem(&with(name, url, "false"));
            assert!(
                problem.starts_with(&format!("{name}: is at an address that is not public")),
                "{problem}"
            );
            good(&with(name, url, "true"));
        }
        for url in ["https://8.8.8.8/x", "https://127.0.0.1/", "https://[::1]/", "https://a.local/"]
        {
            good(&with(name, url, ""));
        }
        let unread = problem(&with(name, "https://10.0.0.1/x", "maybe"));
        assert!(unread.starts_with("FANIN_PRIVATE_SINKS: "), "{unread}");
    }
}

#[test]
fn variables_make_sinks_that_hear_of_what_suits_them() {
    use NoticeKind::{Completed, Recovered, TimedOut};
    let (slack, teams, hook) =
        ("https://hooks.slack.com/a", "https://teams.example/b", "https://a.example/c");
    let urls =
        [("SLACK_WEBHOOK_URL", slack), ("TEAMS_WEBHOOK_URL", teams), ("NOTIFY_WEBHOOK_URL", hook)];
    let config = good(&urls);
    assert_eq!(
        config.sinks.iter().map(|sink| sink.name.as_str()).collect::<Vec<_>>(),
        ["slack", "teams", "webhook"]
    );
    let told = [
        vec![Completed, TimedOut, Recovered],
        vec![Completed, TimedOut, Recovered],
        vec![Completed, Recovered],
    ];
    for ((sink, subscription), kinds) in
        config.sinks.iter().zip(&config.policy.subscriptions).zip(told)
    {
        assert_eq!((&subscription.sink, &subscription.kinds), (&sink.name, &kinds));
        assert_eq!(subscription.actions, [Action::Push, Action::ChartPush]);
        assert!(subscription.region.is_none() && !sink.private);
    }
    let more = [
        ("NOTIFY_WEBHOOK_FORMAT", "cloudevents"),
        ("NOTIFY_WEBHOOK_SECRET", SIGNING),
        ("FANIN_PRIVATE_SINKS", "true"),
    ];
    let config = good(&[&urls[2..], &more].concat());
    assert_eq!(config.policy.subscriptions[0].kinds, [Completed, TimedOut, Recovered]);
    assert!(config.sinks[0].private);
    let SinkKind::Webhook { format, secret, .. } = &config.sinks[0].kind else {
        panic!("no webhook")
    };
    assert_eq!(
        (*format, secret.as_ref().map(Secret::expose)),
        (Format::CloudEvents, Some(SIGNING))
    );

    refused("NOTIFY_WEBHOOK_SECRET", &[SIGNING]);
    refused("NOTIFY_WEBHOOK_FORMAT", &["acr"]);
    let wrong = problem(&[urls[2], ("NOTIFY_WEBHOOK_FORMAT", "xml")]);
    assert!(wrong.starts_with("NOTIFY_WEBHOOK_FORMAT: must be acr or cloudevents"), "{wrong}");
}

#[test]
fn a_signing_secret_is_base64_of_24_to_64_bytes_with_or_without_its_prefix() {
    let read = |text: &str| signing_secret(text).map(|secret| secret.expose().to_owned());
    let of = |bytes: usize| "QUFB".repeat(bytes / 3);
    assert_eq!(read(SIGNING).unwrap(), SIGNING);
    assert_eq!(read(SIGNING.trim_start_matches("whsec_")).unwrap(), SIGNING);
    let padded = format!("whsec_{}QQ==", of(24));
    assert_eq!(read(padded.trim_end_matches('=')).unwrap(), padded);
    assert!(read(&of(63)).is_ok());
    for text in [
        "",
        "whsec_",
        "hunter2!",
        &of(21),
        &of(66),
        "whsec_äää",
        &format!("{SIGNING}\n"),
        "whsk_AAAA",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn a_storage_connection_string_is_read_as_the_table_client_reads_it() {
    let load = |text: &str| load(&functions(&[("AzureWebJobsStorage", text)]), None, None);
    for good in [
        "UseDevelopmentStorage=true",
        "DefaultEndpointsProtocol=https;AccountName=fanin;AccountKey=QUJD;EndpointSuffix=core.windows.net",
        "AccountName=a;AccountKey=QUJD;TableEndpoint=http://127.0.0.1:10002/a",
        "TableEndpoint=https://a.table.core.windows.net/;SharedAccessSignature=sv=1&sig=x",
    ] {
        load(good).unwrap();
    }
    for bad in [
        "nonsense",
        "UseDevelopmentStorage=yes",
        "AccountName=a",
        "AccountKey=QUJD",
        "AccountName=a;AccountKey=!",
        "AccountName=a;AccountKey=QUJD;AccountName=b",
        "AccountName=a;AccountKey=QUJD;DefaultEndpointsProtocol=http",
        "AccountName=a;AccountKey=QUJD;TableEndpoint=http://a.example/",
    ] {
        assert!(only(load(bad)).starts_with("AzureWebJobsStorage: "), "{bad}");
    }
}

#[test]
fn a_setting_that_nobody_knows_is_a_problem_under_our_prefix_only() {
    let problem = problem(&[("FANIN_REGISTRYS", "a.io")]);
    assert_eq!(
        problem,
        "FANIN_REGISTRYS: there is no such setting; did you mean FANIN_REGISTRIES?"
    );
    good(&[
        ("FANINTIMER", "x"),
        ("SLACK_URL", "x"),
        ("PATH", "/bin"),
        ("AzureWebJobs.Status.Disabled", "1"),
    ]);
}

#[test]
fn a_value_that_is_not_utf8_is_a_problem_where_it_is_used() {
    for name in ["FANIN_SCHEDULE", "FANIN_CONFIG"] {
        assert_eq!(problem(&[(name, "\u{fffd}")]), format!("{name}: is not UTF-8"));
    }
    for setting in settings::SETTINGS {
        let hook = ("NOTIFY_WEBHOOK_URL", "https://a.example/");
        let mut env = functions(&[hook, (setting.name, "\u{fffd}")]);
        if setting.name.starts_with("AzureWebJobsStorage__") {
            env.remove("AzureWebJobsStorage");
        }
        let problems = load(&env, Some(Home::Functions), None).unwrap_err();
        let told = problems.lines().filter(|line| line.starts_with(&format!("{}: ", setting.name)));
        assert_eq!(told.collect::<Vec<_>>(), [format!("{}: is not UTF-8", setting.name)]);
    }
    good(&[("LS_COLORS", "\u{fffd}")]);
    let file = sink("slack", "url = \"https://a.example/${BROKEN}\"");
    let broken = load_with_file(&env(&[("BROKEN", "\u{fffd}")]), &file, None, None);
    assert!(only(broken).ends_with("the environment variable BROKEN is not UTF-8"));
}

#[test]
fn settings_of_azure_and_of_setup_are_taken_as_they_are() {
    let id =
        "/subscriptions/s/resourcegroups/rg/providers/Microsoft.ContainerRegistry/registries/r";
    let config = good(&[
        ("AZURE_TENANT_ID", "contoso.onmicrosoft.com"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "s~x"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
        ("AZURE_RESOURCE_MANAGER_ENDPOINT", "http://127.0.0.1:9/"),
        ("FANIN_REGISTRY_ID", id),
        ("FANIN_PUBLIC_URL", "https://fanin.example"),
        ("FANIN_FUNCTION_KEY", "k=="),
        ("FANIN_CONFIG", "elsewhere.toml"),
    ]);
    assert!(matches!(config.azure.identity, Identity::ClientSecret { .. }));
    assert_eq!(config.setup.registry_id.as_deref(), Some(id));
    refused("AZURE_TENANT_ID", &["a/b", "a?b"]);
    refused("AZURE_AUTHORITY_HOST", &["login.microsoftonline.com", "http://a.example"]);
    refused(
        "FANIN_REGISTRY_ID",
        &["r", "/subscriptions/s", &id.replace("registries/r", "registries/"), &format!("{id}/x")],
    );
    refused("FANIN_PUBLIC_URL", &["https://a.example/?code=x", "http://a.example"]);
    let client = [("AZURE_CLIENT_SECRET", "s"), ("AZURE_CLIENT_ID", "c")];
    assert!(problem(&client).starts_with("AZURE_TENANT_ID: is missing"));
}
