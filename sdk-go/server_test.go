package vexfs_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexfs/vexfs/sdk-go"
	"github.com/vexfs/vexfs/sdk-go/internal/testserver"
)

// theServer is the server that the tests of this package use together; each test works in a directory of its own.
var (
	theServer   *testserver.Server
	directories atomic.Int64
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

// run starts the server first: the examples, too, run in m.Run, and find it by the variables of the settings.
func run(m *testing.M) int {
	testserver.ClearSettings()
	folder, err := os.MkdirTemp("", "vexfs-sdk-go-")
	if err == nil {
		defer os.RemoveAll(folder)
		theServer, err = testserver.Start(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("VEXFS_ADDRESS", theServer.Address)
	os.Setenv("VEXFS_TOKEN", theServer.Token)
	os.Setenv("VEXFS_TIMEOUT", "120") // examples wait until a busy machine has embedded what all tests wrote
	code := m.Run()
	if err := theServer.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the server did not stop well:", err)
		code = 1
	}
	return code
}

// newClient is a client of the server that is closed with the test.
func newClient(t testing.TB, options ...vexfs.Option) *vexfs.Client {
	t.Helper()
	client, err := vexfs.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// newDirectory makes a directory for one test and returns its path.
func newDirectory(t testing.TB, client *vexfs.Client) string {
	t.Helper()
	path := fmt.Sprintf("/test-%d", directories.Add(1))
	must(client.Files.MakeDirectory(t.Context(), vexfs.Path(path)))(t)
	return path
}

// must ends the test if there was an error: must(f())(t).
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestASmallWayThroughTheAPI(t *testing.T) {
	client := newClient(t)
	ctx, dir := t.Context(), newDirectory(t, client)
	path := vexfs.Path(dir + "/a.md")
	written := must(client.Files.Write(ctx, path, []byte("A whale is a mammal that lives in the sea.\n")))(t)
	equal(t, "kind", written.Kind, vexfs.KindRegular)
	stat := must(client.Files.Stat(ctx, path))(t)
	equal(t, "stat", fmt.Sprint(*stat), fmt.Sprint(*written))
	data := must(client.Files.Read(ctx, path))(t)
	if !bytes.HasPrefix(data, []byte("A whale")) {
		t.Errorf("read %q", data)
	}
	wait, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	must(client.WaitForViews(wait))(t)
	result := must(client.Search(ctx, vexfs.SearchQuery{Text: "animals of the ocean", Scope: vexfs.Path(dir)}))(t)
	if len(result.Hits) != 1 || result.Hits[0].File.ID != written.ID || result.Hits[0].Passage == nil {
		t.Errorf("search found %+v", result)
	}
	equal(t, "partial", result.Partial, false)
}
