//! Sinks that deploy, and jobs.

use super::*;
use NoticeKind::{Completed, DeployFailed, JobFailed, Recovered, RegionReady};
use std::fs;

const ALLOWED: &[(&str, &str)] = &[
    ("FANIN_REGISTRIES", "shop.azurecr.io"),
    ("FANIN_REPOSITORIES", "shop/*"),
    ("AZURE_SUBSCRIPTION_ID", "sub"),
    ("RESOURCE_GROUP_NAME", "rg"),
    ("PASSWORD", "hunter2"),
];

const UPDATE: &str = "container_group = \"web\"";
const JOB: &str = "[[job]]\nname = \"build\"\nimage = \"shop.azurecr.io/shop/build:1\"\n";

fn loaded(toml: &str) -> Result<Config, Problems> {
    load_with_file(&env(ALLOWED), toml, None, None)
}

fn update(keys: &str) -> AciUpdate {
    match loaded(&sink("aci-update", keys)).unwrap().sinks.remove(0).kind {
        SinkKind::AciUpdate(update) => update,
        other => panic!("{other:?}"),
    }
}

fn wrong(kind: &str, keys: &str) -> String {
    only(loaded(&sink(kind, keys)))
}

/// The settings with a file in a folder of its own, beside these others.
fn beside(files: &[(&str, &str)], toml: &str) -> Result<Config, Problems> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().join("settings.toml");
    fs::write(&path, toml).unwrap();
    let mut env = env(ALLOWED);
    env.insert("FANIN_CONFIG".to_owned(), path.to_str().unwrap().to_owned());
    super::super::load(&env, None, None)
}

const TEMPLATE: &str = r#"{
    "location": "westeurope",
    "properties": {
        "containers": [{ "name": "web", "properties": { "image": "${image}",
            "environmentVariables": [{ "name": "P", "secureValue": "${PASSWORD}" }] } }]
    }
}"#;

#[test]
fn a_container_group_is_patched_and_pinned_by_digest_where_nothing_else_is_said() {
    let update = update(UPDATE);
    assert_eq!((update.subscription.as_str(), update.resource_group.as_str()), ("sub", "rg"));
    assert_eq!(update.how, How::Patch { overlay: None });
    assert_eq!(
        (update.pin, update.create, update.watch),
        (Pin::Digest, false, Duration::from_secs(120))
    );
    assert_eq!(update.allowed.registries[0].as_str(), "shop.azurecr.io");
    assert_eq!(update.allowed.repositories[0].as_str(), "shop/*");
}

#[test]
fn a_group_has_keys_of_its_own() {
    let update = update(
        "container_group = \"web\"\nsubscription = \"other\"\nresource_group = \"there\"\npin = \"tag\"\nwatch = \"30s\"",
    );
    assert_eq!((update.subscription.as_str(), update.resource_group.as_str()), ("other", "there"));
    assert_eq!((update.pin, update.watch), (Pin::Tag, Duration::from_secs(30)));
}

#[test]
fn what_deploys_hears_of_images_that_are_there() {
    let subscription = |toml: &str| loaded(toml).unwrap().policy.subscriptions.remove(0);
    let everywhere = subscription(&sink("aci-update", UPDATE));
    assert_eq!(everywhere.kinds, [Completed, Recovered]);
    assert_eq!(everywhere.actions, [Action::Push]);
    assert_eq!(everywhere.failure, Some(DeployFailed));
    let job = subscription(&format!("{JOB}{}", sink("aci-job", "job = \"build\"")));
    assert_eq!((job.kinds, job.failure), (vec![Completed, Recovered], Some(JobFailed)));
    let ready = format!("{UPDATE}\non = [\"region_ready\"]\nregion = \"westeurope\"");
    assert_eq!(subscription(&sink("aci-update", &ready)).kinds, [RegionReady]);
    for (keys, key) in [
        ("on = [\"region_ready\"]", "region"),
        ("on = [\"timed_out\"]", "on"),
        ("on = [\"deployed\"]", "on"),
        ("actions = [\"push\", \"delete\"]", "actions"),
    ] {
        let problem = wrong("aci-update", &format!("{UPDATE}\n{keys}"));
        assert!(problem.starts_with(&format!("fanin.toml: sink \"it\": key {key}: ")), "{problem}");
    }
}

