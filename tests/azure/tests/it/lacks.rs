//! What may be lacking for a while: an image in a replica, quota, room, patience.

use crate::client::Arm;
use azure_fake::{Fake, samples};

const IMAGE: &str = "contoso.azurecr.io/shop/web@sha256:aaaa";

#[tokio::test]
async fn an_image_is_inaccessible_until_its_replica_has_it() {
    let fake = Fake::start().await;
    let group = fake.place(samples::group("web", "contoso.azurecr.io/shop/web:1"));
    fake.image_missing(IMAGE, 2);
    let arm = Arm::new(&fake);
    let document = samples::group("web", IMAGE);
    for _ in 0..2 {
        let refused = arm.put("web", &document).await;
        assert_eq!((refused.status, refused.code()), (400, "InaccessibleImage"));
        assert!(refused.message().contains(IMAGE), "{}", refused.message());
    }
    assert_eq!(group.history().len(), 1);
    assert_eq!(arm.put("web", &document).await.status, 200);
}

#[tokio::test]
async fn a_group_too_many_is_refused_and_an_update_is_not() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", IMAGE));
    fake.quota(1);
    let arm = Arm::new(&fake);
    let refused = arm.put("job", &samples::job("job", IMAGE)).await;
    assert_eq!((refused.status, refused.code()), (409, "ContainerGroupQuotaReached"));
    assert_eq!(arm.put("web", &samples::group("web", IMAGE)).await.status, 200);
    fake.group("web").remove();
    assert_eq!(arm.put("job", &samples::job("job", IMAGE)).await.status, 201);
}

#[tokio::test]
async fn a_location_may_be_full_for_a_while() {
    let fake = Fake::start().await;
    fake.no_room("West Europe", 1);
    let arm = Arm::new(&fake);
    let document = samples::group("web", IMAGE);
    let refused = arm.put("web", &document).await;
    assert_eq!((refused.status, refused.code()), (409, "ServiceUnavailable"));
    assert_eq!(arm.put("web", &document).await.status, 201);
}

#[tokio::test]
async fn requests_too_many_are_told_when_to_come_again() {
    let fake = Fake::start().await;
    fake.place(samples::group("web", IMAGE));
    fake.throttle(2, 17);
    let arm = Arm::new(&fake);
    for _ in 0..2 {
        let refused = arm.get("web").await;
        assert_eq!((refused.status, refused.code()), (429, "TooManyRequests"));
        assert_eq!(refused.header("retry-after"), Some("17"));
    }
    assert_eq!(arm.get("web").await.status, 200);
}
