// @generated from the contract by sdk-rust/generate.

/// Why a call failed. Reasons that a newer server may send and this list does not have are in
/// [`Error::reason_name`](crate::Error::reason_name).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// The request can never succeed as it is.
    ///
    /// Example: `limit: -1` in a search, or a request without the file it is about.
    ///
    /// What to do: Correct the field that the message names.
    InvalidArgument,
    /// A file name is empty, `.`, `..`, or holds `/` or NUL.
    ///
    /// Example: Making the directory `/docs/..`.
    ///
    /// What to do: Choose another name.
    InvalidName,
    /// A file name has more than 255 bytes, or a path more than 4,096.
    ///
    /// Example: Putting a file whose name has 300 bytes.
    ///
    /// What to do: Shorten the name or the path; UTF-8 takes up to 4 bytes a character.
    NameTooLong,
    /// A path is not absolute, or has an empty, `.` or `..` component.
    ///
    /// Example: Asking for `docs/a.md`, or for `/docs//a.md`.
    ///
    /// What to do: Write the path from the root: `/docs/a.md`.
    InvalidPath,
    /// A vector holds NaN or infinity, has zero length under cosine, or its bytes are no whole number of float32.
    ///
    /// Example: A vector of 10 bytes, or one with NaN in it.
    ///
    /// What to do: Send little-endian 32-bit floats, all finite; under cosine not all zero.
    InvalidVector,
    /// A vector has another dimension than its collection.
    ///
    /// Example: 768 components for a collection made for 384.
    ///
    /// What to do: Use the model the collection was made for; GetCollection tells its dimension.
    DimensionMismatch,
    /// A filter names an unknown attribute, nests too deep or compares what cannot be compared.
    ///
    /// Example: Comparing a list with `equals`, or 9 levels of nesting.
    ///
    /// What to do: Correct the condition that the message names.
    InvalidFilter,
    /// Metadata is not a JSON object, or larger than 64 KiB.
    ///
    /// Example: Metadata of 100 KiB.
    ///
    /// What to do: Send an object of at most 64 KiB; larger things are content.
    InvalidMetadata,
    /// A collection's schema contradicts itself or is outside the limits.
    ///
    /// Example: Two vectors of the same name.
    ///
    /// What to do: Correct the part of the schema that the message names.
    InvalidSchema,
    /// No file has that path or id.
    ///
    /// Example: Reading `/docs/none.md`.
    ///
    /// What to do: Check the path with ListFiles; an id stops working when its file is removed.
    FileNotFound,
    /// No collection has that path.
    ///
    /// Example: Querying points of a directory without a schema.
    ///
    /// What to do: Make it with CreateCollection, or correct the path.
    CollectionNotFound,
    /// The collection has no point of that id.
    ///
    /// Example: Querying by a point that was deleted.
    ///
    /// What to do: Check the id with ListPoints.
    PointNotFound,
    /// The file has no extended attribute of that name.
    ///
    /// Example: Getting `user.colour` of a file that does not have it.
    ///
    /// What to do: Ask ListXattrs which there are.
    AttributeNotFound,
    /// Something has that name already.
    ///
    /// Example: Making the directory `/docs` a second time.
    ///
    /// What to do: Choose another name, or allow replacing where the method offers it.
    FileExists,
    /// The directory has a vector schema already.
    ///
    /// Example: Creating a collection where there is one with another schema.
    ///
    /// What to do: Use the one that is there, or delete it first.
    CollectionExists,
    /// The extended attribute exists and the caller asked to create it.
    ///
    /// Example: SetXattr with `create_only` for a name that is set.
    ///
    /// What to do: Leave `create_only` out to replace the value.
    AttributeExists,
    /// The tree is not in the state the operation needs.
    ///
    /// Example: A general case of those below.
    ///
    /// What to do: Read the message; change the state, then try again.
    FailedPrecondition,
    /// A component of the path, or the target, is not a directory.
    ///
    /// Example: Listing `/docs/a.md`, or reading `/docs/a.md/b`.
    ///
    /// What to do: Name a directory.
    NotADirectory,
    /// The operation works on files and was given a directory.
    ///
    /// Example: Reading the content of `/docs`.
    ///
    /// What to do: Name a file; copying or removing a directory takes `recursive`.
    IsADirectory,
    /// The directory still has entries.
    ///
    /// Example: Removing `/docs` while there are files in it.
    ///
    /// What to do: Remove its entries first, or set `recursive`.
    DirectoryNotEmpty,
    /// Content belongs to regular files only.
    ///
    /// Example: Putting content into a symbolic link.
    ///
    /// What to do: Name the file it leads to, or set `follow`.
    NotARegularFile,
    /// Only a symbolic link has a target.
    ///
    /// Example: ReadSymlink of a regular file.
    ///
    /// What to do: Ask StatFile for the kind first.
    NotASymlink,
    /// A directory cannot be moved below itself.
    ///
    /// Example: Moving `/a` to `/a/b`.
    ///
    /// What to do: Choose a destination outside.
    MoveIntoItself,
    /// The file's vectors do not fit the collection it would come to lie in.
    ///
    /// Example: Moving a point of 384 dimensions into a collection of 768.
    ///
    /// What to do: Copy the content and make the vectors anew.
    VectorsDoNotFit,
    /// The root cannot be moved, removed or replaced.
    ///
    /// Example: Removing `/`.
    ///
    /// What to do: Remove its entries instead.
    RootImmutable,
    /// The file has as many links as VexFS allows, or is a directory.
    ///
    /// Example: A 65,001st hard link to one file.
    ///
    /// What to do: Make a symbolic link or a copy; large content is shared anyway.
    TooManyLinks,
    /// Hard links to directories do not exist.
    ///
    /// Example: A hard link to `/docs`.
    ///
    /// What to do: Make a symbolic link.
    LinkNotPermitted,
    /// The same `request_id` came with another request.
    ///
    /// Example: Two different requests with `request_id: "1"`.
    ///
    /// What to do: Make a new random id for each operation; use it again only to repeat that operation.
    RequestIdReused,
    /// The content is not the one the caller's condition (If-Match) names.
    ///
    /// Example: PutContent with `if_content_revision: 7` after somebody wrote revision 9.
    ///
    /// What to do: Read the new content, decide again, and send its revision.
    ContentChanged,
    /// `at_revision` is in the future or older than the history window.
    ///
    /// Example: Reading at a revision of last month, or of the future.
    ///
    /// What to do: Ask GetServerInfo for the oldest and the newest revision that can be read.
    RevisionNotAvailable,
    /// The deadline passed before the volume, or the view, had `min_revision`.
    ///
    /// Example: A search with a fresh `min_revision` and a deadline of 10 ms.
    ///
    /// What to do: Wait longer, or leave `min_revision` out and accept a partial answer.
    RevisionNotReached,
    /// The deadline passed before the call ended; what it was to write may have been written all the same.
    ///
    /// Example: Copying a large tree with a deadline of one second.
    ///
    /// What to do: Give it more time; with the same `request_id`, the call takes effect once.
    DeadlineExceeded,
    /// The request carries no token, or a wrong one.
    ///
    /// Example: A request without `authorization: Bearer …`.
    ///
    /// What to do: Send the token that lies in the data folder's file `token`.
    Unauthenticated,
    /// The caller is known and may not do this.
    ///
    /// Example: Writing with a token that may only read.
    ///
    /// What to do: Ask for the permission that the message names.
    PermissionDenied,
    /// The request's Host or Origin header names a site that is not this server.
    ///
    /// Example: A page of `http://example.com` calling a server on this machine.
    ///
    /// What to do: Call it under its own address, or add the site to the allowed origins of the server.
    ForeignOrigin,
    /// A limit was reached.
    ///
    /// Example: A general case of those below.
    ///
    /// What to do: Read the message; it names the limit.
    ResourceExhausted,
    /// A body, a batch or a value is over its limit.
    ///
    /// Example: PutContent with more than the limit that GetServerInfo tells.
    ///
    /// What to do: Use WriteFile for large content; split large batches.
    TooLarge,
    /// A bounded queue is full; try again after the delay.
    ///
    /// Example: More writes at once than the server lets wait.
    ///
    /// What to do: Try again after a short delay that grows; the same `request_id` makes that safe.
    QueueFull,
    /// The disk underneath is full.
    ///
    /// Example: Writing to a full disk.
    ///
    /// What to do: Free space; nothing of the failed operation was kept.
    VolumeFull,
    /// The volume would hold more bytes, or more files, than its quota allows.
    ///
    /// Example: Putting 1 MiB into a volume that may hold 512 KiB more.
    ///
    /// What to do: Remove something, or have the quota raised; nothing of the failed operation was kept.
    QuotaExceeded,
    /// Cannot be answered now.
    ///
    /// Example: The server is starting or stopping.
    ///
    /// What to do: Try again after a short delay.
    Unavailable,
    /// A view the request depends on is not there; it is being rebuilt.
    ///
    /// Example: A dense search while the dense view is being rebuilt from nothing.
    ///
    /// What to do: Try again later, or ask for another mode; GetServerInfo tells how far it is.
    ViewUnavailable,
    /// The volume takes no writes: a commit failed or damage was found.
    ///
    /// Example: Writing after a commit failed on a broken disk.
    ///
    /// What to do: Look into the log of the server, repair with `vexfs check`, restart.
    VolumeReadOnly,
    /// Another server has this data folder open.
    ///
    /// Example: Starting a second server on the same data folder.
    ///
    /// What to do: Use the running one, or stop it first.
    VolumeInUse,
    /// Stored data cannot be read back as it was written.
    ///
    /// Example: A general case of the one below.
    ///
    /// What to do: Restore what the message names from a copy.
    DataLoss,
    /// A file's content is damaged: a blob is missing or does not match its hash.
    ///
    /// Example: A blob whose bytes do not have the hash they are named by.
    ///
    /// What to do: Run `vexfs check`; restore the file from a copy.
    CorruptContent,
    /// This server cannot do that.
    ///
    /// Example: Asking for a capability that GetServerInfo does not list.
    ///
    /// What to do: Do without, or use a newer server.
    NotSupported,
    /// The data folder was written by a newer VexFS.
    ///
    /// Example: Opening data written by a later release.
    ///
    /// What to do: Use that release or a later one; nothing was changed.
    FormatTooNew,
    /// The SQLite library is a version that can corrupt a WAL shared by several connections.
    ///
    /// Example: Running on SQLite 3.45, which can corrupt a shared WAL.
    ///
    /// What to do: Install a current `apsw`, which brings its own SQLite.
    UnsafeSqlite,
    /// A fault of ours; the log of the server says more.
    ///
    /// Example: A fault of the server itself.
    ///
    /// What to do: Report it with the log lines of the time; trying again may help, and nothing is half done.
    Internal,
}

