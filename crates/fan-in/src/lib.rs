//! The pure core of acr-fanin.
//!
//! A geo-replicated registry reports one push once per region. This crate says which reports belong
//! together ([`correlate`]), what they decide ([`decide`]), who is to be told ([`routing`]) and how a
//! delivery goes on after each attempt ([`delivery`]).
//!
//! Everything here is total, synchronous and clock-free: no function fails, none does I/O, and time is
//! an argument. The crate has no dependencies and no `std`, so the compiler keeps it that way. Its types
//! are deliberately not serialisable: how a row or a message looks is the business of the rooms around it.
//!
//! The driver's order is always the same: load, decide, **commit state, decision and outbox in one atomic
//! write**, and only then act.
#![no_std]

extern crate alloc;

pub mod correlate;
pub mod decide;
pub mod delivery;
pub mod image;
pub mod law;
pub mod mutant;
pub mod notice;
pub mod push;
pub mod region;
pub mod routing;
pub mod time;

pub use correlate::{Correlation, Load, Older};
pub use decide::{Outcome, Report, Verdict, arrive, tick};
pub use delivery::{Attempt, Claim, Delivery, Retry, State};
pub use image::{Action, Digest, Image, Invalid, Registry, Repository, Tag};
pub use notice::{Notice, NoticeKind};
pub use push::{
    Arrival, Channel, Channels, ContentId, EventId, Family, Order, Origin, Past, Push, PushId,
    Shard, Status,
};
pub use region::{Region, RegionSet};
pub use routing::{Glob, Policy, Subscription};
pub use time::Timestamp;
