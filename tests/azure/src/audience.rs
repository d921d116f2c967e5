//! For whom a token may be.

const PUBLIC_ARM: &str = "https://management.azure.com";
const STORAGE: &str = "https://storage.azure.com";

/// The audience of a scope such as `https://management.azure.com/.default`, if Entra knows it. A resource that ends
/// in a slash makes two of them, which is as good.
pub(crate) fn of_scope(scope: &str, arm_url: &str) -> Option<String> {
    of_resource(scope.strip_suffix("/.default")?, arm_url)
}

/// The audience of a resource such as `https://management.azure.com/`.
pub(crate) fn of_resource(resource: &str, arm_url: &str) -> Option<String> {
    let resource = resource.trim_end_matches('/');
    let is_known = [PUBLIC_ARM, STORAGE, arm_url].contains(&resource);
    is_known.then(|| resource.to_owned())
}

/// Whether ARM takes a token for this audience.
pub(crate) fn is_arm(audience: &str, arm_url: &str) -> bool {
    [PUBLIC_ARM, arm_url].contains(&audience)
}
