//! The group of methods about files.

use std::error::Error as StdError;

use bytes::Bytes;
use futures_util::stream::{Stream, TryStreamExt as _};
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use crate::convert::to_struct;
use crate::generated::proto;
use crate::requests::{
    Copy, GetMetadata, GetXattr, Link, List, ListXattrs, MakeDirectory, MoveTo, Read, ReadSymlink, Remove, RemoveXattr,
    SetAttributes, SetMetadata, SetXattr, Stat, Symlink, Write, WriteStream,
};
use crate::source::SourceError;
use crate::upload::source;
use crate::{Client, FileRef, SymlinkTarget};

const READ_BYTES: usize = 256 * 1024;

/// The tree of files: content, names, attributes, metadata. Made by [`Client::files`].
#[derive(Clone, Debug)]
pub struct Files {
    client: Client,
}

impl Files {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What a file is: kind, size, times, owner.
    pub fn stat(&self, file: impl Into<FileRef>) -> Stat {
        Stat::new(&self.client, proto::StatFileRequest { file: named(file), ..Default::default() })
    }

    /// The entries of a directory in byte order of their names.
    pub fn list(&self, directory: impl Into<FileRef>) -> List {
        List::new(&self.client, proto::ListFilesRequest { directory: named(directory), ..Default::default() })
    }

    /// The content of a file: all of it by `.await`, or a [`stream`](Read::stream).
    pub fn read(&self, file: impl Into<FileRef>) -> Read {
        Read::new(&self.client, proto::ReadFileRequest { file: named(file), ..Default::default() })
    }

    /// Write bytes as the content of a file, which is made if there is none. Sent in one message, or in several if it is large.
    pub fn write(&self, file: impl Into<FileRef>, content: impl Into<Bytes>) -> Write {
        Write::new(&self.client, file.into().into(), content.into())
    }

    /// Write what a stream gives, of any length. The file changes as a whole when the stream ends, and not at all if it fails.
    ///
    /// It is not tried again once something was taken from the stream.
    pub fn write_stream<S, B, E>(&self, file: impl Into<FileRef>, content: S) -> WriteStream
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Into<Bytes> + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        WriteStream::new(&self.client, file.into().into(), source(content.map_ok(Into::into).map_err(Into::into)))
    }

    /// Write what a reader gives, until its end; otherwise as [`write_stream`](Self::write_stream).
    pub fn write_from(&self, file: impl Into<FileRef>, content: impl AsyncRead + Send + 'static) -> WriteStream {
        let content = ReaderStream::with_capacity(content, READ_BYTES);
        WriteStream::new(&self.client, file.into().into(), source(content.map_err(SourceError::from)))
    }

    /// Make a directory at a path.
    pub fn make_directory(&self, directory: impl Into<FileRef>) -> MakeDirectory {
        MakeDirectory::new(&self.client, proto::MakeDirectoryRequest { directory: named(directory), ..Default::default() })
    }

    /// Give a file another name or another place. What has the new name already is replaced, as rename(2) does.
    pub fn move_to(&self, source: impl Into<FileRef>, destination: impl Into<FileRef>) -> MoveTo {
        let (source, destination) = (named(source), named(destination));
        MoveTo::new(&self.client, proto::MoveFileRequest { source, destination, ..Default::default() })
    }

    /// Copy a file, or a tree, with content, attributes, metadata and vectors; large content is shared, not copied.
    pub fn copy(&self, source: impl Into<FileRef>, destination: impl Into<FileRef>) -> Copy {
        let (source, destination) = (named(source), named(destination));
        Copy::new(&self.client, proto::CopyFileRequest { source, destination, ..Default::default() })
    }

    /// Remove a file, an empty directory or, if asked, a whole tree.
    pub fn remove(&self, file: impl Into<FileRef>) -> Remove {
        Remove::new(&self.client, proto::RemoveFileRequest { file: named(file), ..Default::default() })
    }

    /// Make a symbolic link at a path, to a target that need not exist.
    pub fn symlink(&self, link: impl Into<FileRef>, target: impl Into<SymlinkTarget>) -> Symlink {
        let destination = Some(target.into().into());
        Symlink::new(&self.client, proto::CreateSymlinkRequest { link: named(link), destination, ..Default::default() })
    }

    /// Where a symbolic link leads.
    pub fn read_symlink(&self, file: impl Into<FileRef>) -> ReadSymlink {
        ReadSymlink::new(&self.client, proto::ReadSymlinkRequest { file: named(file), ..Default::default() })
    }

    /// Give a file, which is no directory, a second name at a path.
    pub fn link(&self, file: impl Into<FileRef>, link: impl Into<FileRef>) -> Link {
        Link::new(&self.client, proto::CreateLinkRequest { file: named(file), link: named(link), ..Default::default() })
    }

    /// Change permission bits, owner, times or size; what is not set stays.
    pub fn set_attributes(&self, file: impl Into<FileRef>) -> SetAttributes {
        SetAttributes::new(&self.client, proto::SetAttributesRequest { file: named(file), ..Default::default() })
    }

    /// Read an extended attribute, such as `user.colour`.
    pub fn get_xattr(&self, file: impl Into<FileRef>, name: impl Into<String>) -> GetXattr {
        let name = name.into();
        GetXattr::new(&self.client, proto::GetXattrRequest { file: named(file), name, ..Default::default() })
    }

    /// Set an extended attribute.
    pub fn set_xattr(&self, file: impl Into<FileRef>, name: impl Into<String>, value: impl Into<Bytes>) -> SetXattr {
        let (name, value) = (name.into(), value.into());
        SetXattr::new(&self.client, proto::SetXattrRequest { file: named(file), name, value, ..Default::default() })
    }

    /// The names of a file's extended attributes.
    pub fn list_xattrs(&self, file: impl Into<FileRef>) -> ListXattrs {
        ListXattrs::new(&self.client, proto::ListXattrsRequest { file: named(file), ..Default::default() })
    }

    /// Remove an extended attribute.
    pub fn remove_xattr(&self, file: impl Into<FileRef>, name: impl Into<String>) -> RemoveXattr {
        let name = name.into();
        RemoveXattr::new(&self.client, proto::RemoveXattrRequest { file: named(file), name, ..Default::default() })
    }

    /// Read a file's metadata.
    pub fn get_metadata(&self, file: impl Into<FileRef>) -> GetMetadata {
        GetMetadata::new(&self.client, proto::GetMetadataRequest { file: named(file), ..Default::default() })
    }

    /// Replace a file's metadata: pairs of a name and a JSON value, or a whole [`Metadata`](crate::Metadata). Nothing clears it.
    pub fn set_metadata<K, V>(&self, file: impl Into<FileRef>, metadata: impl IntoIterator<Item = (K, V)>) -> SetMetadata
    where
        K: Into<String>,
        V: Into<serde_json::Value>,
    {
        let metadata = to_struct(metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect());
        let request = proto::SetMetadataRequest { file: named(file), metadata: Some(metadata), ..Default::default() };
        SetMetadata::new(&self.client, request)
    }
}

/// A file as a field of a request.
pub(crate) fn named(file: impl Into<FileRef>) -> Option<proto::FileRef> {
    Some(file.into().into())
}
