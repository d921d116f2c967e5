#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| acr_fanin_fuzz::docker_hub_body(bytes));
