//! `fanin.toml`.

use super::*;
use NoticeKind::{Completed, Deployed, Recovered, RegionReady, TimedOut};

const URL: &str = "url = \"https://a.example/x\"";

/// The only problem of the only sink, without what it begins with.
fn wrong(kind: &str, keys: &str) -> String {
    let problem = file_problem(&sink(kind, keys));
    let sentence = problem.strip_prefix("fanin.toml: sink \"it\": key ");
    sentence.unwrap_or_else(|| panic!("{problem}")).to_owned()
}

#[test]
fn each_type_has_its_keys_and_what_it_hears_of() {
    let kinds = |toml: &str| good_file(toml).policy.subscriptions[0].kinds.clone();
    assert_eq!(kinds(&sink("slack", URL)), [Completed, TimedOut, Recovered]);
    assert_eq!(kinds(&sink("teams", URL)), [Completed, TimedOut, Recovered]);
    assert_eq!(kinds(&sink("webhook", URL)), [Completed, Recovered]);
    assert_eq!(
        kinds(&sink("webhook", &format!("{URL}\nformat = \"cloudevents\""))),
        [Completed, TimedOut, Recovered]
    );
    assert_eq!(kinds(&sink("log", "")), [RegionReady, Completed, TimedOut, Recovered]);
    for (kind, key, value) in
        [("slack", "secret", "\"x\""), ("log", "url", "\"x\""), ("webhook", "colour", "1")]
    {
        let url = if kind == "log" { "" } else { URL };
        let problem = wrong(kind, &format!("{key} = {value}\n{url}"));
        assert!(problem.starts_with(&format!("{key}: there is no such key here")), "{problem}");
    }
    assert!(
        wrong("slack", &format!("{URL}\nrepositorys = [\"a\"]"))
            .ends_with("did you mean repositories?")
    );
    assert_eq!(wrong("teams", ""), "url: is missing");
}

#[test]
fn a_webhook_is_read_with_everything_it_may_have() {
    let config = good_file(&sink(
        "webhook",
        r#"
        url = "https://u:p@a.example/x"
        format = "cloudevents"
        secret = "${SECRET}"
        headers = { X-Cluster = "west", X-Token = "$${${SECRET}" }
        user_agent = "Mozilla/5.0 (like a registry)"
        on = ["region_ready", "deployed"]
        region = "West Europe"
        actions = ["delete", "push"]
        repositories = ["samples/*"]
        tags = ["v*"]
        private = true
        "#,
    ));
    let SinkConfig { name, private, kind } = &config.sinks[0];
    let SinkKind::Webhook { format, secret, headers, user_agent, .. } = kind else {
        panic!("{kind:?}")
    };
    assert!(name == "it" && *private && *format == Format::CloudEvents && user_agent.is_some());
    assert_eq!(secret.as_ref().map(Secret::expose), Some(SIGNING));
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("X-Cluster", "west"), ("X-Token", &format!("${{{SIGNING}"))]);
    let subscription = &config.policy.subscriptions[0];
    assert_eq!(subscription.sink, "it");
    assert_eq!(subscription.kinds, [RegionReady, Deployed]);
    assert_eq!(
        subscription.region.as_ref().map(ToString::to_string).as_deref(),
        Some("westeurope")
    );
    assert_eq!(subscription.actions, [Action::Delete, Action::Push]);
    assert!(
        subscription.repositories[0].matches("samples/x") && subscription.tags[0].matches("v1")
    );
}

#[test]
fn a_key_of_the_wrong_kind_is_refused() {
    for keys in [
        "on = []",
        "on = \"completed\"",
        "on = [\"complete\"]",
        "on = [1]",
        "on = [\"\"]",
        "actions = [\"pull\"]",
        "actions = []",
        "repositories = [\"App\"]",
        "tags = [\"a/b\"]",
        "tags = [\" \"]",
        "private = \"true\"",
        "region = 1",
    ] {
        let key = keys.split_once(' ').unwrap().0;
        let problem = wrong("slack", &format!("{URL}\n{keys}"));
        assert!(problem.starts_with(&format!("{key}: ")), "{keys}: {problem}");
    }
    for url in [
        "\"\"",
        "5",
        "\"http://a.example\"",
        "\"https://u:p@a.example\"",
        "\"${NOT_SET}\"",
        "\"${\"",
    ] {
        assert!(wrong("slack", &format!("url = {url}")).starts_with("url: "), "{url}");
    }
    assert_eq!(
        wrong("teams", "url = \"${NOT_SET}\""),
        "url: the environment variable NOT_SET is not set"
    );
}

