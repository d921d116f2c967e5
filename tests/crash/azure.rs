//! The tests' own Azure behind a proxy, with one container group, and settings that deploy to it.

use crate::process::Settings;
use crate::proxy::{Proxy, Upstream, Wire};
use azure_fake::{Change, Fake, How, samples};
use std::sync::Arc;
use tempfile::TempDir;

const GROUP: &str = "web";
/// The sink's name is the group's. It looks at the containers once.
const FILE: &str = r#"
[[sink]]
name = "web"
type = "aci-update"
container_group = "web"
watch = "0s"
"#;

#[derive(Debug)]
pub(crate) struct Azure {
    fake: Fake,
    _proxy: Proxy,
    _folder: TempDir,
}

impl Azure {
    /// Adds to the settings what deploys.
    pub(crate) async fn start(wire: &Arc<Wire>, settings: &mut Settings) -> Self {
        let fake = Fake::start().await;
        fake.place(samples::group(GROUP, "myregistry.azurecr.io/team/app:v0"));
        let service = fake.arm_url().trim_start_matches("http://").parse().unwrap();
        let proxy = Proxy::start(Arc::clone(wire), "arm", Upstream::Service(service)).await;
        let proxy = proxy.unwrap();
        fake.is_reached_at(format!("http://{}", proxy.address));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fanin.toml");
        std::fs::write(&file, FILE).unwrap();
        settings.extend(fake.environment());
        settings.extend([
            ("FANIN_CONFIG", file.to_str().unwrap().to_owned()),
            ("FANIN_REGISTRIES", "myregistry.azurecr.io".to_owned()),
            ("FANIN_REPOSITORIES", "team/*".to_owned()),
            ("AZURE_SUBSCRIPTION_ID", azure_fake::SUBSCRIPTION.to_owned()),
            ("RESOURCE_GROUP_NAME", azure_fake::RESOURCE_GROUP.to_owned()),
        ]);
        Self { fake, _proxy: proxy, _folder: folder }
    }

    /// Somebody else changes the group, so that Azure refuses any other change until that is over.
    pub(crate) fn is_busy(&self, busy: bool) {
        let group = self.fake.group(GROUP);
        if busy { group.begin_foreign_operation() } else { group.finish() }
    }

    /// The digests that were applied, one after the other.
    pub(crate) fn applied(&self) -> Vec<String> {
        let puts = self.fake.history(GROUP).into_iter().filter(|change| change.how == How::Put);
        puts.map(|Change { push, .. }| push.unwrap()).collect()
    }

    /// I9: content is numbered in the order of its pushes, and what was applied follows that order; nothing is
    /// written twice, since that would start the containers anew; two never change the group at a time.
    pub(crate) fn check(&self) {
        let applied = self.applied();
        assert!(
            applied.is_sorted() && applied.windows(2).all(|two| two[0] != two[1]),
            "{applied:?}"
        );
        assert_eq!(self.fake.group(GROUP).overlaps(), 0);
    }
}