#[test]
fn a_template_is_read_beside_the_settings_and_filled_from_the_environment() {
    let toml = sink("aci-update", &format!("{UPDATE}\ntemplate = \"web.json\"\ncreate = true"));
    let config = beside(&[("web.json", TEMPLATE)], &toml).unwrap();
    let SinkKind::AciUpdate(update) = &config.sinks[0].kind else { panic!("{config:?}") };
    let How::Template(document) = &update.how else { panic!("{config:?}") };
    let container = &document.expose()["properties"]["containers"][0]["properties"];
    assert_eq!(container["image"], "${image}");
    assert_eq!(container["environmentVariables"][0]["secureValue"], "hunter2");
    assert_eq!(document.filled()[0].expose(), "hunter2");
    assert!(update.create && !format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_document_that_cannot_be_meant_is_refused_without_what_it_says() {
    let toml = sink("aci-update", &format!("{UPDATE}\ntemplate = \"web.json\""));
    let broken = |text: &str| only(beside(&[("web.json", text)], &toml));
    for (text, part) in [
        ("{ \"canary\" ", "not JSON: line 1"),
        ("[]", "not a JSON object"),
        (&TEMPLATE.replace("${image}", "canary"), "has ${image} nowhere"),
        (&TEMPLATE.replace("location", "canary"), "no location"),
        (&TEMPLATE.replace("containers", "canary"), "no properties.containers"),
        (&TEMPLATE.replace("PASSWORD", "NOT_THERE"), "NOT_THERE is not set"),
    ] {
        let problem = broken(text);
        assert!(problem.contains(part) && !problem.contains("canary"), "{problem}");
    }
    let absent = only(beside(&[], &toml));
    assert!(absent.contains("key template: names a file that is not there"), "{absent}");
    let nowhere = only(loaded(&toml));
    assert!(nowhere.contains("key template: is relative to a file"), "{nowhere}");
}

#[test]
fn an_overlay_is_a_table_or_a_file() {
    let table = "[sink.overlay.properties]\ndiagnostics = { logAnalytics = { workspaceKey = \"${PASSWORD}\" } }";
    let from_table = update(&format!("{UPDATE}\n{table}"));
    let How::Patch { overlay: Some(document) } = from_table.how else { panic!("{from_table:?}") };
    let key = &document.expose()["properties"]["diagnostics"]["logAnalytics"]["workspaceKey"];
    assert_eq!(key, "hunter2");
    let toml = sink("aci-update", &format!("{UPDATE}\noverlay = \"more.json\""));
    let config = beside(&[("more.json", "{\"tags\": {}}")], &toml).unwrap();
    assert!(
        matches!(&config.sinks[0].kind, SinkKind::AciUpdate(u) if matches!(u.how, How::Patch { overlay: Some(_) }))
    );
    let problem = only(beside(&[("more.json", "{\"a\": \"${image}\"}")], &toml));
    assert!(problem.contains("${image} is for templates"), "{problem}");
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    let both =
        sink("aci-update", &format!("{UPDATE}\ntemplate = \"web.json\"\noverlay = \"more.json\""));
    let problem = only(beside(&[("web.json", TEMPLATE)], &both));
    assert!(problem.contains("key overlay: means nothing beside a template"), "{problem}");
    let problem = wrong("aci-update", &format!("{UPDATE}\ncreate = true"));
    assert!(problem.contains("key create: needs a template"), "{problem}");
}

#[test]
fn values_have_their_bounds() {
    for (keys, key) in [
        ("container_group = \"Web\"", "container_group"),
        ("container_group = \"-web\"", "container_group"),
        ("container_group = \"web\"\nwatch = \"2h\"", "watch"),
        ("container_group = \"web\"\npin = \"hash\"", "pin"),
        ("container_group = \"web\"\nsubscription = \"a/b\"", "subscription"),
    ] {
        let problem = wrong("aci-update", keys);
        assert!(problem.contains(&format!("key {key}: ")), "{problem}");
    }
    for (keys, key) in [
        ("cpu = 0", "cpu"),
        ("memory_gb = \"1\"", "memory_gb"),
        ("ttl = \"8d\"", "ttl"),
        ("environment = { \"1A\" = \"x\" }", "environment"),
        ("identity = \"me\"", "identity"),
        ("allow_args = 1", "allow_args"),
        ("colour = 1", "colour"),
    ] {
        let problem = only(loaded(&format!("{JOB}{keys}\n")));
        assert!(
            problem.starts_with(&format!("fanin.toml: job \"build\": key {key}: ")),
            "{problem}"
        );
    }
    let problem = only(loaded("[[job]]\nname = \"x\"\nimage = \"a b\"\n"));
    assert!(problem.contains("key image: is no image"), "{problem}");
}

#[test]
fn a_job_is_read_with_everything_it_may_have() {
    let toml = r#"
        [[job]]
        name = "build"
        image = "${image}"
        command = ["make", "-j2"]
        cpu = 2
        memory_gb = 3.5
        location = "westeurope"
        environment = { TOKEN = "${PASSWORD}" }
        identity = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
        ttl = "10m"
        allow_args = true
    "#;
    let config = loaded(toml).unwrap();
    let job = &config.jobs[0];
    assert_eq!((job.image.clone(), job.cpu, job.memory_gb), (JobImage::Pushed, 2.0, 3.5));
    assert_eq!(job.command.iter().map(Secret::expose).collect::<Vec<_>>(), ["make", "-j2"]);
    assert_eq!(job.secrets[0].expose(), "hunter2");
    assert_eq!(job.environment[0].1.expose(), "hunter2");
    assert_eq!((job.ttl, job.allow_args), (Duration::from_secs(600), true));
    assert!(!format!("{config:?}").contains("hunter2"));
    let plain = loaded(JOB).unwrap().jobs.remove(0);
    assert_eq!((plain.cpu, plain.memory_gb, plain.location), (1.0, 1.5, None));
}

#[test]
fn a_sink_starts_a_job_that_there_is_maybe_elsewhere() {
    let keys = "job = \"build\"\nresource_group = \"there\"";
    let config = loaded(&format!("{JOB}{}", sink("aci-job", keys))).unwrap();
    let SinkKind::AciJob(sink) = &config.sinks[0].kind else { panic!("{config:?}") };
    assert_eq!(
        (sink.job.subscription.as_str(), sink.job.resource_group.as_str()),
        ("sub", "there")
    );
    assert!(wrong("aci-job", "job = \"build\"").contains("there is no [[job]] of this name"));
}

#[test]
fn no_two_jobs_have_one_name_whatever_else_is_wrong_with_them() {
    let told = |toml: &str| {
        let problems = loaded(toml).unwrap_err();
        let count = |part: &str| problems.lines().filter(|line| line.contains(part)).count();
        let twice = count("job \"build\": key name: another job has it");
        (twice, problems.lines().count())
    };
    let broken = "[[job]]\nname = \"build\"\nimage = \"a b\"\n";
    assert_eq!(told(&format!("{JOB}{JOB}")), (1, 1));
    assert_eq!(told(&format!("{JOB}{broken}")), (1, 2));
    assert_eq!(told(&format!("{broken}{JOB}")), (1, 2));
    // A sink of the broken one has no problem of its own, one of none at all has.
    let sinks = |job: &str| format!("{broken}{}", sink("aci-job", &format!("job = \"{job}\"")));
    assert_eq!(told(&sinks("build")), (0, 1));
    assert_eq!(told(&sinks("other")), (0, 2));
}

#[test]
fn arguments_follow_a_command() {
    let problem = only(loaded(&format!("{JOB}allow_args = true\n")));
    assert!(problem.contains("key allow_args: needs the key command"), "{problem}");
    loaded(&format!("{JOB}allow_args = false\n")).unwrap();
    loaded(&format!("{JOB}command = [\"make\"]\nallow_args = true\n")).unwrap();
}

#[test]
fn what_deploys_says_whose_images_may_run() {
    let mut env = env(ALLOWED);
    env.remove("FANIN_REGISTRIES");
    let one = only(load_with_file(&env, &sink("aci-update", UPDATE), None, None));
    assert!(one.starts_with("FANIN_REGISTRIES: is missing; a sink deploys"), "{one}");
    env.remove("FANIN_REPOSITORIES");
    let both = load_with_file(&env, &sink("aci-update", UPDATE), None, None).unwrap_err();
    assert_eq!(both.lines().count(), 2, "{both}");
    let broken = load_with_file(&env, &sink("aci-job", "job = \"no\""), None, None).unwrap_err();
    assert_eq!(broken.lines().count(), 3, "{broken}");
    env.insert("CONTAINER_GROUP_NAME".to_owned(), "-".to_owned());
    assert_eq!(load_with_file(&env, "", None, None).unwrap_err().lines().count(), 3);
}

#[test]
fn the_environment_alone_makes_the_sink_aci() {
    let group = [ALLOWED, &[("CONTAINER_GROUP_NAME", "web")]].concat();
    let config = good(&group);
    let (sink, subscription) = (&config.sinks[0], &config.policy.subscriptions[0]);
    assert_eq!(sink.name, "aci");
    assert!(matches!(&sink.kind, SinkKind::AciUpdate(update) if update.container_group == "web"));
    assert_eq!(
        (subscription.kinds.clone(), subscription.failure),
        (vec![Completed, Recovered], Some(DeployFailed))
    );
    let without: Vec<_> =
        group.iter().filter(|(name, _)| *name != "RESOURCE_GROUP_NAME").copied().collect();
    assert!(problem(&without).starts_with("RESOURCE_GROUP_NAME: is missing"));
    let other = [&without[..], &[("ResourceGroupName", "rg")]].concat();
    assert_eq!(good(&other).sinks.len(), 1);
}
