use super::super::document::{filled, lay_over, secrets, without_nulls, writable};
use serde_json::{Value, json};

fn laid(mut base: Value, over: &Value) -> Value {
    lay_over(&mut base, over);
    base
}

#[test]
fn what_only_azure_writes_is_not_written_back() {
    let shown = json!({
        "id": "/subscriptions/1", "name": "web", "type": "Microsoft.ContainerInstance/containerGroups",
        "location": "westeurope", "zones": ["1"], "tags": {"a": "b"},
        "identity": {
            "type": "SystemAssigned, UserAssigned", "principalId": "p", "tenantId": "t",
            "userAssignedIdentities": {"/x": {"principalId": "p", "clientId": "c"}},
        },
        "properties": {
            "provisioningState": "Succeeded", "isCreatedFromStandbyPool": false, "instanceView": {"state": "Running"},
            "containers": [{"name": "web", "properties": {"image": "i", "instanceView": {"restartCount": 1}}}],
            "initContainers": [{"name": "init", "properties": {"image": "j", "instanceView": {}}}],
            "ipAddress": {"ip": "1.2.3.4", "fqdn": "web.x", "dnsNameLabel": "web", "type": "Public", "ports": []},
        },
    });
    let expected = json!({
        "location": "westeurope", "zones": ["1"], "tags": {"a": "b"},
        "identity": {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {"/x": {}}},
        "properties": {
            "containers": [{"name": "web", "properties": {"image": "i"}}],
            "initContainers": [{"name": "init", "properties": {"image": "j"}}],
            "ipAddress": {"ip": "1.2.3.4", "dnsNameLabel": "web", "type": "Public", "ports": []},
        },
    });
    assert_eq!(writable(&shown), expected);
    assert_eq!(writable(&json!({})), json!({}));
}

#[test]
fn an_overlay_is_laid_over_key_by_key_and_lists_by_the_names_in_them() {
    let base = json!({
        "a": {"x": 1, "y": 2},
        "containers": [{"name": "web", "image": "i"}, {"name": "side", "image": "j"}],
        "imageRegistryCredentials": [{"server": "R.azurecr.io", "username": "u"}],
        "ports": [{"port": 80}],
        "command": ["a", "b"],
    });
    let over = json!({
        "a": {"y": 3, "z": null},
        "containers": [{"name": "side", "cpu": 1}, {"name": "new"}],
        "imageRegistryCredentials": [{"server": "r.azurecr.io", "password": "p"}],
        "ports": [{"port": 81}],
        "command": ["c"],
        "b": {"deep": true},
    });
    let expected = json!({
        "a": {"x": 1, "y": 3, "z": null},
        "containers": [
            {"name": "web", "image": "i"}, {"name": "side", "image": "j", "cpu": 1}, {"name": "new"},
        ],
        "imageRegistryCredentials": [{"server": "r.azurecr.io", "username": "u", "password": "p"}],
        "ports": [{"port": 81}],
        "command": ["c"],
        "b": {"deep": true},
    });
    assert_eq!(laid(base, &over), expected);
    assert_eq!(laid(json!([{"name": "a"}]), &json!([1])), json!([1]), "not all have a name");
    assert_eq!(laid(json!(null), &json!({"a": 1})), json!({"a": 1}));
}

#[test]
fn null_is_told_by_leaving_it_out() {
    let mut value = json!({"a": null, "b": [{"c": null, "d": 1}], "e": {"f": null}});
    without_nulls(&mut value);
    assert_eq!(value, json!({"b": [{"d": 1}], "e": {}}));
}

#[test]
fn the_image_stands_wherever_the_template_wants_it() {
    let template = json!({
        "name": "web", "type": "t", "id": "i", "apiVersion": "2023-05-01", "location": "westeurope",
        "properties": {"containers": [
            {"name": "web", "properties": {"image": "${image}", "command": ["run", "--self=${image}"]}},
        ]},
    });
    let expected = json!({
        "location": "westeurope",
        "properties": {"containers": [
            {"name": "web", "properties": {"image": "r/a@x", "command": ["run", "--self=r/a@x"]}},
        ]},
    });
    assert_eq!(filled(&template, "${image}", "r/a@x"), expected);
}

#[test]
fn secrets_are_found_where_azure_has_them() {
    let document = json!({"properties": {
        "imageRegistryCredentials": [{"server": "s", "username": "u", "password": "one"}],
        "containers": [{"properties": {"environmentVariables": [
            {"name": "A", "value": "plain"}, {"name": "B", "secureValue": "two"},
        ]}}],
        "volumes": [
            {"name": "v", "azureFile": {"storageAccountKey": "three"}},
            {"name": "w", "secret": {"a.key": "four", "b.key": "five"}},
        ],
        "diagnostics": {"logAnalytics": {"workspaceId": "w", "workspaceKey": "six"}},
        "extensions": [{"properties": {"protectedSettings": {"deep": ["seven"]}}}],
    }});
    let mut found = secrets(&document);
    found.sort();
    assert_eq!(found, ["five", "four", "one", "seven", "six", "three", "two"]);
}
