//! The lines in which Azurite says where it listens.

/// One of Azurite's three services.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Service {
    Blob,
    Queue,
    Table,
}

/// "This service listens there."
#[derive(Debug, PartialEq)]
pub(crate) struct Announcement {
    pub(crate) service: Service,
    pub(crate) address: String,
}

impl Announcement {
    /// Reads one line of output; `None` for every other line.
    ///
    /// The form is `Azurite Table service is successfully listening at http://127.0.0.1:44375`.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let (name, address) = line
            .trim()
            .strip_prefix("Azurite ")?
            .split_once(" service is successfully listening at ")?;
        let service = match name {
            "Blob" => Service::Blob,
            "Queue" => Service::Queue,
            "Table" => Service::Table,
            _ => return None,
        };
        Some(Self { service, address: address.trim_end_matches('/').to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_service_is_found_with_its_address() {
        let line = "Azurite Queue service is successfully listening at http://127.0.0.1:46723";
        let expected =
            Announcement { service: Service::Queue, address: "http://127.0.0.1:46723".to_owned() };
        assert_eq!(Announcement::read(line), Some(expected));
    }

    #[test]
    fn a_service_that_only_begins_to_start_is_not_an_announcement() {
        assert_eq!(
            Announcement::read("Azurite Blob service is starting at http://127.0.0.1:0"),
            None
        );
        assert_eq!(Announcement::read(""), None);
    }
}
