// Command conformance is the adapter of the Go SDK for the conformance suite: it makes the calls that the runner asks for
// through the SDK's public API and tells what came back. conformance/README.md at the root of the repository is its
// specification.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/vexfs/vexfs/sdk-go"
	"github.com/vexfs/vexfs/sdk-go/conformance/internal/adapterpb"
)

// frameMaxBytes is the longest frame that is believed; a longer one is no frame.
const frameMaxBytes = 256 << 20

func main() {
	// Only frames may go to standard output.
	out := os.Stdout
	os.Stdout = os.Stderr
	if err := serve(os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, "vexfs conformance adapter:", err)
		os.Exit(1)
	}
}

// serve says hello, then answers calls side by side until the input ends.
func serve(in io.Reader, out io.Writer) error {
	writer := &frameWriter{out: out}
	writer.write(&adapterpb.FromAdapter{Message: &adapterpb.FromAdapter_Hello{Hello: hello()}})
	clients := &clients{}
	var running sync.WaitGroup
	for {
		call := &adapterpb.Call{}
		if err := readFrame(in, call); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		running.Add(1)
		go func() {
			defer running.Done()
			result := handle(clients, call)
			result.Id = call.GetId()
			writer.write(&adapterpb.FromAdapter{Message: &adapterpb.FromAdapter_Result{Result: result}})
		}()
	}
	running.Wait()
	clients.close()
	return writer.err
}

func hello() *adapterpb.Hello {
	return &adapterpb.Hello{
		Name: "go", Version: vexfs.Version, Language: runtime.Version(), Transports: []string{"grpc"},
		Features:         []string{"cancel", "error_kinds"},
		UnreportedFields: []string{"GetContentResponse.file", "ReadFileResponse.offset"},
	}
}

// handle makes one call; a panic is a fault, not the end of the adapter.
func handle(clients *clients, call *adapterpb.Call) (result *adapterpb.Result) {
	defer func() {
		if fault := recover(); fault != nil {
			result = faulty(fmt.Sprintf("%v\n%s", fault, debug.Stack()))
		}
	}()
	client, result := clients.get(call.GetConnection())
	if result != nil {
		return result
	}
	ctx, cancel := contextOf(call)
	defer cancel()
	messages, err := invoke(ctx, client, call)
	if err != nil {
		return failed(err)
	}
	return &adapterpb.Result{Outcome: &adapterpb.Result_Response{Response: &adapterpb.Response{Messages: messages}}}
}

// frameWriter writes whole frames, from any goroutine.
type frameWriter struct {
	mutex sync.Mutex
	out   io.Writer
	err   error
}

func (w *frameWriter) write(message proto.Message) {
	data, err := proto.Marshal(message)
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if err == nil {
		_, err = w.out.Write(frame)
	}
	w.err = errors.Join(w.err, err)
}

// readFrame reads one message; io.EOF if the input ended before it began.
func readFrame(in io.Reader, message proto.Message) error {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > frameMaxBytes {
		return fmt.Errorf("a frame of %d bytes", size)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return fmt.Errorf("a frame of %d bytes is cut off: %w", size, io.ErrUnexpectedEOF)
	}
	return proto.Unmarshal(data, message)
}

// contextOf has the call's own time-out, and is cancelled when the call asks for that.
func contextOf(call *adapterpb.Call) (context.Context, context.CancelFunc) {
	ctx := context.Background()
	if call.TimeoutMs != nil {
		ctx = vexfs.WithCallTimeout(ctx, milliseconds(call.GetTimeoutMs()))
	}
	ctx, cancel := context.WithCancel(ctx)
	if call.CancelAfterMs != nil {
		stop := afterFunc(milliseconds(call.GetCancelAfterMs()), cancel)
		return ctx, func() { stop(); cancel() }
	}
	return ctx, cancel
}