#[test]
fn a_sink_of_a_wrong_type_is_looked_through_all_the_same() {
    let keys = r#"
        on = ["completed", "done", 1, "never"]
        region = "mars"
        actions = ["pull"]
        repositories = ["App", "app:1"]
        tags = ["a/b"]
        private = "true"
        repositorys = ["a"]
        url = "https://a.example/x"
        container_group = "web"
    "#;
    let twice = format!("{}{}", sink("log", ""), sink("fax", keys));
    let problems = load_with_file(&env(&[]), &twice, None, None).unwrap_err();
    let told = |line: &str| {
        let line = line.strip_prefix("fanin.toml: sink \"it\": key ").unwrap();
        line.split_once(": ").unwrap().0.to_owned()
    };
    let mut keys: Vec<_> = problems.lines().map(told).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "actions",
            "name",
            "on",
            "on",
            "on",
            "private",
            "region",
            "repositories",
            "repositories",
            "repositorys",
            "tags",
            "type"
        ],
        "{problems}"
    );
    let alone = file_problem(&sink("fax", "on = [\"region_ready\"]\nregion = \"westeurope\""));
    assert!(alone.contains("key type: must be slack or"), "{alone}");
    assert!(file_problem(&sink("fax", "region = \"westeurope\"")).contains("key type: "));
}

#[test]
fn a_sink_at_a_private_address_says_so() {
    for kind in ["slack", "teams", "webhook"] {
        let private = "url = \"https://10.0.0.1/x\"";
        let problem = wrong(kind, private);
        assert!(problem.starts_with("url: is at an address that is not public"), "{problem}");
        good_file(&sink(kind, &format!("{private}\nprivate = true")));
        let unread = wrong(kind, &format!("{private}\nprivate = 1"));
        assert!(unread.starts_with("private: "), "{unread}");
        let machine = "url = \"https://169.254.169.254/x\"\nprivate = true";
        assert!(wrong(kind, machine).starts_with("url: is at a link-local address"));
    }
}

#[test]
fn a_registrys_own_format_is_for_completed_and_recovered_only() {
    for (format, kinds) in
        [("", "\"timed_out\""), ("format = \"acr\"", "\"completed\", \"deployed\"")]
    {
        let problem = wrong("webhook", &format!("{URL}\n{format}\non = [{kinds}]"));
        assert!(
            problem.starts_with("on: ") && problem.contains("completed and recovered only"),
            "{problem}"
        );
    }
    assert!(wrong("log", "on = [\"job_failed\"]").starts_with("on: job_failed does not fit"));
    let wrong_format = wrong("webhook", &format!("{URL}\nformat = \"xml\"\non = [\"timed_out\"]"));
    assert_eq!(wrong_format, "format: must be acr or cloudevents");
    good_file(&sink(
        "slack",
        &format!(
            "{URL}\non = [\"deployed\", \"deploy_failed\", \"job_succeeded\", \"job_failed\"]"
        ),
    ));
}

#[test]
fn a_region_is_one_of_the_configured_and_needs_region_ready() {
    assert_eq!(wrong("log", "region = \"mars\""), "region: is not one of WebhookRegions");
    assert!(
        wrong("slack", &format!("{URL}\nregion = \"westeurope\""))
            .starts_with("region: means something for region_ready")
    );
    good_file(&sink("log", "region = \"North Europe\""));
    good_file(&sink("log", "region = \"global\""));
    let unread = load_with_file(
        &env(&[("WebhookRegions", "a,,b")]),
        &sink("log", "region = \"mars\""),
        None,
        None,
    );
    assert!(only(unread).starts_with("WebhookRegions: "));
}

