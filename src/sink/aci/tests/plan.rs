use super::super::plan::{Plan, Source, hash, plan};
use super::{DIGEST, wanted};
use crate::config::{Document, Pin};
use crate::secret::Secret;
use serde_json::{Value, json};

const WEB: &str = "r.azurecr.io/shop/web:v1";

fn shown(image: &str) -> Value {
    json!({
        "id": "x", "name": "web", "location": "westeurope", "tags": {"owner": "us"},
        "properties": {
            "provisioningState": "Succeeded",
            "instanceView": {"state": "Running"},
            "containers": [
                {"name": "web", "properties": {"image": image}},
                {"name": "side", "properties": {"image": "mcr.microsoft.com/side:1"}},
            ],
        },
    })
}

fn patch(shown: &Value) -> Plan {
    plan(Source::Patch { overlay: None }, &wanted(WEB, Pin::Digest), Some(shown))
}

fn hopeless(plan: Plan) -> String {
    match plan {
        Plan::Hopeless(sentence) => sentence,
        plan => panic!("{plan:?}"),
    }
}

fn put(plan: Plan) -> Value {
    match plan {
        Plan::Put(document) => document,
        plan => panic!("{plan:?}"),
    }
}

fn pinned() -> String {
    format!("r.azurecr.io/shop/web@{DIGEST}")
}

#[test]
fn a_patch_changes_the_image_and_one_tag_and_nothing_else() {
    let expected = json!({
        "location": "westeurope",
        "tags": {"owner": "us", "fanin-push": DIGEST},
        "properties": {"containers": [
            {"name": "web", "properties": {"image": pinned()}},
            {"name": "side", "properties": {"image": "mcr.microsoft.com/side:1"}},
        ]},
    });
    assert_eq!(put(patch(&shown("r.azurecr.io/shop/web:v0"))), expected);
}

#[test]
fn nothing_is_written_where_nothing_would_change() {
    assert_eq!(patch(&shown(&pinned())), Plan::Nothing, "equal digests are enough");
    let tagged = wanted(WEB, Pin::Tag);
    let source = Source::Patch { overlay: None };
    let mut group = shown(WEB);
    put(plan(source, &tagged, Some(&group)));
    group["tags"]["fanin-push"] = json!(DIGEST);
    assert_eq!(plan(source, &tagged, Some(&group)), Plan::Nothing);
}

#[test]
fn a_group_that_failed_is_written_again() {
    let mut group = shown(&pinned());
    group["properties"]["provisioningState"] = json!("Failed");
    put(patch(&group));
}

#[test]
fn an_update_that_is_under_way_is_ours_or_somebody_elses() {
    for state in ["Pending", "Updating", "Repairing", "SomethingNew"] {
        let mut group = shown(&pinned());
        group["properties"]["provisioningState"] = json!(state);
        assert_eq!(patch(&group), Plan::Underway, "{state}");
        let mut group = shown("r.azurecr.io/shop/web:v0");
        group["properties"]["provisioningState"] = json!(state);
        let waits = matches!(patch(&group), Plan::Wait(said) if said.contains(state));
        assert!(waits, "{state}");
    }
}

#[test]
fn a_patch_says_why_it_cannot_be() {
    let elsewhere = patch(&shown("r.azurecr.io/other:v0"));
    let Plan::Elsewhere(none) = elsewhere else { panic!("{elsewhere:?}") };
    let expected = "nothing to change: no container of the group runs r.azurecr.io/shop/web; \
                    it has web (r.azurecr.io/other:v0), side (mcr.microsoft.com/side:1)";
    assert_eq!(none, expected);
    let source = Source::Patch { overlay: None };
    let absent = hopeless(plan(source, &wanted(WEB, Pin::Digest), None));
    assert!(absent.contains("does not exist"), "{absent}");
    for (state, word) in
        [("Stopped", "is stopped"), ("Succeeded", "has ended"), ("Failed", "has ended")]
    {
        let mut group = shown("r.azurecr.io/shop/web:v0");
        group["properties"]["instanceView"]["state"] = json!(state);
        let said = hopeless(patch(&group));
        assert!(said.contains(word) && said.contains("start it"), "{said}");
    }
    let mut confidential = shown("r.azurecr.io/shop/web:v0");
    confidential["properties"]["sku"] = json!("Confidential");
    confidential["properties"]["confidentialComputeProperties"] = json!({"ccePolicy": "cGF5"});
    let said = hopeless(patch(&confidential));
    assert!(said.contains("ccePolicy"), "{said}");
}

#[test]
fn a_group_that_runs_the_image_and_is_stopped_does_not_run_it() {
    let mut group = shown(&pinned());
    group["properties"]["instanceView"]["state"] = json!("Stopped");
    assert!(hopeless(patch(&group)).contains("is stopped"));
}

