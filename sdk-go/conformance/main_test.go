package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/vexfs/vexfs/sdk-go/conformance/internal/adapterpb"
	"github.com/vexfs/vexfs/sdk-go/internal/testserver"
)

// converse gives the adapter all calls and returns its hello and the results by id.
func converse(t *testing.T, calls ...*adapterpb.Call) (*adapterpb.Hello, map[uint32]*adapterpb.Result) {
	t.Helper()
	var in, out bytes.Buffer
	for i, call := range calls {
		call.Id = uint32(i)
		data, err := proto.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
		in.Write(data)
	}
	if err := serve(&in, &out); err != nil {
		t.Fatal(err)
	}
	var hello *adapterpb.Hello
	results := map[uint32]*adapterpb.Result{}
	for {
		frame := &adapterpb.FromAdapter{}
		if err := readFrame(&out, frame); errors.Is(err, io.EOF) {
			return hello, results
		} else if err != nil {
			t.Fatal(err)
		}
		if hello == nil {
			if hello = frame.GetHello(); hello == nil {
				t.Fatal("the first frame is no hello")
			}
			continue
		}
		results[frame.GetResult().GetId()] = frame.GetResult()
	}
}

func TestTheAdapterMakesCallsThroughTheSDK(t *testing.T) {
	testserver.ClearSettings()
	server, err := testserver.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	known := &adapterpb.Connection{Address: &server.Address, Token: &server.Token}
	call := func(method string, requests ...string) *adapterpb.Call {
		return &adapterpb.Call{Method: "vexfs.v1.FilesService/" + method, Requests: requests, Connection: known}
	}
	connectOver := func(c *adapterpb.Connection) *adapterpb.Call {
		return &adapterpb.Call{Method: "vexfs.v1.FilesService/StatFile", Requests: []string{`{}`}, Connection: c}
	}
	onePage := call("ListFiles", `{"directory": {"path": "/"}, "page_size": 2}`)
	onePage.Paging = adapterpb.Paging_PAGING_ONE_PAGE
	waiting := call("StatFile", `{"file": {"id": 1}, "min_revision": "4611686018427387904"}`)
	waiting.CancelAfterMs = proto.Uint32(100)
	late := proto.Clone(waiting).(*adapterpb.Call)
	late.CancelAfterMs, late.TimeoutMs = nil, proto.Uint32(100)
	hello, results := converse(t,
		call("StatFile", `{"file": {"path": "/"}}`),
		call("StatFile", `{"file": {"path": "/none"}}`),
		call("NoSuchMethod", `{}`),
		call("StatFile", `{"surprise": 1}`),
		onePage, waiting, late,
		connectOver(&adapterpb.Connection{MaxAttempts: proto.Uint32(0)}),
		connectOver(&adapterpb.Connection{Transport: proto.String("rest")}),
	)
	if hello.GetName() != "go" || len(results) != 9 {
		t.Fatal(hello, results)
	}
	var stat struct {
		Revision int64
		File     struct {
			ID   int64
			Kind string
		}
	}
	if messages := results[0].GetResponse().GetMessages(); len(messages) != 1 || json.Unmarshal([]byte(messages[0]), &stat) != nil ||
		stat.File.ID != 1 || stat.File.Kind != "FILE_KIND_DIRECTORY" {
		t.Error(results[0])
	}
	e := results[1].GetSdkError()
	if e.GetReason() != "FILE_NOT_FOUND" || e.GetCode() != "NOT_FOUND" || strings.Join(e.GetKinds(), " ") != "not_found" || e.GetAttempts() != 1 {
		t.Error(results[1])
	}
	for id, right := range map[uint32]bool{
		2: results[2].GetUnsupported() != "",
		3: results[3].GetAdapterFault() != "",
		4: results[4].GetUnsupported() != "",
		5: results[5].GetSdkError().GetCode() == "CANCELLED",
		6: results[6].GetSdkError().GetCode() == "DEADLINE_EXCEEDED",
		7: results[7].GetSettingsError().GetSetting() == "max_attempts",
		8: results[8].GetUnsupported() != "",
	} {
		if !right {
			t.Errorf("call %d: %v", id, results[id])
		}
	}

	converse(t, call("CreateCollection", `{"collection": {"path": "/c"}, "schema": {"vectors": [{"name": "v", "dimension": 1}]}}`))
	stream := func(requests ...string) *adapterpb.Call { return call("UpsertPointsStream", requests...) }
	_, results = converse(t,
		stream(`{"collection": {"path": "/c"}}`, `{"points": [{"id": "a"}, {"id": "b"}]}`, `{"points": [{"id": "c"}]}`),
		stream(`{"collection": {"path": "/c"}}`, `{"points": [{"id": "d", "vectors": {"v": {"values": "AAAAAAAAAAA="}}}]}`),
		stream(`{"collection": {"path": "/c"}}`, `{"collection": {"path": "/c"}}`),
	)
	var put struct{ Revision, Upserted int64 }
	if messages := results[0].GetResponse().GetMessages(); len(messages) != 1 || json.Unmarshal([]byte(messages[0]), &put) != nil ||
		put.Upserted != 3 || put.Revision == 0 {
		t.Error(results[0])
	}
	if results[1].GetSdkError().GetReason() != "DIMENSION_MISMATCH" || results[2].GetUnsupported() == "" {
		t.Error(results[1], results[2])
	}
}

func TestABrokenFrameIsAnError(t *testing.T) {
	for _, in := range []string{"\x00", "\x00\x00\x00\x05ab", "\xff\xff\xff\xff", "\x00\x00\x00\x01\xff"} {
		if err := serve(strings.NewReader(in), io.Discard); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%q: %v", in, err)
		}
	}
}

func TestTheAdapterUsesWhatIsPublicOnly(t *testing.T) {
	output, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(string(output)) {
		if strings.Contains(path, "sdk-go/internal") || strings.Contains(path, "google.golang.org/grpc") {
			t.Error("it imports", path)
		}
	}
}
