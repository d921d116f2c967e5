//! The sink without Azure.