#[test]
fn a_patch_that_would_lose_something_says_what_until_an_overlay_gives_it() {
    let mut group = shown("r.azurecr.io/shop/web:v0");
    group["properties"]["containers"][1]["properties"]["environmentVariables"] =
        json!([{"name": "KEY"}]);
    group["properties"]["volumes"] = json!([{"name": "certs", "secret": {}}]);
    group["properties"]["diagnostics"] = json!({"logAnalytics": {"workspaceId": "w"}});
    let said = hopeless(patch(&group));
    let expected = "an update would lose containers[side].environmentVariables[KEY], volumes[certs].secret, \
                    diagnostics.logAnalytics.workspaceKey, diagnostics.logAnalytics.logType, \
                    diagnostics.logAnalytics.metadata, diagnostics.logAnalytics.workspaceResourceId; \
                    give them in an overlay, or use a template";
    assert_eq!(said, expected);
    let overlay = json!({"properties": {
        "containers": [{"name": "side", "properties": {"environmentVariables": [{"name": "KEY", "secureValue": "k"}]}}],
        "volumes": [{"name": "certs", "secret": {"a.key": "Zg=="}}],
        "diagnostics": {"logAnalytics": {
            "workspaceKey": "w", "logType": "ContainerInsights", "metadata": {}, "workspaceResourceId": "",
        }},
    }});
    let source = Source::Patch { overlay: Some(&overlay) };
    let document = put(plan(source, &wanted(WEB, Pin::Digest), Some(&group)));
    let properties = &document["properties"];
    assert_eq!(
        properties["diagnostics"]["logAnalytics"],
        json!({"workspaceId": "w", "workspaceKey": "w", "logType": "ContainerInsights"})
    );
    assert_eq!(properties["volumes"][0]["secret"], json!({"a.key": "Zg=="}));
    assert_eq!(properties["containers"][1]["properties"]["image"], "mcr.microsoft.com/side:1");
    let variables = &properties["containers"][1]["properties"]["environmentVariables"];
    assert_eq!(variables, &json!([{"name": "KEY", "secureValue": "k"}]));
}

#[test]
fn a_long_list_of_losses_is_cut_between_two_of_them() {
    let mut group = shown("r.azurecr.io/shop/web:v0");
    let variables: Vec<_> = (0..40).map(|n| json!({"name": format!("SECRET_{n}")})).collect();
    group["properties"]["containers"][0]["properties"]["environmentVariables"] = json!(variables);
    let said = hopeless(patch(&group));
    assert!(said.chars().count() <= crate::limits::TEXT_CHARS_MAX, "{said}");
    assert!(said.ends_with(", and 35 more (see log)"), "{said}");
    assert!(said.contains("containers[web].environmentVariables[SECRET_4], "), "{said}");
}

const TEMPLATE: &str = r#"{
    "name": "web", "location": "westeurope", "tags": {"team": "shop"},
    "properties": {"containers": [
        {"name": "web", "properties": {"image": "${image}"}},
        {"name": "side", "properties": {"image": "mcr.microsoft.com/side:1"}}
    ]}
}"#;

fn from_template(hash: &str, create: bool, shown: Option<&Value>) -> Plan {
    let template: Value = serde_json::from_str(TEMPLATE).unwrap();
    let source = Source::Template { template: &template, hash, create };
    plan(source, &wanted(WEB, Pin::Digest), shown)
}

#[test]
fn a_template_is_the_whole_group_but_for_the_tags_of_others() {
    let document = put(from_template("h1", false, Some(&shown("r.azurecr.io/shop/web:v0"))));
    let expected =
        json!({"owner": "us", "team": "shop", "fanin-push": DIGEST, "fanin-template": "h1"});
    assert_eq!(document["tags"], expected);
    assert_eq!(document["properties"]["containers"][0]["properties"]["image"], pinned());
    assert_eq!(document.get("name"), None);
}

#[test]
fn a_template_is_applied_again_when_it_says_something_new() {
    let mut group = shown(&pinned());
    put(from_template("h1", false, Some(&group)));
    group["tags"]["fanin-push"] = json!(DIGEST);
    group["tags"]["fanin-template"] = json!("h1");
    assert_eq!(from_template("h1", false, Some(&group)), Plan::Nothing);
    put(from_template("h2", false, Some(&group)));
    group["properties"]["containers"][1]["properties"]["image"] = json!("mcr.microsoft.com/side:0");
    put(from_template("h1", false, Some(&group)));
}

#[test]
fn a_group_is_made_where_the_settings_say_so_and_only_there() {
    let said = hopeless(from_template("h1", false, None));
    assert!(said.contains("create = true"), "{said}");
    let document = put(from_template("h1", true, None));
    assert_eq!(document["tags"]["team"], "shop");
}

#[test]
fn secrets_do_not_show_in_what_tells_templates_apart() {
    let document = |key: &str, cpu: f64| {
        let value = json!({"a": {"secureValue": key}, "b": format!("key={key}"), "cpu": cpu});
        hash(&Document::new(value, vec![Secret::new(key)]))
    };
    assert_eq!(document("one", 1.0), document("another", 1.0));
    assert_ne!(document("one", 1.0), document("one", 2.0));
    assert_eq!(document("one", 1.0).len(), 16);
}
