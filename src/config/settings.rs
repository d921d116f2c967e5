//! Every setting there is, in one table: what is known, what the sample names and what the README explains.

use super::problems::Problems;
use super::reader::is_text;
use std::collections::BTreeMap;

/// Where a setting has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applies {
    Everywhere,
    /// Under the Functions host and to the commands that use its store.
    Functions,
    /// To `setup`, `doctor` and `wait`.
    Commands,
}

#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub meaning: &'static str,
    /// As it would be written; None where there is none.
    pub default: Option<&'static str>,
    pub applies: Applies,
    pub secret: bool,
    /// Its value in `local.settings.sample.json`, empty for one that is optional; None where it is not named there.
    pub sample: Option<&'static str>,
}

/// A setting of the simple kind: everywhere, no secret, in the sample with its default.
const fn plain(
    name: &'static str,
    default: Option<&'static str>,
    meaning: &'static str,
) -> Setting {
    let sample = match default {
        Some(text) => text,
        None => "",
    };
    Setting {
        name,
        meaning,
        default,
        applies: Applies::Everywhere,
        secret: false,
        sample: Some(sample),
    }
}

impl Setting {
    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn applies(mut self, applies: Applies) -> Self {
        self.applies = applies;
        self
    }

    const fn sample(mut self, value: &'static str) -> Self {
        self.sample = Some(value);
        self
    }

    const fn unsampled(mut self) -> Self {
        self.sample = None;
        self
    }
}

use Applies::{Commands, Functions};

pub const SETTINGS: &[Setting] = &[
    plain("WebhookRegions", None, "the registry's regions, separated by commas; required")
        .sample("northeurope,westeurope"),
    plain(
        "WebhookTimeout",
        Some("0:10:00"),
        "how long the regions of a push are waited for: `0:10:00`, `90s`, `10m`",
    ),
    plain("WebhookTimeOut", None, "another spelling of WebhookTimeout").unsampled(),
    plain(
        "AzureWebJobsStorage",
        None,
        "connection string of the storage account, or UseDevelopmentStorage=true; this or an accountName is required",
    )
    .applies(Functions)
    .secret()
    .sample("UseDevelopmentStorage=true"),
    plain("AzureWebJobsStorage__accountName", None, "the storage account, used with an identity")
        .applies(Functions)
        .unsampled(),
    plain(
        "AzureWebJobsStorage__tableServiceUri",
        None,
        "the account's table endpoint, where accountName does not lead to it",
    )
    .applies(Functions)
    .unsampled(),
    plain(
        "AzureWebJobsStorage__credential",
        None,
        "`managedidentity`, or nothing to try what there is",
    )
    .applies(Functions)
    .unsampled(),
    plain("AzureWebJobsStorage__clientId", None, "client id of a user-assigned identity")
        .applies(Functions)
        .unsampled(),
    plain("FANIN_TABLE", Some("fanin"), "name of the table").applies(Functions),
    plain("FANIN_QUEUE", None, "name of the queue that Notify listens to; required")
        .applies(Functions)
        .sample("fanin-notify"),
    plain("FANIN_SCHEDULE", None, "when FanInTimer runs, in the host's NCRONTAB form; required")
        .applies(Functions)
        .sample("*/15 * * * * *"),
    plain("FANIN_REGISTRIES", None, "login servers that are listened to; nothing: all; required by a sink that deploys"),
    plain(
        "FANIN_REPOSITORIES",
        None,
        "repositories that are listened to, `*` stands for any characters; nothing: all; required by a sink that deploys",
    ),
    plain(
        "FANIN_WEBHOOK_SECRET",
        None,
        "what a webhook brings in its header x-fanin-secret; several by comma",
    )
    .secret(),
    plain(
        "FANIN_CORRELATION",
        Some("auto"),
        "what tells pushes apart: `auto` (content and ids) or `id`",
    ),
    plain(
        "FANIN_UNTAGGED",
        Some("false"),
        "`true` to follow pushes of manifests without a tag, too",
    ),
    plain("FANIN_RETENTION", Some("30d"), "how long decided pushes are kept"),
    plain("SLACK_WEBHOOK_URL", None, "makes the sink `slack`: an incoming webhook of Slack")
        .secret(),
    plain("TEAMS_WEBHOOK_URL", None, "makes the sink `teams`: a Workflows webhook of Teams")
        .secret(),
    plain("NOTIFY_WEBHOOK_URL", None, "makes the sink `webhook`: any address that takes a POST")
        .secret(),
    plain(
        "NOTIFY_WEBHOOK_SECRET",
        None,
        "signs what the sink `webhook` sends: `whsec_` and base64",
    )
    .secret(),
    plain(
        "NOTIFY_WEBHOOK_FORMAT",
        None,
        "what the sink `webhook` sends: `acr` (default) or `cloudevents`",
    ),
    plain("AZURE_SUBSCRIPTION_ID", None, "the subscription of what is deployed").unsampled(),
    plain("RESOURCE_GROUP_NAME", None, "the resource group of what is deployed").unsampled(),
    plain("ResourceGroupName", None, "another spelling of RESOURCE_GROUP_NAME").unsampled(),
    plain(
        "CONTAINER_GROUP_NAME",
        None,
        "makes the sink `aci`: the container group that is brought to a pushed image",
    )
    .unsampled(),
    plain("AZURE_TENANT_ID", None, "the tenant of the service principal or workload identity")
        .unsampled(),
    plain("AZURE_CLIENT_ID", None, "the application or user-assigned identity to act as")
        .unsampled(),
    plain("AZURE_CLIENT_SECRET", None, "the service principal's secret").secret().unsampled(),
    plain("AZURE_FEDERATED_TOKEN_FILE", None, "set by workload identity").unsampled(),
    plain("IDENTITY_ENDPOINT", None, "set by Azure where there is a managed identity").unsampled(),
    plain("IDENTITY_HEADER", None, "set by Azure where there is a managed identity")
        .secret()
        .unsampled(),
    plain("FANIN_REGISTRY_ID", None, "ARM resource id of the registry, for setup and doctor")
        .applies(Commands),
    plain("FANIN_PUBLIC_URL", None, "where the registry reaches this app, for setup")
        .applies(Commands),
    plain("FANIN_FUNCTION_KEY", None, "the key that setup writes into the webhooks and wait sends")
        .applies(Commands)
        .secret(),
    plain("FANIN_READ_TOKEN", None, "guards status, jobs and metrics").secret(),
    plain(
        "FANIN_RETRY",
        None,
        "pauses between attempts, such as `1s,2s,4s`; default: 5 s to hourly, for a day",
    ),
    plain("FANIN_SINK_TIMEOUT", Some("15s"), "time limit of one call of a sink"),
    plain("FANIN_PRIVATE_SINKS", Some("false"), "`true` lets sinks live at private addresses"),
    plain(
        "FANIN_CONFIG",
        None,
        "where the file with more sinks is; default: fanin.toml beside the program, else in the working folder",
    ),
    plain("AZURE_RESOURCE_MANAGER_ENDPOINT", None, "Resource Manager of another cloud").unsampled(),
    plain("AZURE_AUTHORITY_HOST", None, "the sign-in service of another cloud").unsampled(),
];

