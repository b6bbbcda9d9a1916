package vexfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"

	"google.golang.org/grpc"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// Reader reads content as a stream; [FilesClient.Open] makes it. It is not for use by several goroutines at once.
type Reader struct {
	o         *operation
	request   *pb.ReadFileRequest
	stream    grpc.ServerStreamingClient[pb.ReadFileResponse]
	file      *File
	revision  int64
	remaining int64 // of a request with a length
	piece     []byte
	err       error
	ended     bool
}

// Open reads content, all of it or a range, as a stream; close it when done. All bytes are of one revision, even if the
// connection is lost on the way and reading goes on over another. The time-out of the call holds until the stream is closed:
// give a context with a later deadline, or [WithCallTimeout], for content that takes longer.
func (f *FilesClient) Open(ctx context.Context, file FileRef, options ...ContentOptions) (*Reader, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	r := &Reader{
		o: f.c.begin(ctx, pb.FilesService_ReadFile_FullMethodName, ""),
		request: &pb.ReadFileRequest{
			File: file.message(), Offset: o.Offset, Length: o.Length, AtRevision: o.AtRevision, MinRevision: o.MinRevision,
		},
		remaining: o.Length,
	}
	if err := r.next(); err != nil && err != io.EOF {
		return nil, err
	}
	return r, nil
}

// File is what is read, as it was at the revision that is read.
func (r *Reader) File() *File { return r.file }

// Revision is the revision that is read.
func (r *Reader) Revision() int64 { return r.revision }

// Read reads the next bytes; [io.EOF] is the end. Any other error is an [*Error].
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.piece) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.piece)
	r.piece = r.piece[n:]
	return n, nil
}

// WriteTo writes the rest to w, piece by piece, without copying; [io.Copy] uses it.
func (r *Reader) WriteTo(w io.Writer) (int64, error) {
	total := int64(0)
	for {
		for len(r.piece) > 0 {
			n, err := w.Write(r.piece)
			total += int64(n)
			r.piece = r.piece[n:]
			if err != nil {
				return total, err
			}
		}
		if err := r.next(); err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
	}
}

// Close ends the stream, on the server too. Closing it again does nothing.
func (r *Reader) Close() error {
	r.finish(fs.ErrClosed)
	return nil
}

// rest reads the rest into memory; small content is the one piece that came, not a copy of it.
func (r *Reader) rest() ([]byte, error) {
	first := r.piece
	r.piece = nil
	err := r.next()
	if err == io.EOF {
		return first, nil
	}
	if err != nil {
		return nil, err
	}
	buffer := bytes.NewBuffer(make([]byte, 0, max(r.expected(), len(first))))
	buffer.Write(first)
	if _, err := r.WriteTo(buffer); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// expected is about how many bytes the whole request brings: enough to allocate at once, never more than 64 MiB on a server's
// word.
func (r *Reader) expected() int {
	size := int64(0)
	if r.file != nil {
		size = r.file.SizeBytes
	}
	if length := r.request.GetLength(); length > 0 {
		size = min(size, length)
	}
	return int(min(size, 64<<20)) + bytes.MinRead
}

// next gets the next piece, over a new stream if the old one broke in a way that can pass. io.EOF is the end.
func (r *Reader) next() error {
	for r.err == nil {
		response, err := r.receive()
		switch {
		case err == nil:
			r.take(response)
			return nil
		case errors.Is(err, io.EOF):
			r.finish(io.EOF)
		default:
			r.stream = nil
			if err := r.o.again(err); err != nil {
				r.finish(err)
			} else if r.file != nil && r.request.GetLength() > 0 && r.remaining == 0 {
				r.finish(io.EOF) // everything had come when the stream broke
			} else {
				r.resume()
			}
		}
	}
	return r.err
}

func (r *Reader) receive() (*pb.ReadFileResponse, error) {
	if r.stream == nil {
		stream, err := pb.NewFilesServiceClient(r.o.client.conn).ReadFile(r.o.ctx, r.request)
		if err != nil {
			return nil, err
		}
		r.stream = stream
	}
	return r.stream.Recv()
}

func (r *Reader) take(response *pb.ReadFileResponse) {
	if r.file == nil {
		r.file, r.revision = toFile(response.GetFile()), response.GetRevision()
	}
	r.piece = response.GetData()
	r.remaining -= int64(len(r.piece))
	r.request.Offset += int64(len(r.piece))
}

// resume makes the request ask for what has not come yet, of the revision of what came.
func (r *Reader) resume() {
	if r.file == nil {
		return
	}
	r.request.AtRevision = r.revision
	if r.request.GetLength() > 0 {
		r.request.Length = r.remaining
	}
}

// finish ends the operation with the error that every later read gets.
func (r *Reader) finish(err error) {
	if r.err == nil {
		r.err = err
	}
	if err == fs.ErrClosed {
		r.err, r.piece = err, nil
	}
	if r.ended {
		return
	}
	r.ended = true
	if r.err == io.EOF || r.err == fs.ErrClosed {
		r.o.end(r.revision, nil)
	} else {
		r.o.end(0, r.err)
	}
}

var _ interface {
	io.ReadCloser
	io.WriterTo
} = (*Reader)(nil)
