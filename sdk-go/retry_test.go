package vexfs

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

func TestWhatCanPassIsTriedAgain(t *testing.T) {
	for name, err := range map[string]error{
		"nobody answers":                  failure(codes.Unavailable, "", 0),
		"a reason the contract marks":     failure(codes.ResourceExhausted, "QUEUE_FULL", 0),
		"a reason of a newer server":      failure(codes.Aborted, "MOON_IN_THE_WAY", 0, "retryable", "true"),
		"unavailable, the reason says so": failure(codes.Unavailable, "UNAVAILABLE", 0),
	} {
		t.Run(name, func(t *testing.T) {
			server := &faultyServer{stat: failing(2, err)}
			var info CallInfo
			file, err := connect(t, server).Files.Stat(WithCallInfo(t.Context(), &info), Path("/a"))
			if err != nil || file.ID != 3 {
				t.Fatal(file, err)
			}
			if server.attempts != 3 || info != (CallInfo{Attempts: 3, Revision: 7}) {
				t.Errorf("the server saw %d attempts, the caller %+v", server.attempts, info)
			}
		})
	}
}

func TestWhatCannotPassIsNotTriedAgain(t *testing.T) {
	for name, err := range map[string]error{
		"a reason that stays":               failure(codes.NotFound, "FILE_NOT_FOUND", 0),
		"unavailable for a reason to stay":  failure(codes.Unavailable, "VOLUME_READ_ONLY", 0),
		"the contract knows better":         failure(codes.Unavailable, "VOLUME_READ_ONLY", 0, "retryable", "true"),
		"no reason, and not unavailable":    failure(codes.Internal, "", 0),
		"a reason of a newer server":        failure(codes.Unavailable, "MOON_IN_THE_WAY", 0, "retryable", "false"),
		"a delay alone is no reason for it": failure(codes.Internal, "", time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			server := &faultyServer{stat: failing(2, err)}
			_, err := connect(t, server).Files.Stat(t.Context(), Path("/a"))
			e := asError(t, err)
			if server.attempts != 1 || e.Attempts != 1 || e.Retryable {
				t.Errorf("the server saw %d attempts: %+v", server.attempts, e)
			}
		})
	}
}

func TestAfterADeadlineNothingIsTriedAgain(t *testing.T) {
	server := &faultyServer{stat: failing(9, failure(codes.DeadlineExceeded, "REVISION_NOT_REACHED", 0))}
	_, err := connect(t, server).Files.Stat(t.Context(), Path("/a"))
	e := asError(t, err)
	if server.attempts != 1 || e.Attempts != 1 || !e.Retryable || !errors.Is(err, ReasonRevisionNotReached) {
		t.Errorf("the server saw %d attempts: %+v", server.attempts, e)
	}
}

func TestAttemptsHaveALimit(t *testing.T) {
	for _, most := range []int{1, 4} {
		server := &faultyServer{stat: failing(100, failure(codes.Unavailable, "", 0))}
		_, err := connect(t, server, WithMaxAttempts(most)).Files.Stat(t.Context(), Path("/a"))
		e := asError(t, err)
		if server.attempts != most || e.Attempts != most || !e.Retryable || !errors.Is(err, ErrUnavailable) {
			t.Errorf("at most %d: the server saw %d: %+v", most, server.attempts, e)
		}
	}
}

func TestARequestIDIsTheSameOnEveryAttempt(t *testing.T) {
	server := &faultyServer{stat: failing(2, failure(codes.Unavailable, "", 0))}
	client := connect(t, server)
	var info CallInfo
	if _, err := client.Files.MakeDirectory(WithCallInfo(t.Context(), &info), Path("/a")); err != nil {
		t.Fatal(err)
	}
	if len(server.requestIDs) != 3 {
		t.Fatal(server.requestIDs)
	}
	for _, id := range server.requestIDs {
		if id != info.RequestID ||
			!regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Errorf("%q, and the caller was told %q", id, info.RequestID)
		}
	}
	if _, err := client.Files.MakeDirectory(t.Context(), Path("/b")); err != nil || server.requestIDs[3] == info.RequestID {
		t.Error("another operation had the same id", err)
	}
	_, err := client.Files.MakeDirectory(t.Context(), Path("/c"), MakeDirectoryOptions{RequestID: "mine"})
	if err != nil || server.requestIDs[4] != "mine" {
		t.Error(server.requestIDs, err)
	}
}

func TestAnErrorNamesItsRequestID(t *testing.T) {
	server := &faultyServer{stat: failing(9, failure(codes.AlreadyExists, "FILE_EXISTS", 0, "path", "/a"))}
	_, err := connect(t, server).Files.MakeDirectory(t.Context(), Path("/a"))
	e := asError(t, err)
	if e.RequestID == "" || e.RequestID != server.requestIDs[0] || e.Metadata["path"] != "/a" {
		t.Errorf("%+v", e)
	}
}

