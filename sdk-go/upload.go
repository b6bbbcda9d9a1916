package vexfs

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
)

// upload is a call that sends a stream of messages and gets one answer. Its operation has ended after an error of send or
// finish, and with fail; else the caller ends it.
type upload[Request, Response any] struct {
	o      *operation
	stream grpc.ClientStreamingClient[Request, Response]
}

// openUpload opens the stream of an operation that has begun, and tries again as long as that fails; what is sent then is not
// sent again.
func openUpload[Request, Response any](
	o *operation,
	open func(context.Context, ...grpc.CallOption) (grpc.ClientStreamingClient[Request, Response], error),
) (*upload[Request, Response], error) {
	for {
		stream, err := open(o.ctx)
		if err == nil {
			return &upload[Request, Response]{o, stream}, nil
		}
		if err = o.again(err); err != nil {
			o.end(0, err)
			return nil, err
		}
	}
}

// send sends a message, and waits until the transport has room for it.
func (u *upload[Request, Response]) send(message *Request) error {
	err := u.stream.Send(message)
	if err == nil {
		return nil
	}
	// gRPC's Send only says io.EOF when the server has ended the call.
	if errors.Is(err, io.EOF) {
		if _, err = u.stream.CloseAndRecv(); err == nil {
			err = errors.New("the server ended the call before it had the whole stream")
		}
	}
	return u.fail(err)
}

// finish says that the stream is at its end, and waits for the answer.
func (u *upload[Request, Response]) finish() (*Response, error) {
	response, err := u.stream.CloseAndRecv()
	if err != nil {
		return nil, u.fail(err)
	}
	return response, nil
}

// fail ends the operation with err as an *Error. A stream that is under way is cancelled, which the server is told.
func (u *upload[Request, Response]) fail(err error) error {
	e := u.o.failure(err)
	u.o.end(0, e)
	return e
}
