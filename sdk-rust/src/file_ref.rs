//! How a file is named in a request.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::File;
use crate::generated::proto;
use crate::generated::proto::file_ref::Name;

/// Names a file of any kind: by its absolute path, by its id, or by bytes where a path is not UTF-8.
///
/// Made from `&str`, `String`, `Path`, an id (`i64`) or a [`File`] (by its id):
///
/// ```
/// use vexfs_client::FileRef;
///
/// let by_path: FileRef = "/docs/a.md".into();
/// let by_id: FileRef = 12.into();
/// let behind_a_link = FileRef::path("/latest").follow(true);
/// # assert_ne!(by_path, by_id);
/// # assert_ne!(by_path, behind_a_link);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FileRef {
    name: Name,
    follow: bool,
}

impl FileRef {
    /// By an absolute path, such as `/docs/a.md`; `/` is the root.
    pub fn path(path: impl Into<String>) -> Self {
        Self { name: Name::Path(path.into()), follow: false }
    }

    /// By the id that [`File::id`] tells. It names the file for as long as it lives, wherever it is moved.
    pub fn id(id: i64) -> Self {
        Self { name: Name::Id(id), follow: false }
    }

    /// By an absolute path that is not UTF-8.
    pub fn path_bytes(path: impl Into<Bytes>) -> Self {
        Self { name: Name::PathBytes(path.into()), follow: false }
    }

    /// If the path ends at a symbolic link: mean the file it leads to, instead of the link itself.
    pub fn follow(mut self, follow: bool) -> Self {
        self.follow = follow;
        self
    }
}

impl From<FileRef> for proto::FileRef {
    fn from(file: FileRef) -> Self {
        Self { name: Some(file.name), follow: file.follow }
    }
}

impl From<&str> for FileRef {
    fn from(path: &str) -> Self {
        Self::path(path)
    }
}

impl From<String> for FileRef {
    fn from(path: String) -> Self {
        Self::path(path)
    }
}

impl From<&String> for FileRef {
    fn from(path: &String) -> Self {
        Self::path(path)
    }
}

impl From<i64> for FileRef {
    fn from(id: i64) -> Self {
        Self::id(id)
    }
}

impl From<&File> for FileRef {
    fn from(file: &File) -> Self {
        Self::id(file.id)
    }
}

impl From<&Path> for FileRef {
    fn from(path: &Path) -> Self {
        match path.to_str() {
            Some(path) => Self::path(path),
            None => Self::path_bytes(bytes_of(path.as_os_str())),
        }
    }
}

impl From<&PathBuf> for FileRef {
    fn from(path: &PathBuf) -> Self {
        Self::from(path.as_path())
    }
}

impl From<PathBuf> for FileRef {
    fn from(path: PathBuf) -> Self {
        Self::from(path.as_path())
    }
}

impl From<&Self> for FileRef {
    fn from(file: &Self) -> Self {
        file.clone()
    }
}

#[cfg(unix)]
fn bytes_of(path: &OsStr) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path).to_vec()
}

#[cfg(not(unix))]
fn bytes_of(path: &OsStr) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn a_path_that_is_not_utf8_keeps_its_bytes() {
        let path = Path::new(OsStr::from_bytes(b"/a\xff"));
        assert_eq!(FileRef::from(path), FileRef::path_bytes(&b"/a\xff"[..]));
        assert_eq!(FileRef::from(Path::new("/a")), FileRef::path("/a"));
    }
}
