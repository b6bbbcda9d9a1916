//! What is known of a file.

use std::time::SystemTime;

use bytes::Bytes;

use crate::convert::{count, from_timestamp, only_if_set};
use crate::generated::proto;

/// A file as stat(2) shows it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct File {
    /// Id within the volume; never used again for another file. The root is 1.
    pub id: i64,
    /// The path by which the request reached the file, or one of its paths. Empty if it is not UTF-8.
    pub path: String,
    /// The same path as bytes, if it is not UTF-8.
    pub path_bytes: Option<Bytes>,
    /// What the file is.
    pub kind: FileKind,
    /// Permission bits, including set-user-id, set-group-id and sticky: 0 to 0o7777.
    pub mode: u32,
    /// How many names lead to it.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Device number of a character or block device.
    pub rdev: u64,
    /// Length of the content in bytes; of a symbolic link, the length of its target.
    pub size_bytes: u64,
    /// Last access as far as it is kept.
    pub atime: SystemTime,
    /// Last change of the content.
    pub mtime: SystemTime,
    /// Last change of the file or its attributes.
    pub ctime: SystemTime,
    /// Creation.
    pub btime: SystemTime,
    /// Revision of the last change to the file: attributes, content, metadata, extended attributes or vectors.
    pub revision: i64,
    /// Revision of the last change to the content.
    pub content_revision: i64,
}

impl From<proto::File> for File {
    fn from(file: proto::File) -> Self {
        Self {
            id: file.id,
            kind: FileKind::from(file.kind()),
            path: file.path,
            path_bytes: only_if_set(file.path_bytes),
            mode: file.mode,
            nlink: file.nlink,
            uid: file.uid,
            gid: file.gid,
            rdev: file.rdev,
            size_bytes: count(file.size_bytes),
            atime: from_timestamp(file.atime),
            mtime: from_timestamp(file.mtime),
            ctime: from_timestamp(file.ctime),
            btime: from_timestamp(file.btime),
            revision: file.revision,
            content_revision: file.content_revision,
        }
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// A regular file: content, metadata and vectors.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket's name.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// Something that this release does not know.
    Unknown,
}

impl From<proto::FileKind> for FileKind {
    fn from(kind: proto::FileKind) -> Self {
        match kind {
            proto::FileKind::Unspecified => Self::Unknown,
            proto::FileKind::Regular => Self::Regular,
            proto::FileKind::Directory => Self::Directory,
            proto::FileKind::Symlink => Self::Symlink,
            proto::FileKind::Fifo => Self::Fifo,
            proto::FileKind::Socket => Self::Socket,
            proto::FileKind::CharacterDevice => Self::CharacterDevice,
            proto::FileKind::BlockDevice => Self::BlockDevice,
        }
    }
}

/// What was copied.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Copied {
    /// The copy, or its topmost directory.
    pub file: File,
    /// How many files of any kind were made.
    pub count: u64,
}

/// Where a symbolic link leads: an absolute path, or one relative to the link's directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SymlinkTarget {
    /// A path in UTF-8.
    Path(String),
    /// A path that is not UTF-8.
    Bytes(Bytes),
}

impl From<&str> for SymlinkTarget {
    fn from(path: &str) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<String> for SymlinkTarget {
    fn from(path: String) -> Self {
        Self::Path(path)
    }
}

impl From<Bytes> for SymlinkTarget {
    fn from(path: Bytes) -> Self {
        Self::Bytes(path)
    }
}

impl From<SymlinkTarget> for proto::create_symlink_request::Destination {
    fn from(target: SymlinkTarget) -> Self {
        match target {
            SymlinkTarget::Path(path) => Self::Target(path),
            SymlinkTarget::Bytes(path) => Self::TargetBytes(path),
        }
    }
}

impl From<proto::ReadSymlinkResponse> for SymlinkTarget {
    fn from(response: proto::ReadSymlinkResponse) -> Self {
        if response.target_bytes.is_empty() { Self::Path(response.target) } else { Self::Bytes(response.target_bytes) }
    }
}
