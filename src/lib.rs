//! acr-fanin.
