// @generated from the contract by sdk-rust/generate.

/// One method of the contract.
pub struct Method {
    /// Service and name.
    pub path: &'static str,
    /// It changes something, and so carries a `request_id`.
    pub writes: bool,
}

/// All methods.
pub const METHODS: &[Method] = &[
    Method { path: "vexfs.v1.CollectionsService/CreateCollection", writes: true },
    Method { path: "vexfs.v1.CollectionsService/GetCollection", writes: false },
    Method { path: "vexfs.v1.CollectionsService/ListCollections", writes: false },
    Method { path: "vexfs.v1.CollectionsService/DeleteCollection", writes: true },
    Method { path: "vexfs.v1.FilesService/StatFile", writes: false },
    Method { path: "vexfs.v1.FilesService/ListFiles", writes: false },
    Method { path: "vexfs.v1.FilesService/ReadFile", writes: false },
    Method { path: "vexfs.v1.FilesService/GetContent", writes: false },
    Method { path: "vexfs.v1.FilesService/WriteFile", writes: true },
    Method { path: "vexfs.v1.FilesService/PutContent", writes: true },
    Method { path: "vexfs.v1.FilesService/MakeDirectory", writes: true },
    Method { path: "vexfs.v1.FilesService/MoveFile", writes: true },
    Method { path: "vexfs.v1.FilesService/CopyFile", writes: true },
    Method { path: "vexfs.v1.FilesService/RemoveFile", writes: true },
    Method { path: "vexfs.v1.FilesService/CreateSymlink", writes: true },
    Method { path: "vexfs.v1.FilesService/ReadSymlink", writes: false },
    Method { path: "vexfs.v1.FilesService/CreateLink", writes: true },
    Method { path: "vexfs.v1.FilesService/SetAttributes", writes: true },
    Method { path: "vexfs.v1.FilesService/GetXattr", writes: false },
    Method { path: "vexfs.v1.FilesService/SetXattr", writes: true },
    Method { path: "vexfs.v1.FilesService/ListXattrs", writes: false },
    Method { path: "vexfs.v1.FilesService/RemoveXattr", writes: true },
    Method { path: "vexfs.v1.FilesService/GetMetadata", writes: false },
    Method { path: "vexfs.v1.FilesService/SetMetadata", writes: true },
    Method { path: "vexfs.v1.PointsService/UpsertPoints", writes: true },
    Method { path: "vexfs.v1.PointsService/UpsertPointsStream", writes: true },
    Method { path: "vexfs.v1.PointsService/GetPoints", writes: false },
    Method { path: "vexfs.v1.PointsService/DeletePoints", writes: true },
    Method { path: "vexfs.v1.PointsService/ListPoints", writes: false },
    Method { path: "vexfs.v1.PointsService/QueryPoints", writes: false },
    Method { path: "vexfs.v1.PointsService/BatchQueryPoints", writes: false },
    Method { path: "vexfs.v1.SearchService/Search", writes: false },
    Method { path: "vexfs.v1.SearchService/BatchSearch", writes: false },
    Method { path: "vexfs.v1.SearchService/WaitForViews", writes: false },
    Method { path: "vexfs.v1.SearchService/ListSkippedFiles", writes: false },
    Method { path: "vexfs.v1.ServerService/GetServerInfo", writes: false },
];
