//! Container groups for tests.

use serde_json::{Value, json};

/// What stands for every secret of [`group_with_secrets`]; it must never be seen anywhere else.
pub const SECRET: &str = "group-secret-canary";

/// One container called like the group, one core, a public address with a DNS name, no secrets.
#[must_use]
pub fn group(name: &str, image: &str) -> Value {
    json!({
        "name": name,
        "location": "westeurope",
        "tags": { "owner": "tests" },
        "properties": {
            "osType": "Linux",
            "restartPolicy": "Always",
            "containers": [container(name, image)],
            "ipAddress": {
                "type": "Public",
                "dnsNameLabel": name,
                "ports": [{ "port": 80, "protocol": "TCP" }],
            },
        },
    })
}

/// A container with one core, for groups of several.
#[must_use]
pub fn container(name: &str, image: &str) -> Value {
    json!({
        "name": name,
        "properties": {
            "image": image,
            "ports": [{ "port": 80 }],
            "environmentVariables": [{ "name": "PLAIN", "value": "visible" }],
            "resources": { "requests": { "cpu": 1.0, "memoryInGB": 1.5 } },
        },
    })
}

/// A group of one container that ends by itself.
#[must_use]
pub fn job(name: &str, image: &str) -> Value {
    json!({
        "name": name,
        "location": "westeurope",
        "properties": {
            "osType": "Linux",
            "restartPolicy": "Never",
            "containers": [container("job", image)],
        },
    })
}

/// A group with one of each of the secrets that GET leaves out.
#[must_use]
pub fn group_with_secrets(name: &str, image: &str) -> Value {
    let mut group = group(name, image);
    let properties = &mut group["properties"];
    properties["containers"][0]["properties"]["environmentVariables"] = json!([
        { "name": "PLAIN", "value": "visible" },
        { "name": "API_KEY", "secureValue": SECRET },
    ]);
    properties["imageRegistryCredentials"] =
        json!([{ "server": "contoso.azurecr.io", "username": "puller", "password": SECRET }]);
    properties["volumes"] = json!([
        {
            "name": "share",
            "azureFile": {
                "shareName": "files",
                "storageAccountName": "contosofiles",
                "storageAccountKey": SECRET,
            },
        },
        { "name": "certificates", "secret": { "tls.key": "Z3JvdXAtc2VjcmV0LWNhbmFyeQ==" } },
    ]);
    properties["diagnostics"] = json!({
        "logAnalytics": {
            "workspaceId": "workspace",
            "workspaceKey": SECRET,
            "logType": "ContainerInsights",
            "metadata": { "team": "shop" },
        },
    });
    properties["extensions"] = json!([{
        "name": "kube-proxy",
        "properties": {
            "extensionType": "kube-proxy",
            "version": "1.0",
            "settings": { "clusterCidr": "10.240.0.0/16" },
            "protectedSettings": { "kubeConfig": SECRET },
        },
    }]);
    group
}
