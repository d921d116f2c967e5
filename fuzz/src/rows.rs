//! Rows of the store: whoever reaches it can write into it.

use acr_fanin::api::status::PushView;
use acr_fanin::fuzzing::{read_family, read_job, read_marks, write_family, write_job, write_marks};
use acr_fanin::ports::JobId;
use fan_in::push::Channels;
use fan_in::{
    Arrival, Attempt, Claim, Correlation, Delivery, Family, Older, Policy, Push, RegionSet, Report,
    Retry, State, Status, Timestamp, decide, law,
};
use std::time::Duration;

pub fn row_decode(row: &[u8]) {
    let Ok(row) = std::str::from_utf8(row) else { return };
    if let Ok(family) = read_family(row) {
        let again = write_family(&family).expect("what was read can be written");
        assert_eq!(read_family(&again).expect("and be read again"), family);
        for now in [i64::MIN, 0, family.newest.deadline.as_millis(), i64::MAX] {
            work(&family.newest, Timestamp::from_millis(now));
            arrive(&family, Timestamp::from_millis(now));
        }
    }
    let id = JobId([0xab; 16]);
    if let Ok(job) = read_job(id, row) {
        let again = write_job(&job).expect("what was read can be written");
        assert_eq!(read_job(id, &again).expect("and be read again"), job);
        if let Some(due) = job.due() {
            // Whoever is told of it when it is due finds something to do, unless it is held for somebody else.
            let later = due.max(job.next_at.unwrap_or(due));
            assert!(job.is_claimable(later));
        }
    }
    if let Ok(marks) = read_marks(row) {
        let again = write_marks(&marks).expect("what was read can be written");
        assert_eq!(read_marks(&again).expect("and be read again"), marks);
    }
}

/// One more event of the same content.
fn arrive(family: &Family, now: Timestamp) {
    let newest = &family.newest;
    let Some(region) = newest.expected.iter().next_back().cloned() else { return };
    let policy = Policy {
        regions: newest.expected.clone(),
        timeout: Duration::from_secs(600),
        correlation: Correlation::Auto,
        subscriptions: Vec::new(),
    };
    let arrival = Arrival {
        region,
        received: now,
        event_time: Some(now),
        ids: newest.arrivals.iter().flat_map(|arrival| arrival.ids.clone()).collect(),
        channels: Channels { webhook: true, event_grid: false },
        late: false,
    };
    let report = Report {
        shard: newest.id.shard,
        content: newest.id.content,
        image: newest.image.clone(),
        origin: newest.origin.clone(),
        arrival,
    };
    // An earlier push that has to be loaded first is gone.
    let mut older = Older::new();
    for _ in 0..=family.past.len() {
        match decide::arrive(Some(family), &older, &report, &policy, now) {
            Ok(_) => return,
            Err(load) => assert!(older.insert(load.0, None).is_none(), "asked for twice"),
        }
    }
}

/// Everything that is done with a push that was read, whatever is in it.
fn work(push: &Push, now: Timestamp) {
    let configured: RegionSet = push.expected.iter().take(2).cloned().collect();
    let policy = Policy {
        regions: configured.clone(),
        timeout: Duration::from_secs(600),
        correlation: Correlation::Auto,
        subscriptions: Vec::new(),
    };
    let view = serde_json::to_value(PushView::new(push, &configured)).expect("a view is JSON");
    assert_eq!(view["push"].as_str(), Some(push.id.to_string().as_str()));
    let mut ticked = push.clone();
    let was_waiting = push.status == Status::Waiting;
    decide::tick(&mut ticked, &policy, now, false, true);
    assert!(was_waiting || ticked.status == push.status, "a decision is not changed by a tick");
    let _ = law::check(Some(push), &ticked, &configured);
    let claims: Vec<Claim> = ticked.claim(now, Duration::from_secs(60), &[], &[]);
    for claim in &claims {
        let attempt = Attempt::Refused { error: "no".to_owned(), retry_after: Some(Duration::MAX) };
        ticked.record(claim, attempt, &Retry::default(), &policy, now);
    }
    for push in [push, &ticked] {
        let deliveries = push.notices.iter().flat_map(|notice| &notice.deliveries);
        let open = |delivery: &Delivery| !matches!(delivery.state, State::Done | State::Dead);
        let work = push.status == Status::Waiting || deliveries.into_iter().any(open);
        assert_eq!(push.due().is_some(), work, "there is a time for work, and none without");
    }
}
