package vexfs

import (
	"context"
	"io"
	"io/fs"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// pieceBytes is the size of the pieces in which a stream of writes is sent.
const pieceBytes = 256 << 10

// Writer writes content as a stream; [FilesClient.Create] makes it. The file changes when Close succeeds, as a whole, and not
// at all if Abort comes before. It is not for use by several goroutines at once.
type Writer struct {
	upload *upload[pb.WriteFileRequest, pb.WriteFileResponse]
	header *pb.WriteFileRequest
	buffer []byte
	file   *File
	err    error
}

// Create writes content as a stream, all of a file or over a part of it; a file that is not there is made. Call Close to keep
// what was written, or Abort to give it up. The time-out of the call holds until then: give a context with a later deadline, or
// [WithCallTimeout], for content that takes longer. The server looks at the file only when bytes come: what it refuses, a later
// Write or Close returns.
func (f *FilesClient) Create(ctx context.Context, file FileRef, options ...WriteOptions) (*Writer, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	requestID := requestIDOr(o.RequestID)
	upload, err := openUpload(
		f.c.begin(ctx, pb.FilesService_WriteFile_FullMethodName, requestID), pb.NewFilesServiceClient(f.c.conn).WriteFile,
	)
	if err != nil {
		return nil, err
	}
	return &Writer{
		upload: upload,
		header: &pb.WriteFileRequest{
			Part:      &pb.WriteFileRequest_Header{Header: &pb.WriteFileHeader{File: file.message(), Options: o.message()}},
			RequestId: requestID,
		},
	}, nil
}

// Write takes the next bytes and sends them in pieces of 256 KiB. An error is an [*Error] and ends the stream.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	total := len(p)
	for len(w.buffer)+len(p) >= pieceBytes {
		piece := p[:min(len(p), pieceBytes-len(w.buffer))]
		p = p[len(piece):]
		if len(w.buffer) > 0 {
			w.buffer = append(w.buffer, piece...)
			piece, w.buffer = w.buffer, w.buffer[:0]
		}
		if err := w.send(piece); err != nil {
			return 0, err
		}
	}
	w.buffer = append(w.buffer, p...)
	return total, nil
}

// Close sends what is left and waits until the file has its new content. After an error, and after Abort, it returns that
// error.
func (w *Writer) Close() error {
	if w.err != nil {
		if w.file != nil {
			return nil
		}
		return w.err
	}
	if err := w.send(w.buffer); err != nil {
		return err
	}
	response, err := w.upload.finish()
	if err != nil {
		return w.fail(err)
	}
	w.file, w.err, w.buffer = toFile(response.GetFile()), fs.ErrClosed, nil
	w.upload.o.end(response.GetRevision(), nil)
	return nil
}

// Abort gives up what was written, and the file stays as it was. After Close it does nothing.
func (w *Writer) Abort() {
	if w.err != nil {
		return
	}
	_ = w.fail(w.upload.fail(&Error{Code: ErrCancelled, Message: "the writer was aborted"}))
}

// File is the file as written, once Close has succeeded; nil before.
func (w *Writer) File() *File { return w.file }

// send sends the header if that was not done yet, then data if there is any.
func (w *Writer) send(data []byte) error {
	if w.header != nil {
		if err := w.upload.send(w.header); err != nil {
			return w.fail(err)
		}
		w.header = nil
	}
	if len(data) == 0 {
		return nil
	}
	if err := w.upload.send(&pb.WriteFileRequest{Part: &pb.WriteFileRequest_Data{Data: data}}); err != nil {
		return w.fail(err)
	}
	return nil
}

// fail keeps the error that ended the stream, and returns it.
func (w *Writer) fail(err error) error {
	w.err, w.buffer = err, nil
	return err
}

var _ io.WriteCloser = (*Writer)(nil)
