package vexfs

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// Attributes are what SetAttributes changes; what is nil stays.
type Attributes struct {
	// Mode holds the permission bits.
	Mode *uint32
	// UID is the owner.
	UID *uint32
	// GID is the owning group.
	GID *uint32
	// Atime is the last access.
	Atime *time.Time
	// Mtime is the last change of the content.
	Mtime *time.Time
	// SizeBytes is the length of the content: cut off there, or filled with zeros up to there.
	SizeBytes *int64
}

// SetXattrOptions say how an extended attribute is set.
type SetXattrOptions struct {
	// CreateOnly fails with [ReasonAttributeExists] if it is set already.
	CreateOnly bool
	// ReplaceOnly fails with [ReasonAttributeNotFound] if it is not set yet.
	ReplaceOnly bool
	// RequestID names this operation; empty: a random id.
	RequestID string
}

// SetAttributes changes permission bits, owner, times or size.
func (f *FilesClient) SetAttributes(ctx context.Context, file FileRef, change Attributes, options ...ChangeOptions) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.SetAttributesResponse
	err = f.c.invoke(ctx, pb.FilesService_SetAttributes_FullMethodName, &pb.SetAttributesRequest{
		File: file.message(), Mode: change.Mode, Uid: change.UID, Gid: change.GID, Atime: timestamp(change.Atime),
		Mtime: timestamp(change.Mtime), SizeBytes: change.SizeBytes, RequestId: requestIDOr(o.RequestID),
	}, &response)
	return toFile(response.GetFile()), err
}

// GetXattr reads one extended attribute, such as "user.colour".
func (f *FilesClient) GetXattr(ctx context.Context, file FileRef, name string, options ...ReadOptions) ([]byte, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.GetXattrResponse
	err = f.c.invoke(ctx, pb.FilesService_GetXattr_FullMethodName, &pb.GetXattrRequest{
		File: file.message(), Name: name, AtRevision: o.AtRevision, MinRevision: o.MinRevision,
	}, &response)
	return response.GetValue(), err
}

// SetXattr sets one extended attribute and returns the revision of the change.
func (f *FilesClient) SetXattr(
	ctx context.Context, file FileRef, name string, value []byte, options ...SetXattrOptions,
) (revision int64, err error) {
	o, err := option(options)
	if err != nil {
		return 0, err
	}
	var response pb.SetXattrResponse
	err = f.c.invoke(ctx, pb.FilesService_SetXattr_FullMethodName, &pb.SetXattrRequest{
		File: file.message(), Name: name, Value: value, CreateOnly: o.CreateOnly, ReplaceOnly: o.ReplaceOnly,
		RequestId: requestIDOr(o.RequestID),
	}, &response)
	return response.GetRevision(), err
}

// ListXattrs lists the names of a file's extended attributes, in byte order.
func (f *FilesClient) ListXattrs(ctx context.Context, file FileRef, options ...ReadOptions) ([]string, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.ListXattrsResponse
	err = f.c.invoke(ctx, pb.FilesService_ListXattrs_FullMethodName, &pb.ListXattrsRequest{
		File: file.message(), AtRevision: o.AtRevision, MinRevision: o.MinRevision,
	}, &response)
	return response.GetNames(), err
}

// RemoveXattr removes one extended attribute and returns the revision of the change.
func (f *FilesClient) RemoveXattr(
	ctx context.Context, file FileRef, name string, options ...ChangeOptions,
) (revision int64, err error) {
	o, err := option(options)
	if err != nil {
		return 0, err
	}
	var response pb.RemoveXattrResponse
	err = f.c.invoke(ctx, pb.FilesService_RemoveXattr_FullMethodName, &pb.RemoveXattrRequest{
		File: file.message(), Name: name, RequestId: requestIDOr(o.RequestID),
	}, &response)
	return response.GetRevision(), err
}

// GetMetadata reads a file's metadata, which is empty if none was ever set. Its values are nil, bool, float64, string,
// []any and map[string]any.
func (f *FilesClient) GetMetadata(ctx context.Context, file FileRef, options ...ReadOptions) (map[string]any, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.GetMetadataResponse
	err = f.c.invoke(ctx, pb.FilesService_GetMetadata_FullMethodName, &pb.GetMetadataRequest{
		File: file.message(), AtRevision: o.AtRevision, MinRevision: o.MinRevision,
	}, &response)
	if err != nil {
		return nil, err
	}
	return response.GetMetadata().AsMap(), nil
}

// SetMetadata replaces a file's metadata; an empty map clears it. Its values are nil, bool, numbers, string, []any and
// map[string]any; numbers are kept as 64-bit floats.
func (f *FilesClient) SetMetadata(
	ctx context.Context, file FileRef, metadata map[string]any, options ...ChangeOptions,
) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	object, err := structpb.NewStruct(metadata)
	if err != nil {
		return nil, invalid(err)
	}
	var response pb.SetMetadataResponse
	err = f.c.invoke(ctx, pb.FilesService_SetMetadata_FullMethodName, &pb.SetMetadataRequest{
		File: file.message(), Metadata: object, RequestId: requestIDOr(o.RequestID),
	}, &response)
	return toFile(response.GetFile()), err
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}
