package vexfs

import (
	"context"
	"time"
)

type contextKey int

const (
	infoKey contextKey = iota
	timeoutKey
)

// CallInfo tells what went on in a call beside its result, see [WithCallInfo].
type CallInfo struct {
	// Attempts is how often the call was tried.
	Attempts int
	// RequestID is the id that a call that writes carried on every attempt; empty for one that reads.
	RequestID string
	// Revision is the revision that the answer reflects; of a list, that of its last page. 0 if the call failed.
	Revision int64
}

// WithCallInfo makes the calls under the context write into info what went on in them. A later call overwrites what an earlier
// one wrote: give each call that runs beside others a CallInfo of its own.
func WithCallInfo(ctx context.Context, info *CallInfo) context.Context {
	return context.WithValue(ctx, infoKey, info)
}

// WithCallTimeout sets what each call under the context may take, all its attempts and pauses together, instead of the client's
// time-out; 0 is no limit. A deadline of the context holds beside it.
func WithCallTimeout(ctx context.Context, timeout time.Duration) context.Context {
	return context.WithValue(ctx, timeoutKey, timeout)
}

// Ptr makes a pointer to a value, for the fields of options that can be left out: WriteOptions{IfContentRevision:
// Ptr(int64(0))}.
func Ptr[T any](value T) *T { return &value }
