package vexfs

import (
	"context"
	"iter"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// FilesClient has the methods about files and directories; it is [Client.Files].
type FilesClient struct{ c *Client }

// ReadOptions say which state a reading call answers from.
type ReadOptions struct {
	// AtRevision answers from the state at this revision, inside the history window; 0: the newest.
	AtRevision int64
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// ListOptions say how a directory is listed.
type ListOptions struct {
	// PageSize is how many entries one request asks for; 0: 1,000.
	PageSize int32
	// AtRevision lists the state at this revision, inside the history window; 0: the newest.
	AtRevision int64
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// MakeDirectoryOptions say how a directory is made.
type MakeDirectoryOptions struct {
	// MakeParents makes the directories above that are missing, and accepts a directory that is there already.
	MakeParents bool
	// Mode holds the permission bits; nil: 0755.
	Mode *uint32
	// RequestID names this operation; empty: a random id.
	RequestID string
}

// MoveOptions say how a file is moved.
type MoveOptions struct {
	// NoReplace fails with [ReasonFileExists] if something has the new name, instead of replacing it.
	NoReplace bool
	// Exchange swaps the two files.
	Exchange bool
	// RequestID names this operation; empty: a random id.
	RequestID string
}

// CopyOptions say how a file is copied.
type CopyOptions struct {
	// Recursive copies a directory with everything below it.
	Recursive bool
	// NoReplace fails with [ReasonFileExists] if something has the new name, instead of replacing a file.
	NoReplace bool
	// RequestID names this operation; empty: a random id.
	RequestID string
}

// CopyResult tells what was copied.
type CopyResult struct {
	// File is the copy, or its topmost directory.
	File *File
	// Copied is how many files of any kind were made.
	Copied int64
	// Revision is the revision of the change.
	Revision int64
}

// RemoveOptions say how a file is removed.
type RemoveOptions struct {
	// Recursive removes a directory with everything below it.
	Recursive bool
	// RequestID names this operation; empty: a random id.
	RequestID string
}

// RemoveResult tells what was removed.
type RemoveResult struct {
	// Removed is how many names of files and directories were removed.
	Removed int64
	// Revision is the revision of the change.
	Revision int64
}

// ChangeOptions say how something is changed, where there is nothing else to say.
type ChangeOptions struct {
	// RequestID names this operation; empty: a random id.
	RequestID string
}

// Stat reads what a file is.
func (f *FilesClient) Stat(ctx context.Context, file FileRef, options ...ReadOptions) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.StatFileResponse
	err = f.c.invoke(ctx, pb.FilesService_StatFile_FullMethodName, &pb.StatFileRequest{
		File: file.message(), AtRevision: o.AtRevision, MinRevision: o.MinRevision,
	}, &response)
	return toFile(response.GetFile()), err
}

// List lists the entries of a directory in byte order of their names. It asks for one page after another as the loop goes on;
// each page is a call. After an error the list ends.
func (f *FilesClient) List(ctx context.Context, directory FileRef, options ...ListOptions) iter.Seq2[*File, error] {
	o, err := option(options)
	return pages(err, func(token string) ([]*pb.File, string, error) {
		var response pb.ListFilesResponse
		err := f.c.invoke(ctx, pb.FilesService_ListFiles_FullMethodName, &pb.ListFilesRequest{
			Directory: directory.message(), PageSize: o.PageSize, PageToken: token,
			AtRevision: o.AtRevision, MinRevision: o.MinRevision,
		}, &response)
		return response.GetFiles(), response.GetNextPageToken(), err
	}, toFile)
}

// MakeDirectory makes a directory.
func (f *FilesClient) MakeDirectory(ctx context.Context, directory FileRef, options ...MakeDirectoryOptions) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.MakeDirectoryResponse
	err = f.c.invoke(ctx, pb.FilesService_MakeDirectory_FullMethodName, &pb.MakeDirectoryRequest{
		Directory: directory.message(), MakeParents: o.MakeParents, Mode: o.Mode, RequestId: requestIDOr(o.RequestID),
	}, &response)
	return toFile(response.GetFile()), err
}

// Move gives a file another path; a file that has that path is replaced. The id stays.
func (f *FilesClient) Move(ctx context.Context, source, destination FileRef, options ...MoveOptions) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.MoveFileResponse
	err = f.c.invoke(ctx, pb.FilesService_MoveFile_FullMethodName, &pb.MoveFileRequest{
		Source: source.message(), Destination: destination.message(), NoReplace: o.NoReplace, Exchange: o.Exchange,
		RequestId: requestIDOr(o.RequestID),
	}, &response)
	return toFile(response.GetFile()), err
}

// Copy copies a file with content, metadata, extended attributes and vectors; large content is shared.
func (f *FilesClient) Copy(ctx context.Context, source, destination FileRef, options ...CopyOptions) (*CopyResult, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.CopyFileResponse
	err = f.c.invoke(ctx, pb.FilesService_CopyFile_FullMethodName, &pb.CopyFileRequest{
		Source: source.message(), Destination: destination.message(), Recursive: o.Recursive, NoReplace: o.NoReplace,
		RequestId: requestIDOr(o.RequestID),
	}, &response)
	if err != nil {
		return nil, err
	}
	return &CopyResult{toFile(response.GetFile()), response.GetCopied(), response.GetRevision()}, nil
}

// Remove removes a name of a file, and the file with its last name; or a directory.
func (f *FilesClient) Remove(ctx context.Context, file FileRef, options ...RemoveOptions) (*RemoveResult, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.RemoveFileResponse
	err = f.c.invoke(ctx, pb.FilesService_RemoveFile_FullMethodName, &pb.RemoveFileRequest{
		File: file.message(), Recursive: o.Recursive, RequestId: requestIDOr(o.RequestID),
	}, &response)
	if err != nil {
		return nil, err
	}
	return &RemoveResult{response.GetRemoved(), response.GetRevision()}, nil
}
