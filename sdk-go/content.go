package vexfs

import (
	"context"
	"io"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// unaryMaxBytes is up to what size content goes in one message instead of a stream. A server takes 4 MiB less a little; at 1
// MiB a stream costs no more.
const unaryMaxBytes = 1 << 20

// ContentOptions say which bytes are read, and of which state.
type ContentOptions struct {
	// Offset is the first byte to read.
	Offset int64
	// Length is how many bytes to read at most; 0: to the end.
	Length int64
	// AtRevision reads the state at this revision, inside the history window; 0: the newest.
	AtRevision int64
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// WriteOptions say how content is written.
type WriteOptions struct {
	// Offset writes the bytes over what is there from this byte on, and the rest stays; nil: they become the whole content.
	Offset *int64
	// IfContentRevision writes only if the content still is of this revision ([File.ContentRevision]), else fails with
	// [ReasonContentChanged]; 0: only if there is no such file yet, else fails with [ReasonFileExists].
	IfContentRevision *int64
	// MakeParents makes the directories above the file that are missing.
	MakeParents bool
	// Mode holds the permission bits of a file that is made; nil: 0644. Those of a file that is there stay.
	Mode *uint32
	// RequestID names this operation; empty: a random id.
	RequestID string
}

func (o *WriteOptions) message() *pb.WriteOptions {
	return &pb.WriteOptions{Offset: o.Offset, IfContentRevision: o.IfContentRevision, MakeParents: o.MakeParents, Mode: o.Mode}
}

// Read reads content, all of it or a range, into memory. All bytes are of one revision.
func (f *FilesClient) Read(ctx context.Context, file FileRef, options ...ContentOptions) ([]byte, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	if 0 < o.Length && o.Length <= unaryMaxBytes {
		var response pb.GetContentResponse
		err := f.c.invoke(ctx, pb.FilesService_GetContent_FullMethodName, &pb.GetContentRequest{
			File: file.message(), Offset: o.Offset, Length: o.Length, AtRevision: o.AtRevision, MinRevision: o.MinRevision,
		}, &response)
		return response.GetData(), err
	}
	reader, err := f.Open(ctx, file, o)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return reader.rest()
}

// Write makes data the content of a file, or writes it over a part; a file that is not there is made. It changes as a whole or
// not at all.
func (f *FilesClient) Write(ctx context.Context, file FileRef, data []byte, options ...WriteOptions) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	if len(data) > unaryMaxBytes {
		return f.writeStream(ctx, file, o, data, nil)
	}
	var response pb.PutContentResponse
	err = f.c.invoke(ctx, pb.FilesService_PutContent_FullMethodName, &pb.PutContentRequest{
		File: file.message(), Data: data, Options: o.message(), RequestId: requestIDOr(o.RequestID),
	}, &response)
	return toFile(response.GetFile()), err
}

// WriteFrom is Write of what a reader gives until its end. An error of the reader is returned as it is, and the file stays as
// it was.
func (f *FilesClient) WriteFrom(ctx context.Context, file FileRef, source io.Reader, options ...WriteOptions) (*File, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	start, err := io.ReadAll(io.LimitReader(source, unaryMaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(start) <= unaryMaxBytes {
		return f.Write(ctx, file, start, o)
	}
	return f.writeStream(ctx, file, o, start, source)
}

// writeStream writes start, then what source gives if it is not nil.
func (f *FilesClient) writeStream(ctx context.Context, file FileRef, o WriteOptions, start []byte, source io.Reader) (*File, error) {
	writer, err := f.Create(ctx, file, o)
	if err != nil {
		return nil, err
	}
	defer writer.Abort()
	if _, err := writer.Write(start); err != nil {
		return nil, err
	}
	if source != nil {
		if _, err := io.Copy(writer, source); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return writer.File(), nil
}
