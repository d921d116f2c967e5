//! What goes wrong between the caller and Azure, and where.

use crate::http::{Answer, Request};

/// What happens to a request instead of what it asks for.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection is reset; nothing else happened.
    Reset,
    /// What was asked for happens, and the connection is reset without an answer.
    AcceptThenReset,
    /// No answer until the caller gives up; nothing else happened.
    Hang,
    /// What was asked for happens, but no answer comes until the caller gives up.
    AcceptThenHang,
    /// This status with an error document; nothing else happened.
    Status(u16),
    /// 429 with `Retry-After`; nothing else happened.
    Throttled { retry_after_s: u32 },
    /// This answer, whatever it is; nothing else happened.
    Instead(Answer),
}

/// A fault that waits for its request.
#[derive(Debug)]
pub(crate) struct Planned {
    /// None is any method.
    pub(crate) method: Option<String>,
    /// In lower case; empty is in every path.
    pub(crate) part_of_path: String,
    pub(crate) fault: Fault,
}

impl Planned {
    pub(crate) fn new(method: &str, part_of_path: &str, fault: Fault) -> Self {
        let method = Some(method.to_ascii_uppercase()).filter(|method| !method.is_empty());
        Self { method, part_of_path: part_of_path.to_ascii_lowercase(), fault }
    }

    fn is_for(&self, request: &Request) -> bool {
        self.method.as_ref().is_none_or(|method| *method == request.method)
            && request.path.to_ascii_lowercase().contains(&self.part_of_path)
    }
}

/// Takes the first fault that is meant for the request.
pub(crate) fn take(planned: &mut Vec<Planned>, request: &Request) -> Option<Fault> {
    let at = planned.iter().position(|fault| fault.is_for(request))?;
    Some(planned.remove(at).fault)
}
