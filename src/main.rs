//! acr-fanin.
fn main() {}