#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Names under our prefix that mean nothing are spelling mistakes, and values have to be text.
pub(super) fn check_names(env: &BTreeMap<String, String>, problems: &mut Problems) {
    for (name, _) in env.iter().filter(|(name, value)| find(name).is_some() && !is_text(value)) {
        problems.add(name, "is not UTF-8");
    }
    for name in env.keys().filter(|name| name.starts_with("FANIN_") && find(name).is_none()) {
        let hint = match nearest(name, SETTINGS.iter().map(|setting| setting.name)) {
            Some(known) => format!("did you mean {known}?"),
            None => "remove it, or give it a name that does not begin with FANIN_".to_owned(),
        };
        problems.add(name.escape_debug(), format_args!("there is no such setting; {hint}"));
    }
}

/// The known name that a misspelt one is likely to mean.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const FAR: usize = 3;
    let given = name.to_ascii_lowercase();
    let measured = known.map(|known| (distance(&given, &known.to_ascii_lowercase()), known));
    measured
        .filter(|(far, known)| *far <= FAR && *far < known.len() / 2)
        .min_by_key(|(far, _)| *far)
        .map(|(_, k)| k)
}

/// Insertions, deletions and replacements between the two (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_setting_is_recognised() {
        let nearest = |name| nearest(name, SETTINGS.iter().map(|s| s.name));
        assert_eq!(nearest("FANIN_REGISTRYS"), Some("FANIN_REGISTRIES"));
        assert_eq!(nearest("FANIN_Table"), Some("FANIN_TABLE"));
        assert_eq!(nearest("FANIN_SINKTIMEOUT"), Some("FANIN_SINK_TIMEOUT"));
        assert_eq!(nearest("FANIN_SOMETHING_ELSE"), None);
    }

    #[test]
    fn no_setting_stands_in_the_table_twice() {
        let names: std::collections::BTreeSet<_> = SETTINGS.iter().map(|s| s.name).collect();
        assert_eq!(names.len(), SETTINGS.len());
    }
}