impl Reason {
    /// Every reason this release knows.
    pub const ALL: &'static [Self] = &[
        Self::InvalidArgument,
        Self::InvalidName,
        Self::NameTooLong,
        Self::InvalidPath,
        Self::InvalidVector,
        Self::DimensionMismatch,
        Self::InvalidFilter,
        Self::InvalidMetadata,
        Self::InvalidSchema,
        Self::FileNotFound,
        Self::CollectionNotFound,
        Self::PointNotFound,
        Self::AttributeNotFound,
        Self::FileExists,
        Self::CollectionExists,
        Self::AttributeExists,
        Self::FailedPrecondition,
        Self::NotADirectory,
        Self::IsADirectory,
        Self::DirectoryNotEmpty,
        Self::NotARegularFile,
        Self::NotASymlink,
        Self::MoveIntoItself,
        Self::VectorsDoNotFit,
        Self::RootImmutable,
        Self::TooManyLinks,
        Self::LinkNotPermitted,
        Self::RequestIdReused,
        Self::ContentChanged,
        Self::RevisionNotAvailable,
        Self::RevisionNotReached,
        Self::DeadlineExceeded,
        Self::Unauthenticated,
        Self::PermissionDenied,
        Self::ForeignOrigin,
        Self::ResourceExhausted,
        Self::TooLarge,
        Self::QueueFull,
        Self::VolumeFull,
        Self::QuotaExceeded,
        Self::Unavailable,
        Self::ViewUnavailable,
        Self::VolumeReadOnly,
        Self::VolumeInUse,
        Self::DataLoss,
        Self::CorruptContent,
        Self::NotSupported,
        Self::FormatTooNew,
        Self::UnsafeSqlite,
        Self::Internal,
    ];

    /// The name on the wire, such as `FILE_NOT_FOUND`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::InvalidName => "INVALID_NAME",
            Self::NameTooLong => "NAME_TOO_LONG",
            Self::InvalidPath => "INVALID_PATH",
            Self::InvalidVector => "INVALID_VECTOR",
            Self::DimensionMismatch => "DIMENSION_MISMATCH",
            Self::InvalidFilter => "INVALID_FILTER",
            Self::InvalidMetadata => "INVALID_METADATA",
            Self::InvalidSchema => "INVALID_SCHEMA",
            Self::FileNotFound => "FILE_NOT_FOUND",
            Self::CollectionNotFound => "COLLECTION_NOT_FOUND",
            Self::PointNotFound => "POINT_NOT_FOUND",
            Self::AttributeNotFound => "ATTRIBUTE_NOT_FOUND",
            Self::FileExists => "FILE_EXISTS",
            Self::CollectionExists => "COLLECTION_EXISTS",
            Self::AttributeExists => "ATTRIBUTE_EXISTS",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::NotADirectory => "NOT_A_DIRECTORY",
            Self::IsADirectory => "IS_A_DIRECTORY",
            Self::DirectoryNotEmpty => "DIRECTORY_NOT_EMPTY",
            Self::NotARegularFile => "NOT_A_REGULAR_FILE",
            Self::NotASymlink => "NOT_A_SYMLINK",
            Self::MoveIntoItself => "MOVE_INTO_ITSELF",
            Self::VectorsDoNotFit => "VECTORS_DO_NOT_FIT",
            Self::RootImmutable => "ROOT_IMMUTABLE",
            Self::TooManyLinks => "TOO_MANY_LINKS",
            Self::LinkNotPermitted => "LINK_NOT_PERMITTED",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::ContentChanged => "CONTENT_CHANGED",
            Self::RevisionNotAvailable => "REVISION_NOT_AVAILABLE",
            Self::RevisionNotReached => "REVISION_NOT_REACHED",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::ForeignOrigin => "FOREIGN_ORIGIN",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::TooLarge => "TOO_LARGE",
            Self::QueueFull => "QUEUE_FULL",
            Self::VolumeFull => "VOLUME_FULL",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::Unavailable => "UNAVAILABLE",
            Self::ViewUnavailable => "VIEW_UNAVAILABLE",
            Self::VolumeReadOnly => "VOLUME_READ_ONLY",
            Self::VolumeInUse => "VOLUME_IN_USE",
            Self::DataLoss => "DATA_LOSS",
            Self::CorruptContent => "CORRUPT_CONTENT",
            Self::NotSupported => "NOT_SUPPORTED",
            Self::FormatTooNew => "FORMAT_TOO_NEW",
            Self::UnsafeSqlite => "UNSAFE_SQLITE",
            Self::Internal => "INTERNAL",
        }
    }

    /// The reason of that name, if this release knows it.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "INVALID_ARGUMENT" => Self::InvalidArgument,
            "INVALID_NAME" => Self::InvalidName,
            "NAME_TOO_LONG" => Self::NameTooLong,
            "INVALID_PATH" => Self::InvalidPath,
            "INVALID_VECTOR" => Self::InvalidVector,
            "DIMENSION_MISMATCH" => Self::DimensionMismatch,
            "INVALID_FILTER" => Self::InvalidFilter,
            "INVALID_METADATA" => Self::InvalidMetadata,
            "INVALID_SCHEMA" => Self::InvalidSchema,
            "FILE_NOT_FOUND" => Self::FileNotFound,
            "COLLECTION_NOT_FOUND" => Self::CollectionNotFound,
            "POINT_NOT_FOUND" => Self::PointNotFound,
            "ATTRIBUTE_NOT_FOUND" => Self::AttributeNotFound,
            "FILE_EXISTS" => Self::FileExists,
            "COLLECTION_EXISTS" => Self::CollectionExists,
            "ATTRIBUTE_EXISTS" => Self::AttributeExists,
            "FAILED_PRECONDITION" => Self::FailedPrecondition,
            "NOT_A_DIRECTORY" => Self::NotADirectory,
            "IS_A_DIRECTORY" => Self::IsADirectory,
            "DIRECTORY_NOT_EMPTY" => Self::DirectoryNotEmpty,
            "NOT_A_REGULAR_FILE" => Self::NotARegularFile,
            "NOT_A_SYMLINK" => Self::NotASymlink,
            "MOVE_INTO_ITSELF" => Self::MoveIntoItself,
            "VECTORS_DO_NOT_FIT" => Self::VectorsDoNotFit,
            "ROOT_IMMUTABLE" => Self::RootImmutable,
            "TOO_MANY_LINKS" => Self::TooManyLinks,
            "LINK_NOT_PERMITTED" => Self::LinkNotPermitted,
            "REQUEST_ID_REUSED" => Self::RequestIdReused,
            "CONTENT_CHANGED" => Self::ContentChanged,
            "REVISION_NOT_AVAILABLE" => Self::RevisionNotAvailable,
            "REVISION_NOT_REACHED" => Self::RevisionNotReached,
            "DEADLINE_EXCEEDED" => Self::DeadlineExceeded,
            "UNAUTHENTICATED" => Self::Unauthenticated,
            "PERMISSION_DENIED" => Self::PermissionDenied,
            "FOREIGN_ORIGIN" => Self::ForeignOrigin,
            "RESOURCE_EXHAUSTED" => Self::ResourceExhausted,
            "TOO_LARGE" => Self::TooLarge,
            "QUEUE_FULL" => Self::QueueFull,
            "VOLUME_FULL" => Self::VolumeFull,
            "QUOTA_EXCEEDED" => Self::QuotaExceeded,
            "UNAVAILABLE" => Self::Unavailable,
            "VIEW_UNAVAILABLE" => Self::ViewUnavailable,
            "VOLUME_READ_ONLY" => Self::VolumeReadOnly,
            "VOLUME_IN_USE" => Self::VolumeInUse,
            "DATA_LOSS" => Self::DataLoss,
            "CORRUPT_CONTENT" => Self::CorruptContent,
            "NOT_SUPPORTED" => Self::NotSupported,
            "FORMAT_TOO_NEW" => Self::FormatTooNew,
            "UNSAFE_SQLITE" => Self::UnsafeSqlite,
            "INTERNAL" => Self::Internal,
            _ => return None,
        })
    }

    /// Whether the same request can succeed later without anybody changing it.
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RevisionNotReached
                | Self::DeadlineExceeded
                | Self::QueueFull
                | Self::Unavailable
                | Self::ViewUnavailable
                | Self::VolumeInUse
        )
    }
}
