package vexfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// content is what the faulty server has; revision 7 of it.
var content = bytes.Repeat([]byte("0123456789abcdef"), 4096)

// serveContent answers the request from the content, a kibibyte a piece, and breaks after so many pieces if breakAfter is not
// 0.
func serveContent(r *pb.ReadFileRequest, stream grpc.ServerStreamingServer[pb.ReadFileResponse], breakAfter int) error {
	end := int64(len(content))
	if r.GetLength() > 0 {
		end = min(end, r.GetOffset()+r.GetLength())
	}
	file := &pb.File{Id: 3, SizeBytes: int64(len(content))}
	for offset, pieces := r.GetOffset(), 1; ; pieces++ {
		data := content[offset:min(end, offset+1024)]
		if err := stream.Send(&pb.ReadFileResponse{Revision: 7, Data: data, Offset: offset, File: file}); err != nil {
			return err
		}
		if offset += int64(len(data)); offset >= end && pieces != breakAfter {
			return nil
		}
		if pieces == breakAfter {
			return failure(codes.Unavailable, "", 0)
		}
		file = nil
	}
}

func TestABrokenStreamGoesOnWhereItBroke(t *testing.T) {
	for _, test := range []struct {
		name           string
		offset, length int64
		breakAfter     int
	}{
		{"all of it", 0, 0, 3}, {"a part", 1000, 5000, 2}, {"before the end is told", 0, 2048, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			var requests []*pb.ReadFileRequest
			server := &faultyServer{read: func(
				r *pb.ReadFileRequest, attempt int, stream grpc.ServerStreamingServer[pb.ReadFileResponse],
			) error {
				requests = append(requests, r)
				if attempt > 1 {
					return serveContent(r, stream, 0)
				}
				return serveContent(r, stream, test.breakAfter)
			}}
			var info CallInfo
			reader, err := connect(t, server).Files.Open(WithCallInfo(t.Context(), &info), Path("/a"),
				ContentOptions{Offset: test.offset, Length: test.length})
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(reader)
			want := content[test.offset:]
			if test.length > 0 {
				want = want[:test.length]
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%d bytes instead of %d, %v", len(got), len(want), err)
			}
			if len(requests) > 1 {
				came := int64(1024 * test.breakAfter)
				if again := requests[1]; again.GetAtRevision() != 7 || again.GetOffset() != test.offset+came {
					t.Errorf("asked again for %v", again)
				}
			}
			if info.Attempts != 2 || info.Revision != 7 {
				t.Errorf("%+v", info)
			}
		})
	}
}

func TestAStreamThatCannotGoOnFails(t *testing.T) {
	server := &faultyServer{read: func(
		r *pb.ReadFileRequest, attempt int, stream grpc.ServerStreamingServer[pb.ReadFileResponse],
	) error {
		if attempt > 1 {
			return failure(codes.OutOfRange, "REVISION_NOT_AVAILABLE", 0)
		}
		return serveContent(r, stream, 3)
	}}
	data, err := connect(t, server).Files.Read(t.Context(), Path("/a"))
	if !errors.Is(err, ReasonRevisionNotAvailable) || data != nil || asError(t, err).Attempts != 2 {
		t.Error(len(data), err)
	}
}

func TestClosingAReaderEndsItOnTheServer(t *testing.T) {
	gone := make(chan struct{})
	server := &faultyServer{read: func(
		_ *pb.ReadFileRequest, _ int, stream grpc.ServerStreamingServer[pb.ReadFileResponse],
	) error {
		if err := stream.Send(&pb.ReadFileResponse{Revision: 7, Data: content[:10], File: &pb.File{Id: 3}}); err != nil {
			return err
		}
		<-stream.Context().Done()
		close(gone)
		return nil
	}}
	reader, err := connect(t, server).Files.Open(t.Context(), Path("/a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(reader.Close(), reader.Close()); err != nil {
		t.Error(err)
	}
	select {
	case <-gone:
	case <-time.After(20 * time.Second):
		t.Error("the server still sends")
	}
	if n, err := reader.Read(make([]byte, 4)); n != 0 || err == nil || err == io.EOF {
		t.Error("read after close:", n, err)
	}
}

func TestAStreamOfWritesIsNotTriedAgain(t *testing.T) {
	server := &faultyServer{write: func(int, grpc.ClientStreamingServer[pb.WriteFileRequest, pb.WriteFileResponse]) error {
		return failure(codes.Unavailable, "", 0)
	}}
	writer, err := connect(t, server).Files.Create(t.Context(), Path("/a"), WriteOptions{RequestID: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = writer.Write(content)
	}
	e := asError(t, err)
	if server.attempts != 1 || e.Attempts != 1 || e.Code != ErrUnavailable || e.RequestID != "mine" || !e.Retryable {
		t.Errorf("%d attempts, %+v", server.attempts, e)
	}
	if again := writer.Close(); again != err {
		t.Error("Close after that:", again)
	}
}

func TestAbortEndsAWriterOnTheServer(t *testing.T) {
	ended := make(chan error, 1)
	server := &faultyServer{write: func(
		_ int, stream grpc.ClientStreamingServer[pb.WriteFileRequest, pb.WriteFileResponse],
	) error {
		for {
			if _, err := stream.Recv(); err != nil {
				ended <- err
				return err
			}
		}
	}}
	writer, err := connect(t, server).Files.Create(t.Context(), Path("/a"))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // more than the buffer, so that the stream is under way
		if _, err := writer.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	writer.Abort()
	select {
	case err := <-ended:
		if status.Code(err) != codes.Canceled {
			t.Error("the server was not told that the content was given up:", err)
		}
	case <-time.After(20 * time.Second): // before the call's time-out, which would end it, too
		t.Error("the server was told nothing")
	}
	if err := writer.Close(); !errors.Is(err, ErrCancelled) || writer.File() != nil {
		t.Error("Close after Abort:", err)
	}
}

func TestLeavingAListAsksForNoFurtherPage(t *testing.T) {
	server := &faultyServer{list: func(r *pb.ListFilesRequest) (*pb.ListFilesResponse, error) {
		if r.GetPageToken() == "third" {
			return nil, failure(codes.Internal, "INTERNAL", 0)
		}
		next := map[string]string{"": "second", "second": "third"}[r.GetPageToken()]
		return &pb.ListFilesResponse{Files: []*pb.File{{Id: 1}, {Id: 2}}, NextPageToken: next}, nil
	}}
	client := connect(t, server)
	for file, err := range client.Files.List(t.Context(), Path("/")) {
		if err != nil || file.ID == 2 {
			break
		}
	}
	if server.attempts != 1 {
		t.Errorf("%d pages for two items of two a page", server.attempts)
	}
	items, failed := 0, error(nil)
	for file, err := range client.Files.List(context.Background(), Path("/")) {
		if err != nil {
			if file != nil || failed != nil {
				t.Error("an item beside an error, or a second error")
			}
			failed = err
			continue
		}
		items++
	}
	if items != 4 || !errors.Is(failed, ReasonInternal) {
		t.Error(items, failed)
	}
}
