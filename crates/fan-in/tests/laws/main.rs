//! The laws of the core, over random schedules and case by case.

mod agreement;
mod decisions;
mod model;
mod outbox;
mod refusals;
mod shelf;
mod world;
