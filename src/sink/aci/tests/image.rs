use super::super::image::{Reference, Wanted, are_same};
use super::{DIGEST, allowed, push, wanted};
use crate::config::Pin;
use fan_in::Action;

fn runs(image: &str, of: &str) -> bool {
    Reference::parse(image).is_some_and(|image| image.is_of(&wanted(of, Pin::Digest)))
}

#[test]
fn a_container_is_found_by_its_repository_whatever_its_tag_or_digest() {
    let web = "r.azurecr.io/shop/web:v1";
    for image in [
        "r.azurecr.io/shop/web",
        "r.azurecr.io/shop/web:v0",
        "R.AzureCR.io/shop/web:v0",
        "r.azurecr.io:443/shop/web:v0",
        &format!("r.azurecr.io/shop/web@{DIGEST}"),
        &format!("r.azurecr.io/shop/web:v0@{DIGEST}"),
        "r.westeurope.geo.azurecr.io/shop/web:v0",
    ] {
        assert!(runs(image, web), "{image}");
    }
    for image in [
        "",
        "web",
        "shop/web:v1",
        "r.azurecr.io/shop/web2:v1",
        "r.azurecr.io/web:v1",
        "r.azurecr.io:5000/shop/web:v1",
        "r2.azurecr.io/shop/web:v1",
        "https://r.azurecr.io/shop/web:v1",
    ] {
        assert!(!runs(image, web), "{image}");
    }
}

#[test]
fn docker_hub_has_many_spellings() {
    let nginx = "docker.io/library/nginx:1.27";
    for image in [
        "nginx",
        "nginx:1.26",
        "library/nginx",
        "docker.io/nginx",
        "docker.io/library/nginx:1",
        "index.docker.io/library/nginx:1",
        "registry-1.docker.io/library/nginx",
    ] {
        assert!(runs(image, nginx), "{image}");
        let found = Reference::parse(image).unwrap();
        let placed = wanted(nginx, Pin::Digest).in_place_of(&found);
        let name = image.rsplit_once(':').map_or(image, |(name, _)| name);
        assert_eq!(placed, format!("{name}:1.27"), "the spelling is kept");
    }
    for image in ["bitnami/nginx", "r.azurecr.io/nginx", "r.azurecr.io/library/nginx", "nginx2"] {
        assert!(!runs(image, nginx), "{image}");
    }
}

#[test]
fn an_image_is_pinned_by_its_digest_unless_it_has_none_or_the_settings_say_otherwise() {
    let web = "r.azurecr.io/shop/web:v1";
    let pinned = wanted(web, Pin::Digest);
    assert_eq!(pinned.image(), format!("r.azurecr.io/shop/web@{DIGEST}"));
    assert_eq!((pinned.pinned, pinned.mark.as_str()), (true, DIGEST));
    let tagged = wanted(web, Pin::Tag);
    assert_eq!((tagged.image().as_str(), tagged.mark.as_str()), (web, DIGEST));
    assert!(!tagged.pinned);
    let hub = wanted("docker.io/library/nginx:1.27", Pin::Digest);
    assert_eq!(hub.image(), "docker.io/library/nginx:1.27");
    assert_eq!((hub.pinned, hub.mark.as_str()), (false, "1417566161"));
    let mut untagged = push(web);
    untagged.image.tag = None;
    let untagged = Wanted::of(&untagged, Pin::Tag, &allowed()).unwrap();
    assert_eq!(untagged.image(), pinned.image());
}

#[test]
fn only_a_pushed_image_of_an_allowed_registry_and_repository_may_run() {
    let refused = |push: &fan_in::Push| Wanted::of(push, Pin::Digest, &allowed()).unwrap_err();
    let other = refused(&push("evil.azurecr.io/shop/web:v1"));
    assert_eq!(other, "the image's registry is not in FANIN_REGISTRIES");
    let other = refused(&push("r.azurecr.io/infra/web:v1"));
    assert_eq!(other, "the image's repository is not in FANIN_REPOSITORIES");
    let mut nowhere = push("r.azurecr.io/shop/web:v1");
    nowhere.image.registry = None;
    assert_eq!(refused(&nowhere), "the image's registry is not in FANIN_REGISTRIES");
    for action in [Action::Delete, Action::ChartPush, Action::ChartDelete] {
        let mut push = push("r.azurecr.io/shop/web:v1");
        push.image.action = action;
        assert!(refused(&push).contains("brings no image"), "{action:?}");
    }
    let mut nameless = push("docker.io/library/nginx:1");
    nameless.image.tag = None;
    assert_eq!(refused(&nameless), "the push has neither digest nor tag");
}

#[test]
fn two_texts_may_name_one_image() {
    assert!(are_same("nginx", "docker.io/library/nginx:latest"));
    assert!(are_same("R.azurecr.io/a:v1", "r.azurecr.io/a:v1"));
    assert!(are_same(&format!("r.azurecr.io/a:v1@{DIGEST}"), &format!("r.azurecr.io/a@{DIGEST}")));
    assert!(are_same("not an image", "not an image"));
    assert!(!are_same("r.azurecr.io/a:v1", "r.azurecr.io/a:v2"));
    assert!(!are_same("r.azurecr.io/a:v1", &format!("r.azurecr.io/a@{DIGEST}")));
    assert!(!are_same("r.azurecr.io/a:v1", "r.azurecr.io/a:V1"), "tags have capitals");
}
