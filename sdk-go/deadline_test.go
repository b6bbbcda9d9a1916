//go:build go1.25

package vexfs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
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
