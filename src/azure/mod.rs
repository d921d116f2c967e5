//! Azure's own interfaces, apart from Table Storage: who we are, Resource Manager, and the container groups in it.

pub mod arm;
pub mod container_groups;
pub mod credential;
mod failure;
pub mod group;
mod job_groups;
mod operation;
mod transport;

#[cfg(test)]
mod tests;

pub use arm::{Arm, Until};
pub use container_groups::{ContainerGroups, Progress, Started};
pub use credential::Credential;
pub use failure::ArmError;
pub use job_groups::JobGroups;
pub use operation::Operation;
