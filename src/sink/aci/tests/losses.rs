use super::super::losses::losses;
use serde_json::{Value, json};

fn lost(properties: Value) -> Vec<String> {
    losses(&json!({ "properties": properties }))
}

#[test]
fn everything_that_azure_keeps_to_itself_is_named() {
    let found = lost(json!({
        "imageRegistryCredentials": [{"server": "r.azurecr.io", "username": "puller"}],
        "containers": [{"name": "web", "properties": {"environmentVariables": [
            {"name": "PLAIN", "value": "x"}, {"name": "API_KEY"},
        ]}}],
        "initContainers": [{"name": "init", "properties": {"environmentVariables": [{"name": "TOKEN"}]}}],
        "volumes": [
            {"name": "share", "azureFile": {"shareName": "s", "storageAccountName": "a"}},
            {"name": "certs", "secret": {}},
            {"name": "scratch", "emptyDir": {}},
        ],
        "diagnostics": {"logAnalytics": {"workspaceId": "w"}},
        "extensions": [{"name": "proxy", "properties": {"extensionType": "kube-proxy"}}],
    }));
    assert_eq!(
        found,
        [
            "imageRegistryCredentials[r.azurecr.io].password",
            "initContainers[init].environmentVariables[TOKEN]",
            "containers[web].environmentVariables[API_KEY]",
            "volumes[share].azureFile.storageAccountKey",
            "volumes[certs].secret",
            "diagnostics.logAnalytics.workspaceKey",
            "extensions[proxy].protectedSettings",
            "diagnostics.logAnalytics.logType",
            "diagnostics.logAnalytics.metadata",
            "diagnostics.logAnalytics.workspaceResourceId",
        ]
    );
}

#[test]
fn what_can_be_read_back_or_was_given_is_not_lost() {
    let found = lost(json!({
        "imageRegistryCredentials": [
            {"server": "a", "identity": "/subscriptions/1"},
            {"server": "b", "username": "u", "passwordReference": "ref"},
            {"server": "c", "username": "u", "password": "given"},
        ],
        "containers": [{"name": "web", "properties": {"environmentVariables": [
            {"name": "A", "value": ""},
            {"name": "B", "secureValueReference": "ref"},
            {"name": "C", "secureValue": "given"},
        ]}}],
        "volumes": [
            {"name": "a", "azureFile": {"storageAccountKeyReference": "ref"}},
            {"name": "b", "azureFile": {"storageAccountKey": "given"}},
            {"name": "c", "secretReference": {"a": "ref"}},
            {"name": "d", "secret": {"a.key": "given"}},
        ],
        "diagnostics": {"logAnalytics": {
            "workspaceKey": "given", "logType": "", "metadata": {}, "workspaceResourceId": null,
        }},
        "extensions": [{"name": "proxy", "properties": {"protectedSettings": null}}],
    }));
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(lost(json!({})), Vec::<String>::new());
}