#[test]
fn headers_are_such_as_http_can_carry() {
    let headers = |headers: &str| wrong("webhook", &format!("{URL}\nheaders = {headers}"));
    for bad in [
        "5",
        "{ \"X Y\" = \"a\" }",
        "{ \"\" = \"a\" }",
        "{ X = 5 }",
        "{ X = \"a\\nb\" }",
        "{ X = \"größe\" }",
        "{ X = \" a\" }",
        "{ X = \"${NOT_SET}\" }",
        "{ Webhook-Id = \"a\" }",
        "{ Content-Length = \"1\" }",
        "{ te = \"a\" }",
        "{ X = \"a\", x = \"b\" }",
    ] {
        assert!(headers(bad).starts_with("headers"), "{bad}");
    }
    let agents = format!("{URL}\nuser_agent = \"a\"\nheaders = {{ User-Agent = \"b\" }}");
    assert!(wrong("webhook", &agents).starts_with("headers: User-Agent contradicts"));
    let twice = wrong(
        "webhook",
        "url = \"https://u:p@a.example\"\nheaders = { authorization = \"Bearer x\" }",
    );
    assert!(twice.starts_with("headers: authorization contradicts"), "{twice}");
    assert!(
        wrong("webhook", &format!("{URL}\nuser_agent = \"a\\rb\"")).starts_with("user_agent: ")
    );
    assert!(wrong("webhook", &format!("{URL}\nsecret = \"hunter2\"")).starts_with("secret: "));
}

#[test]
fn no_two_sinks_have_one_name() {
    let two = format!("{}{}", sink("log", ""), sink("slack", URL));
    assert!(
        file_problem(&two).starts_with("fanin.toml: sink \"it\": key name: another sink has it")
    );
    let env = env(&[("SLACK_WEBHOOK_URL", "https://hooks.slack.com/x")]);
    let toml = "[[sink]]\nname = \"slack\"\ntype = \"log\"\n";
    assert!(
        only(load_with_file(&env, toml, None, None))
            .starts_with("fanin.toml: sink \"slack\": key name: ")
    );
    for name in ["\"\"", "\" a\"", "\"a\\nb\"", "5", &format!("\"{}\"", "a".repeat(65))] {
        let problem = file_problem(&format!("[[sink]]\nname = {name}\ntype = \"log\"\n"));
        assert!(
            problem.starts_with("fanin.toml: sink 1: key name: ") && !problem.contains('\n'),
            "{problem}"
        );
    }
}

#[test]
fn there_are_at_most_32_sinks() {
    let many = |count: usize| {
        (0..count)
            .map(|n| format!("[[sink]]\nname = \"s{n}\"\ntype = \"log\"\n"))
            .collect::<String>()
    };
    assert_eq!(good_file(&many(32)).sinks.len(), 32);
    assert_eq!(file_problem(&many(33)), "fanin.toml: there are more than 32 sinks");
    let env = env(&[("SLACK_WEBHOOK_URL", "https://hooks.slack.com/x")]);
    assert_eq!(
        only(load_with_file(&env, &many(32), None, None)),
        "fanin.toml: there are more than 32 sinks"
    );
}

#[test]
fn what_is_not_toml_or_not_sinks_is_refused_with_its_place() {
    let syntax = file_problem("# ok\n[[sink]]\nname = \"a\nurl = canary\n");
    assert!(
        syntax.starts_with("fanin.toml: line 3, column ") && !syntax.contains("canary"),
        "{syntax}"
    );
    assert!(file_problem("a = 1\na = 2\n").starts_with("fanin.toml: line 2, column 1 "));
    for toml in ["[sink]\nname = \"a\"\n", "sink = 5", "sink = [5]", "colour = 1", "[[sinks]]\n"] {
        let problem = file_problem(toml);
        assert!(problem.starts_with("fanin.toml: "), "{problem}");
    }
    assert!(file_problem("[[sinks]]\n").contains("did you mean sink?"));
    assert!(good_file("").sinks.is_empty());
}
