//go:build go1.25

package vexfs

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// The time of these tests passes only when client and server wait for it: however busy the machine is, no attempt takes any.

func TestTheServersDelayIsTheLeastPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &faultyServer{stat: failing(1, failure(codes.ResourceExhausted, "QUEUE_FULL", 300*time.Millisecond))}
		client := connect(t, server)
		start := time.Now()
		if _, err := client.Files.Stat(t.Context(), Path("/a")); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("tried again after %v", took)
		}
	})
}

func TestNoPauseThatTheDeadlineWouldPassIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &faultyServer{stat: failing(9, failure(codes.ResourceExhausted, "QUEUE_FULL", time.Minute))}
		client := connect(t, server, WithTimeout(30*time.Second))
		start := time.Now()
		_, err := client.Files.Stat(t.Context(), Path("/a"))
		if !errors.Is(err, ReasonQueueFull) || asError(t, err).Attempts != 1 {
			t.Error(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("it took %v to say so", took)
		}
	})
}

func TestTheTimeoutCoversAllAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &faultyServer{stat: func(ctx context.Context, attempt int) error {
			if attempt == 1 {
				return failure(codes.Unavailable, "", 0)
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		client := connect(t, server, WithTimeout(500*time.Millisecond))
		start := time.Now()
		_, err := client.Files.Stat(t.Context(), Path("/a"))
		if !errors.Is(err, ErrDeadlineExceeded) || !errors.Is(err, context.DeadlineExceeded) || asError(t, err).Attempts != 2 {
			t.Error(err)
		}
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAStreamOfPointsHasNoTimeoutButItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &faultyServer{upsert: func(_ int, stream pointsStream) error { return takeAll(stream) }}
		client := connect(t, server, WithTimeout(500*time.Millisecond))
		slowly := func(yield func(PointInput, error) bool) {
			for i := 0; i < 60 && yield(PointInput{}, nil); i++ {
				time.Sleep(time.Second)
			}
		}
		if _, err := client.Points.UpsertStream(t.Context(), Path("/c"), slowly); err != nil {
			t.Error(err)
		}
		start := time.Now()
		_, err := client.Points.UpsertStream(WithCallTimeout(t.Context(), 1500*time.Millisecond), Path("/c"), slowly)
		if !errors.Is(err, ErrDeadlineExceeded) || asError(t, err).Attempts != 1 {
			t.Error(err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("it took %v until the point after the deadline", took)
		}
	})
}

func TestPointsWaitForTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, size = 1000, 100 << 10
		read := make(chan struct{})
		server := &faultyServer{upsert: func(_ int, stream pointsStream) error {
			<-read
			return takeAll(stream)
		}}
		client := connect(t, server)
		taken := 0
		ended := make(chan error, 1)
		go func() {
			_, err := client.Points.UpsertStream(t.Context(), Path("/c"), func(yield func(PointInput, error) bool) {
				for point := range numbered(count, size, nil) {
					if taken++; !yield(point, nil) {
						return
					}
				}
			})
			ended <- err
		}()
		synctest.Wait()
		if taken == 0 || taken*size > 4<<20 {
			t.Errorf("%d points of %d KiB were taken by a server that reads none", taken, size>>10)
		}
		close(read)
		if err := <-ended; err != nil || taken != count {
			t.Errorf("%d points were taken: %v", taken, err)
		}
	})
}

// takeAll reads a stream of points to its end, and answers.
func takeAll(stream pointsStream) error {
	for {
		if _, err := stream.Recv(); err == io.EOF {
			return stream.SendAndClose(&pb.UpsertPointsStreamResponse{})
		} else if err != nil {
			return err
		}
	}
}
