//! placeholder
pub fn to_message(_: &super::Event, _: fan_in::Timestamp) -> String {
    String::new()
}
pub fn from_message(_: &serde_json::Value) -> Option<(super::Event, fan_in::Timestamp)> {
    None
}
