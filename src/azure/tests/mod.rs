//! This room against a fake Azure.
