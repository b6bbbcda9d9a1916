package vexfs

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// Reason is why a call failed, one of the contract's list. Each is an error that [errors.Is] finds in an [*Error] of that
// reason.
type Reason string

// Error is the reason's name.
func (r Reason) Error() string { return string(r) }

// contract is what the contract says of the reason; nil if it does not know it.
func (r Reason) contract() *pb.ErrorContract {
	value := pb.ErrorReason_ERROR_REASON_UNSPECIFIED.Descriptor().Values().ByName("ERROR_REASON_" + protoreflect.Name(r))
	if value == nil {
		return nil
	}
	options := value.Options().(*descriptorpb.EnumValueOptions)
	return proto.GetExtension(options, pb.E_Error).(*pb.ErrorContract)
}

// The reasons of the contract. Each comment says what happened; the contract has an example of each and what to do.
const (
	// ReasonInvalidArgument: the request can never succeed as it is.
	ReasonInvalidArgument Reason = "INVALID_ARGUMENT"
	// ReasonInvalidName: a file name is empty, `.`, `..`, or holds `/` or NUL.
	ReasonInvalidName Reason = "INVALID_NAME"
	// ReasonNameTooLong: a file name has more than 255 bytes, or a path more than 4,096.
	ReasonNameTooLong Reason = "NAME_TOO_LONG"
	// ReasonInvalidPath: a path is not absolute, or has an empty, `.` or `..` component.
	ReasonInvalidPath Reason = "INVALID_PATH"
	// ReasonInvalidVector: a vector holds NaN or infinity, has zero length under cosine, or its bytes are no whole number of
	// float32.
	ReasonInvalidVector Reason = "INVALID_VECTOR"
	// ReasonDimensionMismatch: a vector has another dimension than its collection.
	ReasonDimensionMismatch Reason = "DIMENSION_MISMATCH"
	// ReasonInvalidFilter: a filter names an unknown attribute, nests too deep or compares what cannot be compared.
	ReasonInvalidFilter Reason = "INVALID_FILTER"
	// ReasonInvalidMetadata: metadata is not a JSON object, or larger than 64 KiB.
	ReasonInvalidMetadata Reason = "INVALID_METADATA"
	// ReasonInvalidSchema: a collection's schema contradicts itself or is outside the limits.
	ReasonInvalidSchema Reason = "INVALID_SCHEMA"
	// ReasonFileNotFound: no file has that path or id.
	ReasonFileNotFound Reason = "FILE_NOT_FOUND"
	// ReasonCollectionNotFound: no collection has that path.
	ReasonCollectionNotFound Reason = "COLLECTION_NOT_FOUND"
	// ReasonPointNotFound: the collection has no point of that id.
	ReasonPointNotFound Reason = "POINT_NOT_FOUND"
	// ReasonAttributeNotFound: the file has no extended attribute of that name.
	ReasonAttributeNotFound Reason = "ATTRIBUTE_NOT_FOUND"
	// ReasonFileExists: something has that name already.
	ReasonFileExists Reason = "FILE_EXISTS"
	// ReasonCollectionExists: the directory has a vector schema already.
	ReasonCollectionExists Reason = "COLLECTION_EXISTS"
	// ReasonAttributeExists: the extended attribute exists and the caller asked to create it.
	ReasonAttributeExists Reason = "ATTRIBUTE_EXISTS"
	// ReasonFailedPrecondition: the tree is not in the state the operation needs.
	ReasonFailedPrecondition Reason = "FAILED_PRECONDITION"
	// ReasonNotADirectory: a component of the path, or the target, is not a directory.
	ReasonNotADirectory Reason = "NOT_A_DIRECTORY"
	// ReasonIsADirectory: the operation works on files and was given a directory.
	ReasonIsADirectory Reason = "IS_A_DIRECTORY"
	// ReasonDirectoryNotEmpty: the directory still has entries.
	ReasonDirectoryNotEmpty Reason = "DIRECTORY_NOT_EMPTY"
	// ReasonNotARegularFile: content belongs to regular files only.
	ReasonNotARegularFile Reason = "NOT_A_REGULAR_FILE"
	// ReasonNotASymlink: only a symbolic link has a target.
	ReasonNotASymlink Reason = "NOT_A_SYMLINK"
	// ReasonMoveIntoItself: a directory cannot be moved below itself.
	ReasonMoveIntoItself Reason = "MOVE_INTO_ITSELF"
	// ReasonVectorsDoNotFit: the file's vectors do not fit the collection it would come to lie in.
	ReasonVectorsDoNotFit Reason = "VECTORS_DO_NOT_FIT"
	// ReasonRootImmutable: the root cannot be moved, removed or replaced.
	ReasonRootImmutable Reason = "ROOT_IMMUTABLE"
	// ReasonTooManyLinks: the file has as many links as VexFS allows, or is a directory.
	ReasonTooManyLinks Reason = "TOO_MANY_LINKS"
	// ReasonLinkNotPermitted: hard links to directories do not exist.
	ReasonLinkNotPermitted Reason = "LINK_NOT_PERMITTED"
	// ReasonRequestIDReused: the same `request_id` came with another request.
	ReasonRequestIDReused Reason = "REQUEST_ID_REUSED"
	// ReasonContentChanged: the content is not the one the caller's condition (If-Match) names.
	ReasonContentChanged Reason = "CONTENT_CHANGED"
	// ReasonRevisionNotAvailable: `at_revision` is in the future or older than the history window.
	ReasonRevisionNotAvailable Reason = "REVISION_NOT_AVAILABLE"
	// ReasonRevisionNotReached: the deadline passed before the volume, or the view, had `min_revision`.
	ReasonRevisionNotReached Reason = "REVISION_NOT_REACHED"
	// ReasonDeadlineExceeded: the deadline passed before the call ended; what it was to write may have been written all the
	// same.
	ReasonDeadlineExceeded Reason = "DEADLINE_EXCEEDED"
	// ReasonUnauthenticated: the request carries no token, or a wrong one.
	ReasonUnauthenticated Reason = "UNAUTHENTICATED"
	// ReasonPermissionDenied: the caller is known and may not do this.
	ReasonPermissionDenied Reason = "PERMISSION_DENIED"
	// ReasonForeignOrigin: the request's Host or Origin header names a site that is not this server.
	ReasonForeignOrigin Reason = "FOREIGN_ORIGIN"
	// ReasonResourceExhausted: a limit was reached.
	ReasonResourceExhausted Reason = "RESOURCE_EXHAUSTED"
	// ReasonTooLarge: a body, a batch or a value is over its limit.
	ReasonTooLarge Reason = "TOO_LARGE"
	// ReasonQueueFull: a bounded queue is full; try again after the delay.
	ReasonQueueFull Reason = "QUEUE_FULL"
	// ReasonVolumeFull: the disk underneath is full.
	ReasonVolumeFull Reason = "VOLUME_FULL"
	// ReasonQuotaExceeded: the volume would hold more bytes, or more files, than its quota allows.
	ReasonQuotaExceeded Reason = "QUOTA_EXCEEDED"
	// ReasonUnavailable: cannot be answered now.
	ReasonUnavailable Reason = "UNAVAILABLE"
	// ReasonViewUnavailable: a view the request depends on is not there; it is being rebuilt.
	ReasonViewUnavailable Reason = "VIEW_UNAVAILABLE"
	// ReasonVolumeReadOnly: the volume takes no writes: a commit failed or damage was found.
	ReasonVolumeReadOnly Reason = "VOLUME_READ_ONLY"
	// ReasonVolumeInUse: another server has this data folder open.
	ReasonVolumeInUse Reason = "VOLUME_IN_USE"
	// ReasonDataLoss: stored data cannot be read back as it was written.
	ReasonDataLoss Reason = "DATA_LOSS"
	// ReasonCorruptContent: a file's content is damaged: a blob is missing or does not match its hash.
	ReasonCorruptContent Reason = "CORRUPT_CONTENT"
	// ReasonNotSupported: this server cannot do that.
	ReasonNotSupported Reason = "NOT_SUPPORTED"
	// ReasonFormatTooNew: the data folder was written by a newer VexFS.
	ReasonFormatTooNew Reason = "FORMAT_TOO_NEW"
	// ReasonUnsafeSQLite: the SQLite library is a version that can corrupt a WAL shared by several connections.
	ReasonUnsafeSQLite Reason = "UNSAFE_SQLITE"
	// ReasonInternal: a fault of ours; the log of the server says more.
	ReasonInternal Reason = "INTERNAL"
)
