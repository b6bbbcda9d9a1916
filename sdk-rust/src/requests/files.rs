//! Requests about files, but for their content.

use std::time::SystemTime;

use bytes::Bytes;

use crate::builders::{list, request};
use crate::convert::{count, from_struct, size, to_timestamp};
use crate::{Copied, File, Metadata, SymlinkTarget};

request! {
    /// Asks what a file is. Made by [`Files::stat`](crate::Files::stat).
    history Stat(StatFileRequest) -> File, |response| response.file.map(File::from)
}

list! {
    /// Lists a directory in byte order of names. Made by [`Files::list`](crate::Files::list).
    history List(ListFilesRequest) -> File, |response| Some(response.files.into_iter().map(File::from).collect())
}

request! {
    /// Makes a directory. Made by [`Files::make_directory`](crate::Files::make_directory).
    writes MakeDirectory(MakeDirectoryRequest) -> File, |response| response.file.map(File::from)
}

impl MakeDirectory {
    /// Make the directories above it that are missing; if the directory itself is there already, that is no error.
    pub fn make_parents(mut self, make_parents: bool) -> Self {
        self.request.make_parents = make_parents;
        self
    }

    /// Permission bits; 0o755 if not set.
    pub fn mode(mut self, mode: u32) -> Self {
        self.request.mode = Some(mode);
        self
    }
}

request! {
    /// Moves a file. Made by [`Files::move_to`](crate::Files::move_to).
    writes MoveTo(MoveFileRequest) -> File, |response| response.file.map(File::from)
}

impl MoveTo {
    /// Fail with [`Reason::FileExists`](crate::Reason::FileExists) if something has the new name, instead of replacing it.
    pub fn no_replace(mut self, no_replace: bool) -> Self {
        self.request.no_replace = no_replace;
        self
    }

    /// Exchange the two files; both must be there.
    pub fn exchange(mut self, exchange: bool) -> Self {
        self.request.exchange = exchange;
        self
    }
}

request! {
    /// Copies a file or a tree. Made by [`Files::copy`](crate::Files::copy).
    writes Copy(CopyFileRequest) -> Copied, |response| {
        response.file.map(|file| Copied { file: file.into(), count: count(response.copied) })
    }
}

impl Copy {
    /// Copy a directory with everything below it.
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.request.recursive = recursive;
        self
    }

    /// Fail with [`Reason::FileExists`](crate::Reason::FileExists) if something has the new name, instead of replacing a file.
    pub fn no_replace(mut self, no_replace: bool) -> Self {
        self.request.no_replace = no_replace;
        self
    }
}

request! {
    /// Removes a file or a directory; answers how many names are gone. Made by [`Files::remove`](crate::Files::remove).
    writes Remove(RemoveFileRequest) -> u64, |response| Some(count(response.removed))
}

impl Remove {
    /// Remove a directory with everything below it.
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.request.recursive = recursive;
        self
    }
}

request! {
    /// Makes a symbolic link. Made by [`Files::symlink`](crate::Files::symlink).
    writes Symlink(CreateSymlinkRequest) -> File, |response| response.file.map(File::from)
}

request! {
    /// Asks where a symbolic link leads. Made by [`Files::read_symlink`](crate::Files::read_symlink).
    history ReadSymlink(ReadSymlinkRequest) -> SymlinkTarget, |response| Some(SymlinkTarget::from(response))
}

request! {
    /// Gives a file a second name. Made by [`Files::link`](crate::Files::link).
    writes Link(CreateLinkRequest) -> File, |response| response.file.map(File::from)
}

request! {
    /// Changes attributes; what is not set stays. Made by [`Files::set_attributes`](crate::Files::set_attributes).
    writes SetAttributes(SetAttributesRequest) -> File, |response| response.file.map(File::from)
}

impl SetAttributes {
    /// Permission bits: 0 to 0o7777.
    pub fn mode(mut self, mode: u32) -> Self {
        self.request.mode = Some(mode);
        self
    }

    /// Owner.
    pub fn uid(mut self, uid: u32) -> Self {
        self.request.uid = Some(uid);
        self
    }

    /// Owning group.
    pub fn gid(mut self, gid: u32) -> Self {
        self.request.gid = Some(gid);
        self
    }

    /// Last access.
    pub fn atime(mut self, time: SystemTime) -> Self {
        self.request.atime = Some(to_timestamp(time));
        self
    }

    /// Last change of the content.
    pub fn mtime(mut self, time: SystemTime) -> Self {
        self.request.mtime = Some(to_timestamp(time));
        self
    }

    /// Length of the content in bytes: cut off there, or filled with zeros up to there.
    pub fn size_bytes(mut self, bytes: u64) -> Self {
        self.request.size_bytes = Some(size(bytes));
        self
    }
}

request! {
    /// Reads an extended attribute. Made by [`Files::get_xattr`](crate::Files::get_xattr).
    history GetXattr(GetXattrRequest) -> Bytes, |response| Some(response.value)
}

request! {
    /// Sets an extended attribute. Made by [`Files::set_xattr`](crate::Files::set_xattr).
    writes SetXattr(SetXattrRequest) -> (), |response| Some(())
}

impl SetXattr {
    /// Fail with [`Reason::AttributeExists`](crate::Reason::AttributeExists) if it is set already.
    pub fn create_only(mut self, create_only: bool) -> Self {
        self.request.create_only = create_only;
        self
    }

    /// Fail with [`Reason::AttributeNotFound`](crate::Reason::AttributeNotFound) if it is not set yet.
    pub fn replace_only(mut self, replace_only: bool) -> Self {
        self.request.replace_only = replace_only;
        self
    }
}

request! {
    /// Lists the names of extended attributes in byte order. Made by [`Files::list_xattrs`](crate::Files::list_xattrs).
    history ListXattrs(ListXattrsRequest) -> Vec<String>, |response| Some(response.names)
}

request! {
    /// Removes an extended attribute. Made by [`Files::remove_xattr`](crate::Files::remove_xattr).
    writes RemoveXattr(RemoveXattrRequest) -> (), |response| Some(())
}

request! {
    /// Reads metadata; empty if none was ever set. Made by [`Files::get_metadata`](crate::Files::get_metadata).
    history GetMetadata(GetMetadataRequest) -> Metadata, |response| Some(from_struct(response.metadata))
}

request! {
    /// Replaces metadata. Made by [`Files::set_metadata`](crate::Files::set_metadata).
    writes SetMetadata(SetMetadataRequest) -> File, |response| response.file.map(File::from)
}
