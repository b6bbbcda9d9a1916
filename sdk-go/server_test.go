package vexfs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexfs/vexfs/sdk-go"
)

// server is a real server process on free ports of this machine.
type server struct {
	address, token string
	log            string
	process        *exec.Cmd
}

// shared is the server that the tests of this package use together; each test works in a directory of its own.
var shared struct {
	once   sync.Once
	server *server
	err    error
	folder string
	count  atomic.Int64
}

func TestMain(m *testing.M) {
	for _, name := range []string{"ADDRESS", "URL", "TOKEN", "TLS", "TLS_CA", "TLS_CLIENT_CERT", "TLS_CLIENT_KEY", "TIMEOUT", "MAX_ATTEMPTS"} {
		os.Unsetenv("VEXFS_" + name)
	}
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "the server did not stop well:", err)
			code = 1
		}
	}
	os.RemoveAll(shared.folder)
	os.Exit(code)
}

// serverCommand is VEXFS_COMMAND, or the command of this checkout.
func serverCommand() []string {
	if command := strings.Fields(os.Getenv("VEXFS_COMMAND")); len(command) > 0 {
		return command
	}
	path, _ := filepath.Abs("../.venv/bin/vexfs")
	return []string{path}
}

// startServer starts a server on a fresh folder and waits until it answers.
func startServer(folder string, options ...string) (*server, error) {
	ready := filepath.Join(folder, "ready.json")
	s := &server{log: filepath.Join(folder, "server.log")}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := serverCommand()
	arguments := append(command[1:len(command):len(command)], "serve", "--data", filepath.Join(folder, "data"),
		"--rest-port", "0", "--grpc-port", "0", "--ready-file", ready)
	s.process = exec.Command(command[0], append(arguments, options...)...)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	var facts struct {
		GRPC  string `json:"grpc"`
		Token string `json:"token_file"`
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(ready); err == nil && json.Unmarshal(text, &facts) == nil {
			break
		}
		if time.Now().After(end) || s.process.ProcessState != nil {
			_ = s.stop()
			text, _ := os.ReadFile(s.log)
			return nil, fmt.Errorf("the server did not start:\n%s", text)
		}
	}
	token, err := os.ReadFile(facts.Token)
	s.address, s.token = facts.GRPC, strings.TrimSpace(string(token))
	return s, err
}

func (s *server) stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.process.Wait()
}

// theServer is the shared server, started by the first test that needs it.
func theServer(t testing.TB) *server {
	t.Helper()
	shared.once.Do(func() {
		if shared.folder, shared.err = os.MkdirTemp("", "vexfs-sdk-go-"); shared.err == nil {
			shared.server, shared.err = startServer(shared.folder)
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// newClient is a client of the shared server that is closed with the test.
func newClient(t testing.TB, options ...vexfs.Option) *vexfs.Client {
	t.Helper()
	s := theServer(t)
	options = append([]vexfs.Option{vexfs.WithAddress(s.address), vexfs.WithToken(s.token)}, options...)
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
	path := fmt.Sprintf("/test-%d", shared.count.Add(1))
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
