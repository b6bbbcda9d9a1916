package main

import (
	"errors"
	"fmt"

	"github.com/vexfs/vexfs/sdk-go"
	"github.com/vexfs/vexfs/sdk-go/conformance/internal/adapterpb"
)

// unsupported is a call that the SDK's API cannot express.
type unsupported string

// Error says what cannot be expressed.
func (u unsupported) Error() string { return string(u) }

// kinds are the sentinels of the SDK under the names of the protocol.
var kinds = []struct {
	name     string
	sentinel error
}{
	{"not_found", vexfs.ErrNotFound}, {"already_exists", vexfs.ErrAlreadyExists},
	{"failed_precondition", vexfs.ErrFailedPrecondition}, {"invalid_argument", vexfs.ErrInvalidArgument},
	{"unauthenticated", vexfs.ErrUnauthenticated}, {"permission_denied", vexfs.ErrPermissionDenied},
	{"resource_exhausted", vexfs.ErrResourceExhausted}, {"unavailable", vexfs.ErrUnavailable},
	{"deadline_exceeded", vexfs.ErrDeadlineExceeded}, {"cancelled", vexfs.ErrCancelled}, {"data_loss", vexfs.ErrDataLoss},
	{"internal", vexfs.ErrInternal},
}

// failed is the result of a call that ended with err.
func failed(err error) *adapterpb.Result {
	var cannot unsupported
	if errors.As(err, &cannot) {
		return &adapterpb.Result{Outcome: &adapterpb.Result_Unsupported{Unsupported: string(cannot)}}
	}
	var e *vexfs.Error
	if !errors.As(err, &e) {
		return faulty(fmt.Sprintf("%T, which is no *vexfs.Error: %v", err, err))
	}
	told := &adapterpb.SdkError{
		Code: string(e.Code), Reason: string(e.Reason), Message: e.Message, Metadata: e.Metadata, RequestId: e.RequestID,
		Retryable: e.Retryable, Attempts: uint32(e.Attempts),
	}
	for _, kind := range kinds {
		if errors.Is(err, kind.sentinel) {
			told.Kinds = append(told.Kinds, kind.name)
		}
	}
	return &adapterpb.Result{Outcome: &adapterpb.Result_SdkError{SdkError: told}}
}

// faulty is the result when the adapter itself went wrong.
func faulty(text string) *adapterpb.Result {
	return &adapterpb.Result{Outcome: &adapterpb.Result_AdapterFault{AdapterFault: text}}
}
