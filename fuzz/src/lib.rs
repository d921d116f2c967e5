//! What must hold whatever bytes come from outside: one function for each parser, which panics where it does
//! not. libFuzzer calls them in `fuzz_targets`, and `tests/hostile` in every run of the tests.

mod azure;
mod host;
mod rows;
mod settings;
mod sinks;
mod webhooks;

pub use azure::table_answer;
pub use host::functions_envelope;
pub use rows::row_decode;
pub use settings::settings;
pub use sinks::slack_render;
pub use webhooks::{acr_body, docker_hub_body, event_grid_body};
