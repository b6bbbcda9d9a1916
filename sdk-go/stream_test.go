package vexfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
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

// numbered gives so many points with content of so many bytes each, and err behind them if it is not nil.
func numbered(count, size int, err error) iter.Seq2[PointInput, error] {
	return func(yield func(PointInput, error) bool) {
		for i := range count {
			if !yield(PointInput{ID: strconv.Itoa(i), Content: make([]byte, size)}, nil) {
				return
			}
		}
		if err != nil {
			yield(PointInput{}, err)
		}
	}
}

func TestPointsAreSentInMessagesOfFewPointsAndBytes(t *testing.T) {
	for _, test := range []struct {
		name        string
		count, size int
		want        string
	}{
		{"none", 0, 0, "[0]"}, {"a message", 250, 10, "[250]"}, {"several", 600, 10, "[250 250 100]"},
		{"large points", 7, 300 << 10, "[3 3 1]"}, {"points too large for a message", 3, 2 << 20, "[1 1 1]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var requests []*pb.UpsertPointsStreamRequest
			var counts []int
			server := &faultyServer{upsert: func(_ int, stream pointsStream) error {
				for {
					request, err := stream.Recv()
					if err == io.EOF {
						return stream.SendAndClose(&pb.UpsertPointsStreamResponse{Revision: 9, Upserted: 1 << 40})
					}
					if err != nil {
						return err
					}
					requests, counts = append(requests, request), append(counts, len(request.GetPoints()))
				}
			}}
			var info CallInfo
			result, err := connect(t, server).Points.UpsertStream(WithCallInfo(t.Context(), &info), Path("/c"),
				numbered(test.count, test.size, nil))
			if err != nil || *result != (UpsertResult{1 << 40, 9}) {
				t.Fatal(result, err)
			}
			if fmt.Sprint(counts) != test.want {
				t.Errorf("messages of %v points instead of %s", counts, test.want)
			}
			next := 0
			for i, request := range requests {
				if first := i == 0; (request.GetCollection() != nil) != first || (request.GetRequestId() != "") != first {
					t.Errorf("message %d has the collection %v and the request id %q", i, request.GetCollection(), request.GetRequestId())
				}
				for _, point := range request.GetPoints() {
					if point.GetId() != strconv.Itoa(next) {
						t.Fatalf("%s comes in the place of %d", point.GetId(), next)
					}
					next++
				}
			}
			if next != test.count || info != (CallInfo{1, requests[0].GetRequestId(), 9}) {
				t.Errorf("%d points, %+v", next, info)
			}
		})
	}
}

func TestARefusedStreamOfPointsIsNotTriedAgain(t *testing.T) {
	for name, refusal := range map[string]error{
		"the server goes away": failure(codes.Unavailable, "", 0),
		"a point is refused":   failure(codes.InvalidArgument, "DIMENSION_MISMATCH", 0, "upserted", "500"),
	} {
		t.Run(name, func(t *testing.T) {
			server := &faultyServer{upsert: func(_ int, stream pointsStream) error {
				for range 2 {
					if _, err := stream.Recv(); err != nil {
						return err
					}
				}
				return refusal
			}}
			_, err := connect(t, server).Points.UpsertStream(t.Context(), Path("/c"), numbered(1<<40, 1000, nil),
				ChangeOptions{RequestID: "mine"})
			e, want := asError(t, err), toError(refusal)
			if server.attempts != 1 || e.Attempts != 1 || e.RequestID != "mine" || e.Code != want.Code || e.Reason != want.Reason ||
				e.Metadata["upserted"] != want.Metadata["upserted"] || e.Retryable != want.Retryable {
				t.Errorf("%d attempts, %+v", server.attempts, e)
			}
		})
	}
}

func TestPointsThatFailCancelTheirStream(t *testing.T) {
	broken := errors.New("the source is broken")
	cancelled, cancel := context.WithCancel(t.Context())
	for _, test := range []struct {
		name   string
		ctx    context.Context
		points iter.Seq2[PointInput, error]
		want   error
	}{
		{"an error of the source", t.Context(), numbered(600, 10, broken), broken},
		{"a point that cannot be sent", t.Context(), func(yield func(PointInput, error) bool) {
			numbered(600, 10, nil)(yield)
			yield(PointInput{Metadata: map[string]any{"a": t}}, nil)
		}, ReasonInvalidArgument},
		{"a context that is cancelled", cancelled, func(yield func(PointInput, error) bool) {
			numbered(600, 10, nil)(yield)
			cancel()
			numbered(1<<40, 10, nil)(yield)
		}, ErrCancelled},
		{"a panic", t.Context(), func(yield func(PointInput, error) bool) {
			numbered(600, 10, nil)(yield)
			panic(broken)
		}, broken},
	} {
		t.Run(test.name, func(t *testing.T) {
			ended := make(chan error, 1)
			server := &faultyServer{upsert: func(_ int, stream pointsStream) error {
				for {
					if _, err := stream.Recv(); err != nil {
						ended <- err
						return err
					}
				}
			}}
			client := connect(t, server)
			err := func() (err error) {
				defer func() {
					if fault := recover(); fault != nil {
						err = fault.(error)
					}
				}()
				_, err = client.Points.UpsertStream(test.ctx, Path("/c"), test.points)
				return err
			}()
			if !errors.Is(err, test.want) || test.want == broken && err != broken {
				t.Error(err)
			}
			select {
			case err := <-ended:
				if status.Code(err) != codes.Canceled {
					t.Error("the server was not told that the points were given up:", err)
				}
			case <-time.After(20 * time.Second):
				t.Error("the server was told nothing")
			}
		})
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
