//! Azure's own interfaces, apart from Table Storage.

pub mod credential;