// However near deadline and pause are, what passes is the deadline: nobody cancelled.
func TestADeadlineIsNeverACancellation(t *testing.T) {
	server := &faultyServer{stat: failing(1<<30, failure(codes.Unavailable, "UNAVAILABLE", 0))}
	client := connect(t, server, WithMaxAttempts(1<<30))
	for i := range 60 {
		ctx := WithCallTimeout(t.Context(), time.Duration(1+i)*time.Millisecond)
		if _, err := client.Files.Stat(ctx, Path("/a")); !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	o := client.begin(WithCallTimeout(t.Context(), 50*time.Millisecond), "/test", "")
	defer o.end(0, nil)
	late, cancel := context.WithTimeout(o.ctx, time.Millisecond) // what the pause saw of the deadline is not what the timer does
	defer cancel()
	o.ctx = deadlineHidden{late}
	if err := o.again(failure(codes.ResourceExhausted, "QUEUE_FULL", 20*time.Millisecond)); !errors.Is(err, ReasonQueueFull) {
		t.Error(err)
	}
}

// deadlineHidden is a context whose deadline passes unannounced.
type deadlineHidden struct{ context.Context }

func (deadlineHidden) Deadline() (time.Time, bool) { return time.Time{}, false }

func TestACallHasItsOwnTimeout(t *testing.T) {
	t.Setenv("VEXFS_TIMEOUT", "") // the default
	var left time.Duration
	server := &faultyServer{stat: func(ctx context.Context, _ int) error {
		left = 0
		if deadline, ok := ctx.Deadline(); ok {
			left = time.Until(deadline)
		}
		return nil
	}}
	client := connect(t, server)
	hour, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for _, test := range []struct {
		name     string
		ctx      context.Context
		min, max time.Duration
	}{
		{"the client's", t.Context(), 20 * time.Second, 30 * time.Second},
		{"the context's deadline", hour, 50 * time.Minute, time.Hour},
		{"the call's", WithCallTimeout(t.Context(), time.Minute), 40 * time.Second, time.Minute},
		{"the call's, less than the context's", WithCallTimeout(hour, time.Minute), 40 * time.Second, time.Minute},
		{"none", WithCallTimeout(t.Context(), 0), 0, 0},
	} {
		if _, err := client.Files.Stat(test.ctx, Path("/a")); err != nil {
			t.Fatal(err)
		}
		if left < test.min || left > test.max {
			t.Errorf("%s: the server has %v", test.name, left)
		}
	}
}

func TestCancellingReachesTheServer(t *testing.T) {
	arrived, gone := make(chan struct{}), make(chan error, 1)
	server := &faultyServer{stat: func(ctx context.Context, _ int) error {
		close(arrived)
		<-ctx.Done()
		gone <- ctx.Err()
		return ctx.Err()
	}}
	client := connect(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := client.Files.Stat(ctx, Path("/a"))
	if !errors.Is(err, ErrCancelled) || !errors.Is(err, context.Canceled) || asError(t, err).Attempts != 1 {
		t.Error(err)
	}
	select {
	case err := <-gone:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the server still works on it")
	}
}

func TestCancellingEndsAPause(t *testing.T) {
	ctx, cancel := context.WithCancel(WithCallTimeout(t.Context(), 0))
	server := &faultyServer{stat: func(context.Context, int) error {
		time.AfterFunc(50*time.Millisecond, cancel)
		return failure(codes.ResourceExhausted, "QUEUE_FULL", time.Hour)
	}}
	_, err := connect(t, server).Files.Stat(ctx, Path("/a"))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCancelled) {
		t.Error(err)
	}
}

func TestEveryCallSaysWhoItIs(t *testing.T) {
	server := &faultyServer{stat: failing(0, nil)}
	client := connect(t, server, WithToken("secret"))
	if _, err := client.Files.Stat(t.Context(), Path("/a")); err != nil {
		t.Fatal(err)
	}
	agent := strings.Join(server.headers.Get("user-agent"), ",")
	if !strings.HasPrefix(agent, "vexfs-go/"+Version+" ") {
		t.Errorf("user agent %q", agent)
	}
	if got := server.headers.Get("authorization"); len(got) != 1 || got[0] != "Bearer secret" {
		t.Errorf("authorization %q", got)
	}
}

func TestPausesAreRandomAndGrow(t *testing.T) {
	for attempts, most := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 5: 1600 * time.Millisecond, 6: 2 * time.Second, 90: 2 * time.Second,
	} {
		low, high := most, time.Duration(0)
		for range 1000 {
			pause := pauseAfter(attempts)
			low, high = min(low, pause), max(high, pause)
		}
		if low < 0 || low > most/10 || high > most || high < most*9/10 {
			t.Errorf("after %d attempts: from %v to %v", attempts, low, high)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	client, err := New(WithAddress("127.0.0.1:1"), WithTimeout(20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Files.Stat(t.Context(), Path("/a"))
	e := asError(t, err)
	if e.Code != ErrUnavailable || e.Reason != "" || !e.Retryable || e.Attempts != DefaultMaxAttempts {
		t.Errorf("%+v", e)
	}
	client.Close()
	if _, err = client.Files.Stat(t.Context(), Path("/a")); !errors.Is(err, ErrCancelled) {
		t.Error("after Close:", err)
	}
}
