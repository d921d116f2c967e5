use super::{Story, TIMESTAMP, digest, region};
use crate::sink::text::{clean, sentence, sentence_or_repeat};
use fan_in::{Action, NoticeKind, Tag};

fn said(story: &Story) -> String {
    sentence(story.parcel())
}

#[test]
fn every_notice_of_a_push_is_a_sentence() {
    let begin = format!("Pushed image hello-world:v1 ({TIMESTAMP}): ");
    for (story, end) in [
        (Story::completed(), "in all 4 regions after 41 s"),
        (Story::timed_out(), "timed out after 10 m, missing: westeurope"),
        (Story::recovered(), "recovered, in all 4 regions after 17 m, was missing: westeurope"),
        (Story::region_ready("westeurope", 12), "ready in westeurope after 12 s"),
    ] {
        assert_eq!(said(&story), format!("{begin}{end}"));
    }
}

#[test]
fn every_notice_of_a_delete_is_a_sentence() {
    let begin = format!("Deleted image hello-world@{} ({TIMESTAMP}): ", digest());
    for (story, end) in [
        (Story::completed(), "gone from all 4 regions after 41 s"),
        (Story::timed_out(), "timed out after 10 m, missing: westeurope"),
        (
            Story::recovered(),
            "recovered, gone from all 4 regions after 17 m, was missing: westeurope",
        ),
        (Story::region_ready("westeurope", 12), "gone from westeurope after 12 s"),
    ] {
        assert_eq!(said(&story.deleted()), format!("{begin}{end}"));
    }
}

#[test]
fn charts_are_called_charts() {
    let mut story = Story::completed();
    story.push.image.tag = Some(Tag::parse("wordpress-5.4.0.tgz").unwrap());
    story.push.image.action = Action::ChartPush;
    let pushed = format!(
        "Pushed chart hello-world:wordpress-5.4.0.tgz ({TIMESTAMP}): in all 4 regions after 41 s"
    );
    assert_eq!(said(&story), pushed);
    story.push.image.action = Action::ChartDelete;
    assert!(said(&story).starts_with("Deleted chart hello-world:wordpress"));
    assert!(said(&story).ends_with("gone from all 4 regions after 41 s"));
}

#[test]
fn one_region_is_not_all_regions_and_several_missing_ones_are_listed() {
    let mut story = Story::completed();
    story.notice.regions = 1;
    assert!(said(&story).ends_with(": in 1 region after 41 s"));
    assert!(said(&story.deleted()).ends_with(": gone from 1 region after 41 s"));
    let mut story = Story::timed_out();
    story.notice.missing.insert(region("East US"));
    assert!(said(&story).ends_with("missing: eastus, westeurope"));
    let mut story = Story::recovered();
    story.notice.missing.clear();
    assert!(said(&story).ends_with(": recovered, in all 4 regions after 17 m"));
}

#[test]
fn what_became_of_a_deployment_is_a_sentence_too() {
    for (kind, bare, there) in [
        (NoticeKind::Deployed, "deployed after 1 m", "deployed to westeurope after 1 m"),
        (
            NoticeKind::DeployFailed,
            "deployment failed after 1 m",
            "deployment to westeurope failed after 1 m",
        ),
        (
            NoticeKind::JobSucceeded,
            "job succeeded after 1 m",
            "job in westeurope succeeded after 1 m",
        ),
        (NoticeKind::JobFailed, "job failed after 1 m", "job in westeurope failed after 1 m"),
    ] {
        let mut story = Story::region_ready("westeurope", 60);
        story.notice.kind = kind;
        assert_eq!(said(&story), format!("Pushed image hello-world:v1 ({TIMESTAMP}): {there}"));
        story.notice.region = None;
        assert!(said(&story).ends_with(&format!("): {bare}")));
    }
}

#[test]
fn only_a_repeat_says_that_it_is_one() {
    let (first, again) = (Story::completed(), Story::completed().repeated());
    assert_eq!(sentence_or_repeat(first.parcel()), said(&first));
    assert_eq!(sentence_or_repeat(again.parcel()), said(&first) + " (repeat)");
    assert_eq!(said(&again), said(&first));
}

#[test]
fn an_event_without_a_time_bears_ours() {
    let story = Story::completed().stamped("");
    assert!(said(&story).starts_with("Pushed image hello-world:v1 (2026-11-20T10:00:00.250Z): "));
}

#[test]
fn no_sentence_holds_control_or_bidirectional_characters() {
    assert_eq!(
        clean("a\r\nb\tc\u{0}\u{1b}[31m\u{202e}\u{2066}\u{200f}\u{feff}\u{85}ü\u{2028}d"),
        "a b c[31mü d"
    );
    let story = Story::completed().stamped("2026\u{202e}\u{7}\n<x>");
    assert!(said(&story).starts_with("Pushed image hello-world:v1 (2026 <x>): "));
}
