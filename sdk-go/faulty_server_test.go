package vexfs

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// pointsStream is what a server sees of UpsertPointsStream.
type pointsStream = grpc.ClientStreamingServer[pb.UpsertPointsStreamRequest, pb.UpsertPointsStreamResponse]

// faultyServer answers as a test tells it, and keeps what it saw. Real gRPC, over a pipe in memory.
type faultyServer struct {
	pb.UnimplementedFilesServiceServer
	pb.UnimplementedPointsServiceServer
	pb.UnimplementedSearchServiceServer
	stat   func(ctx context.Context, attempt int) error
	list   func(request *pb.ListFilesRequest) (*pb.ListFilesResponse, error)
	read   func(request *pb.ReadFileRequest, attempt int, stream grpc.ServerStreamingServer[pb.ReadFileResponse]) error
	write  func(attempt int, stream grpc.ClientStreamingServer[pb.WriteFileRequest, pb.WriteFileResponse]) error
	upsert func(attempt int, stream pointsStream) error
	search func(request *pb.SearchRequest) (*pb.SearchResponse, error)
	views  []*pb.ViewPosition

	mutex      sync.Mutex
	attempts   int
	requestIDs []string
	headers    metadata.MD
}

func (s *faultyServer) saw(ctx context.Context, requestID string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.attempts++
	s.requestIDs = append(s.requestIDs, requestID)
	s.headers, _ = metadata.FromIncomingContext(ctx)
	return s.attempts
}

func (s *faultyServer) StatFile(ctx context.Context, _ *pb.StatFileRequest) (*pb.StatFileResponse, error) {
	if err := s.stat(ctx, s.saw(ctx, "")); err != nil {
		return nil, err
	}
	return &pb.StatFileResponse{Revision: 7, File: &pb.File{Id: 3}}, nil
}

func (s *faultyServer) MakeDirectory(ctx context.Context, r *pb.MakeDirectoryRequest) (*pb.MakeDirectoryResponse, error) {
	if err := s.stat(ctx, s.saw(ctx, r.GetRequestId())); err != nil {
		return nil, err
	}
	return &pb.MakeDirectoryResponse{Revision: 8, File: &pb.File{Id: 4}}, nil
}

func (s *faultyServer) ListFiles(ctx context.Context, r *pb.ListFilesRequest) (*pb.ListFilesResponse, error) {
	s.saw(ctx, "")
	return s.list(r)
}

func (s *faultyServer) Search(ctx context.Context, r *pb.SearchRequest) (*pb.SearchResponse, error) {
	s.saw(ctx, "")
	return s.search(r)
}

func (s *faultyServer) WaitForViews(ctx context.Context, _ *pb.WaitForViewsRequest) (*pb.WaitForViewsResponse, error) {
	s.saw(ctx, "")
	return &pb.WaitForViewsResponse{Revision: 7, Views: s.views}, nil
}

func (s *faultyServer) ReadFile(r *pb.ReadFileRequest, stream grpc.ServerStreamingServer[pb.ReadFileResponse]) error {
	return s.read(r, s.saw(stream.Context(), ""), stream)
}

func (s *faultyServer) WriteFile(stream grpc.ClientStreamingServer[pb.WriteFileRequest, pb.WriteFileResponse]) error {
	return s.write(s.saw(stream.Context(), ""), stream)
}

func (s *faultyServer) UpsertPointsStream(stream pointsStream) error {
	return s.upsert(s.saw(stream.Context(), ""), stream)
}

// connect serves s and makes a client of it.
func connect(t testing.TB, s *faultyServer, options ...Option) *Client {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	grpcServer := grpc.NewServer()
	pb.RegisterFilesServiceServer(grpcServer, s)
	pb.RegisterPointsServiceServer(grpcServer, s)
	pb.RegisterSearchServiceServer(grpcServer, s)
	served := make(chan error, 1)
	go func() { served <- grpcServer.Serve(listener) }()
	options = append([]Option{WithAddress("127.0.0.1:1")}, options...)
	client, err := newClient(options, grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		grpcServer.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return client
}

// failure is a status as the server makes it: with an ErrorInfo if there is a reason, and a RetryInfo if there is a delay.
func failure(code codes.Code, reason string, delay time.Duration, pairs ...string) error {
	var details []protoadapt.MessageV1
	if reason != "" {
		info := &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain, Metadata: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			info.Metadata[pairs[i]] = pairs[i+1]
		}
		details = append(details, info)
	}
	if delay > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	}
	state, err := status.New(code, "as the test wants it").WithDetails(details...)
	if err != nil {
		panic(err)
	}
	return state.Err()
}

// failing makes a handler that fails the first n attempts with err.
func failing(n int, err error) func(context.Context, int) error {
	return func(_ context.Context, attempt int) error {
		if attempt <= n {
			return err
		}
		return nil
	}
}

// asError is err as an *Error; anything else ends the test.
func asError(t testing.TB, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("not an *Error: %v", err)
	}
	return e
}
