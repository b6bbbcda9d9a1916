package vexfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Code is the name of a gRPC code, such as "NOT_FOUND". Each is an error that [errors.Is] finds in an [*Error] of that code.
type Code string

// Error is the code's name.
func (c Code) Error() string { return string(c) }

// The codes that an [*Error] can have, to match with [errors.Is].
const (
	// ErrNotFound matches what names something that is not there.
	ErrNotFound Code = "NOT_FOUND"
	// ErrAlreadyExists matches what would make something that is there already.
	ErrAlreadyExists Code = "ALREADY_EXISTS"
	// ErrFailedPrecondition matches what the state of the tree does not allow.
	ErrFailedPrecondition Code = "FAILED_PRECONDITION"
	// ErrInvalidArgument matches what can never succeed as it was asked.
	ErrInvalidArgument Code = "INVALID_ARGUMENT"
	// ErrOutOfRange matches a revision outside the history window.
	ErrOutOfRange Code = "OUT_OF_RANGE"
	// ErrUnauthenticated matches a missing or wrong token.
	ErrUnauthenticated Code = "UNAUTHENTICATED"
	// ErrPermissionDenied matches what the caller may not do.
	ErrPermissionDenied Code = "PERMISSION_DENIED"
	// ErrResourceExhausted matches what is over a limit.
	ErrResourceExhausted Code = "RESOURCE_EXHAUSTED"
	// ErrUnavailable matches what cannot be answered now, and a server that nobody answers for.
	ErrUnavailable Code = "UNAVAILABLE"
	// ErrDeadlineExceeded matches a call whose time-out passed; what it writes may still have happened.
	ErrDeadlineExceeded Code = "DEADLINE_EXCEEDED"
	// ErrCancelled matches a call that was cancelled; what it writes may still have happened.
	ErrCancelled Code = "CANCELLED"
	// ErrDataLoss matches stored data that is damaged.
	ErrDataLoss Code = "DATA_LOSS"
	// ErrUnimplemented matches what this server cannot do.
	ErrUnimplemented Code = "UNIMPLEMENTED"
	// ErrInternal matches a fault of the server.
	ErrInternal Code = "INTERNAL"
)

// errorDomain is the domain of an ErrorInfo of ours.
const errorDomain = "vexfs.v1"

// Error is a call that failed. Match it with [errors.Is] and a [Code] or [Reason]; its fields say more.
type Error struct {
	// Code is the gRPC code's name.
	Code Code
	// Reason is why, in the contract's words; empty if the server gave no reason, as when nobody answered.
	Reason Reason
	// Message says what happened and what to do, for people; it may change.
	Message string
	// Metadata holds facts such as the path or the limit.
	Metadata map[string]string
	// RequestID is the id of a call that writes: the same call with the same id is safe for 10 minutes. Empty for a call that
	// reads.
	RequestID string
	// Retryable says that the same call can succeed later without anybody changing it.
	Retryable bool
	// Attempts is how often the call was tried; 0 if it was refused before it was sent.
	Attempts int

	delay time.Duration
	cause error
}

// Error is the message with the reason, or the code where there is none.
func (e *Error) Error() string {
	name := string(e.Reason)
	if name == "" {
		name = string(e.Code)
	}
	return fmt.Sprintf("vexfs: %s (%s)", e.Message, name)
}

// Unwrap is the error below: of the context, of gRPC, or of a value that cannot be sent.
func (e *Error) Unwrap() error { return e.cause }

// Is tells whether the target is this error's [Code] or [Reason], or the error of package io/fs for its code.
func (e *Error) Is(target error) bool {
	switch target := target.(type) {
	case Code:
		return e.Code == target
	case Reason:
		return e.Reason != "" && e.Reason == target
	}
	switch target {
	case fs.ErrNotExist:
		return e.Code == ErrNotFound
	case fs.ErrExist:
		return e.Code == ErrAlreadyExists
	case fs.ErrPermission:
		return e.Code == ErrPermissionDenied || e.Code == ErrUnauthenticated
	case context.DeadlineExceeded:
		return e.Code == ErrDeadlineExceeded
	case context.Canceled:
		return e.Code == ErrCancelled
	}
	return false
}

// invalid is an argument that cannot be sent.
func invalid(cause error) error {
	return &Error{Code: ErrInvalidArgument, Reason: ReasonInvalidArgument, Message: cause.Error(), cause: cause}
}

// toError makes an *Error of what gRPC returned.
func toError(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	state := status.Convert(err)
	e := &Error{Code: codeName(state.Code()), Message: state.Message(), cause: err}
	for _, detail := range state.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == errorDomain {
				e.Reason, e.Metadata = Reason(detail.GetReason()), detail.GetMetadata()
			}
		case *errdetails.RetryInfo:
			e.delay = detail.GetRetryDelay().AsDuration()
		}
	}
	e.Retryable = retryable(e)
	return e
}

// retryable is what the contract says of the reason; of a reason that it did not know yet, what the server says.
func retryable(e *Error) bool {
	if e.Reason == "" {
		return e.Code == ErrUnavailable
	}
	if contract := e.Reason.contract(); contract != nil {
		return contract.GetRetryable()
	}
	return e.Metadata["retryable"] == "true"
}

// codeNames are the names of the gRPC codes as google.rpc.Code writes them; codes.Code prints others.
var codeNames = [...]Code{
	codes.OK: "OK", codes.Canceled: ErrCancelled, codes.Unknown: "UNKNOWN", codes.InvalidArgument: ErrInvalidArgument,
	codes.DeadlineExceeded: ErrDeadlineExceeded, codes.NotFound: ErrNotFound, codes.AlreadyExists: ErrAlreadyExists,
	codes.PermissionDenied: ErrPermissionDenied, codes.ResourceExhausted: ErrResourceExhausted,
	codes.FailedPrecondition: ErrFailedPrecondition, codes.Aborted: "ABORTED", codes.OutOfRange: ErrOutOfRange,
	codes.Unimplemented: ErrUnimplemented, codes.Internal: ErrInternal, codes.Unavailable: ErrUnavailable,
	codes.DataLoss: ErrDataLoss, codes.Unauthenticated: ErrUnauthenticated,
}

func codeName(code codes.Code) Code {
	if int(code) < len(codeNames) {
		return codeNames[code]
	}
	return codeNames[codes.Unknown]
}
