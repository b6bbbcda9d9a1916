package vexfs

import (
	"context"
	"unicode/utf8"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// Symlink makes a symbolic link at a path. The target is absolute, or relative to the link's directory; it need not exist, nor
// be UTF-8.
func (f *FilesClient) Symlink(ctx context.Context, link FileRef, target string, options ...ChangeOptions) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	request := &pb.CreateSymlinkRequest{Link: link.message(), RequestId: requestIDOr(o.RequestID)}
	if utf8.ValidString(target) {
		request.Destination = &pb.CreateSymlinkRequest_Target{Target: target}
	} else {
		request.Destination = &pb.CreateSymlinkRequest_TargetBytes{TargetBytes: []byte(target)}
	}
	var response pb.CreateSymlinkResponse
	err = f.c.invoke(ctx, pb.FilesService_CreateSymlink_FullMethodName, request, &response)
	return toFile(response.GetFile()), err
}

// ReadSymlink tells where a symbolic link leads. The target may be bytes that are not UTF-8.
func (f *FilesClient) ReadSymlink(ctx context.Context, link FileRef, options ...ReadOptions) (target string, err error) {
	o, err := option(options)
	if err != nil {
		return "", err
	}
	var response pb.ReadSymlinkResponse
	err = f.c.invoke(ctx, pb.FilesService_ReadSymlink_FullMethodName, &pb.ReadSymlinkRequest{
		File: link.message(), AtRevision: o.AtRevision, MinRevision: o.MinRevision,
	}, &response)
	if raw := response.GetTargetBytes(); len(raw) > 0 {
		return string(raw), err
	}
	return response.GetTarget(), err
}

// Link gives a file, which is no directory, a second name.
func (f *FilesClient) Link(ctx context.Context, file, link FileRef, options ...ChangeOptions) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.CreateLinkResponse
	err = f.c.invoke(ctx, pb.FilesService_CreateLink_FullMethodName, &pb.CreateLinkRequest{
		File: file.message(), Link: link.message(), RequestId: requestIDOr(o.RequestID),
	}, &response)
	return toFile(response.GetFile()), err
}
