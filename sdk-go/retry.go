package vexfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

const (
	firstPause  = 100 * time.Millisecond
	pauseAtMost = 2 * time.Second
)

// operation is one call with all its attempts: it owns the deadline, the pauses, the span and the CallInfo.
type operation struct {
	client    *Client
	ctx       context.Context
	cancel    context.CancelFunc
	requestID string
	attempts  int
	span      trace.Span
}

// begin starts an operation. requestID is empty for one without side effects. Whoever begins must end it, once.
func (c *Client) begin(ctx context.Context, method, requestID string) *operation {
	o := &operation{client: c, requestID: requestID, attempts: 1}
	if c.authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.authorization)
	}
	if c.tracer != nil {
		ctx, o.span = startSpan(ctx, c.tracer, method)
	}
	if timeout := c.timeoutOf(ctx); timeout > 0 {
		o.ctx, o.cancel = context.WithTimeout(ctx, timeout)
	} else {
		o.ctx, o.cancel = context.WithCancel(ctx)
	}
	return o
}

// timeoutOf is the call's own time-out, the client's if it has none; 0 where the context's own deadline is all there is.
func (c *Client) timeoutOf(ctx context.Context) time.Duration {
	if timeout, ok := ctx.Value(timeoutKey).(time.Duration); ok {
		return timeout
	}
	if _, ok := ctx.Deadline(); ok {
		return 0
	}
	return c.timeout
}

// again pauses and returns nil if the operation is to be tried once more after err, else the error to return.
func (o *operation) again(err error) error {
	e := o.failure(err)
	// After a deadline there is no time left, whatever may come later.
	if !e.Retryable || e.Code == ErrDeadlineExceeded || o.attempts >= o.client.maxAttempts || o.ctx.Err() != nil {
		return e
	}
	pause := max(e.delay, pauseAfter(o.attempts))
	if deadline, ok := o.ctx.Deadline(); ok && time.Until(deadline) <= pause {
		return e
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-o.ctx.Done():
		if errors.Is(o.ctx.Err(), context.DeadlineExceeded) {
			return e // it passed in the pause after all
		}
		return &Error{Code: ErrCancelled, Message: "cancelled while waiting to try again after: " + e.Message,
			RequestID: o.requestID, Attempts: o.attempts, cause: context.Cause(o.ctx)}
	case <-timer.C:
	}
	o.attempts++
	return nil
}

// failure is err as an *Error of this operation.
func (o *operation) failure(err error) *Error {
	e := toError(err)
	e.RequestID, e.Attempts = o.requestID, o.attempts
	return e
}

// end gives up what the operation holds, and tells the span and the CallInfo how it went.
func (o *operation) end(revision int64, err error) {
	if info, ok := o.ctx.Value(infoKey).(*CallInfo); ok {
		*info = CallInfo{Attempts: o.attempts, RequestID: o.requestID, Revision: revision}
	}
	o.cancel()
	if o.span != nil {
		endSpan(o.span, o.attempts, err)
	}
}

// pauseAfter is the random pause after so many attempts.
func pauseAfter(attempts int) time.Duration {
	most := pauseAtMost
	if attempts < 6 { // 0.1 s · 2⁵ is more than the most
		most = min(pauseAtMost, firstPause<<(attempts-1))
	}
	return mathrand.N(most + 1)
}

// answer is what every response of the contract has.
type answer interface {
	proto.Message
	GetRevision() int64
}

// invoke makes one unary call with all its attempts. A request that has a request_id has it set already.
func (c *Client) invoke(ctx context.Context, method string, request proto.Message, response answer) error {
	requestID := ""
	if writing, ok := request.(interface{ GetRequestId() string }); ok {
		requestID = writing.GetRequestId()
	}
	o := c.begin(ctx, method, requestID)
	for {
		err := c.conn.Invoke(o.ctx, method, request, response)
		if err == nil {
			o.end(response.GetRevision(), nil)
			return nil
		}
		if err = o.again(err); err != nil {
			o.end(0, err)
			return err
		}
	}
}

// requestIDOr is the caller's request id, or a new random one (a UUID of version 4).
func requestIDOr(given string) string {
	if given != "" {
		return given
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, as crypto/rand says
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// option is the one of a method's options, or none.
func option[T any](given []T) (T, error) {
	var none T
	switch len(given) {
	case 0:
		return none, nil
	case 1:
		return given[0], nil
	}
	return none, invalid(fmt.Errorf("%T was given %d times: give one, or none", none, len(given)))
}

func startSpan(ctx context.Context, tracer trace.Tracer, method string) (context.Context, trace.Span) {
	return tracer.Start(ctx, method[1:], trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("rpc.system", "grpc"), attribute.String("rpc.method", method[1:])))
}

func endSpan(span trace.Span, attempts int, err error) {
	span.SetAttributes(attribute.Int("vexfs.attempts", attempts))
	if err != nil {
		e := toError(err)
		span.SetAttributes(attribute.String("rpc.response.status_code", string(e.Code)))
		span.SetStatus(codes.Error, string(e.Reason))
	}
	span.End()
}
