"""The methods of the contract as the drivers need them. A test compares the table with the descriptors."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from betterproto2 import Message

from vexfs_client._generated.vexfs import v1

ResponseT = TypeVar("ResponseT", bound=Message)


@dataclass(frozen=True, slots=True)
class Method(Generic[ResponseT]):
    """One method: its path on the wire, the class of its responses, and whether it changes anything (it has a `request_id`
    then).
    """

    path: str
    response: type[ResponseT]
    writes: bool = False


_FILES = "/vexfs.v1.FilesService/"
_COLLECTIONS = "/vexfs.v1.CollectionsService/"
_POINTS = "/vexfs.v1.PointsService/"
_SEARCH = "/vexfs.v1.SearchService/"

STAT_FILE = Method(_FILES + "StatFile", v1.StatFileResponse)
LIST_FILES = Method(_FILES + "ListFiles", v1.ListFilesResponse)
READ_FILE = Method(_FILES + "ReadFile", v1.ReadFileResponse)
GET_CONTENT = Method(_FILES + "GetContent", v1.GetContentResponse)
WRITE_FILE = Method(_FILES + "WriteFile", v1.WriteFileResponse, writes=True)
PUT_CONTENT = Method(_FILES + "PutContent", v1.PutContentResponse, writes=True)
MAKE_DIRECTORY = Method(_FILES + "MakeDirectory", v1.MakeDirectoryResponse, writes=True)
MOVE_FILE = Method(_FILES + "MoveFile", v1.MoveFileResponse, writes=True)
COPY_FILE = Method(_FILES + "CopyFile", v1.CopyFileResponse, writes=True)
REMOVE_FILE = Method(_FILES + "RemoveFile", v1.RemoveFileResponse, writes=True)
CREATE_SYMLINK = Method(_FILES + "CreateSymlink", v1.CreateSymlinkResponse, writes=True)
READ_SYMLINK = Method(_FILES + "ReadSymlink", v1.ReadSymlinkResponse)
CREATE_LINK = Method(_FILES + "CreateLink", v1.CreateLinkResponse, writes=True)
SET_ATTRIBUTES = Method(_FILES + "SetAttributes", v1.SetAttributesResponse, writes=True)
GET_XATTR = Method(_FILES + "GetXattr", v1.GetXattrResponse)
SET_XATTR = Method(_FILES + "SetXattr", v1.SetXattrResponse, writes=True)
LIST_XATTRS = Method(_FILES + "ListXattrs", v1.ListXattrsResponse)
REMOVE_XATTR = Method(_FILES + "RemoveXattr", v1.RemoveXattrResponse, writes=True)
GET_METADATA = Method(_FILES + "GetMetadata", v1.GetMetadataResponse)
SET_METADATA = Method(_FILES + "SetMetadata", v1.SetMetadataResponse, writes=True)
CREATE_COLLECTION = Method(_COLLECTIONS + "CreateCollection", v1.CreateCollectionResponse, writes=True)
GET_COLLECTION = Method(_COLLECTIONS + "GetCollection", v1.GetCollectionResponse)
LIST_COLLECTIONS = Method(_COLLECTIONS + "ListCollections", v1.ListCollectionsResponse)
DELETE_COLLECTION = Method(_COLLECTIONS + "DeleteCollection", v1.DeleteCollectionResponse, writes=True)
UPSERT_POINTS = Method(_POINTS + "UpsertPoints", v1.UpsertPointsResponse, writes=True)
UPSERT_POINTS_STREAM = Method(_POINTS + "UpsertPointsStream", v1.UpsertPointsStreamResponse, writes=True)
GET_POINTS = Method(_POINTS + "GetPoints", v1.GetPointsResponse)
DELETE_POINTS = Method(_POINTS + "DeletePoints", v1.DeletePointsResponse, writes=True)
LIST_POINTS = Method(_POINTS + "ListPoints", v1.ListPointsResponse)
BATCH_QUERY_POINTS = Method(_POINTS + "BatchQueryPoints", v1.BatchQueryPointsResponse)
QUERY_POINTS = Method(_POINTS + "QueryPoints", v1.QueryPointsResponse)
BATCH_SEARCH = Method(_SEARCH + "BatchSearch", v1.BatchSearchResponse)
SEARCH = Method(_SEARCH + "Search", v1.SearchResponse)
WAIT_FOR_VIEWS = Method(_SEARCH + "WaitForViews", v1.WaitForViewsResponse)
LIST_SKIPPED_FILES = Method(_SEARCH + "ListSkippedFiles", v1.ListSkippedFilesResponse)
GET_SERVER_INFO = Method("/vexfs.v1.ServerService/GetServerInfo", v1.GetServerInfoResponse)
