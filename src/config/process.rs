//! The only place that reads the environment and the file.

use super::load::File;
use super::problems::Wrong;
use super::{file, reader};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

const FILE_NAME: &str = "fanin.toml";
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The environment of this process. What is not UTF-8 is replaced by U+FFFD, which neither the name nor the value
/// of a setting may have.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn process_env() -> BTreeMap<String, String> {
    let text = |text: OsString| text.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}

pub(super) fn find_file(env: &BTreeMap<String, String>) -> File {
    if let Some(path) = reader::value(env, "FANIN_CONFIG") {
        if !reader::is_text(path) {
            // That is said of the setting itself.
            return File::Absent;
        }
        return match read_file(Path::new(path)) {
            Ok(Some(text)) => text_of(Path::new(path), text),
            Ok(None) => File::Unreadable {
                place: "FANIN_CONFIG",
                wrong: "names a file that is not there".to_owned(),
            },
            Err(wrong) => File::Unreadable {
                place: "FANIN_CONFIG",
                wrong: format!("names a file that {wrong}"),
            },
        };
    }
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent).map(Path::to_owned);
    first_in(beside.into_iter().chain([PathBuf::new()]))
}

/// The file in the first of these folders that has one.
fn first_in(folders: impl Iterator<Item = PathBuf>) -> File {
    for path in folders.map(|folder| folder.join(FILE_NAME)) {
        match read_file(&path) {
            Ok(Some(text)) => return text_of(&path, text),
            Ok(None) => {}
            Err(wrong) => {
                return File::Unreadable { place: file::PLACE, wrong: format!("the file {wrong}") };
            }
        }
    }
    File::Absent
}

fn text_of(path: &Path, text: String) -> File {
    File::Text { text, path: Some(path.to_owned()) }
}

/// None when there is no such file.
pub(super) fn read_file(path: &Path) -> Result<Option<String>, Wrong> {
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read ({})", error.kind())),
        Ok(_) if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) => {
            return Err("is longer than 1 MiB".to_owned());
        }
        Ok(_) => {}
    }
    String::from_utf8(bytes).map(Some).map_err(|_| "is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_named_by_its_setting_alone() {
        let folder = tempfile::tempdir().unwrap();
        let named = |path: &Path| {
            find_file(&BTreeMap::from([(
                "FANIN_CONFIG".to_owned(),
                path.to_str().unwrap().to_owned(),
            )]))
        };
        let path = folder.path().join("canary.toml");
        let wrongs = [
            named(&path),
            named(folder.path()),
            {
                std::fs::write(&path, [0xff, 0xfe]).unwrap();
                named(&path)
            },
            {
                std::fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
                named(&path)
            },
        ];
        for wrong in wrongs {
            let File::Unreadable { place, wrong } = wrong else { panic!("{wrong:?}") };
            assert_eq!(place, "FANIN_CONFIG");
            assert!(
                !wrong.contains("canary") && !wrong.contains(folder.path().to_str().unwrap()),
                "{wrong}"
            );
        }
        std::fs::write(&path, "# nothing").unwrap();
        assert_eq!(named(&path), text_of(&path, "# nothing".to_owned()));
    }

    #[test]
    fn of_two_files_the_one_in_the_first_folder_is_read() {
        let (beside, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first =
            || first_in([&beside, &here].map(|folder| folder.path().to_owned()).into_iter());
        assert_eq!(first(), File::Absent);
        for folder in [&here, &beside] {
            let path = folder.path().join(FILE_NAME);
            std::fs::write(&path, "# nothing").unwrap();
            assert_eq!(first(), text_of(&path, "# nothing".to_owned()));
        }
    }
}
