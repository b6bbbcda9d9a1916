// Package testserver starts real server processes for the tests of the SDK.
package testserver

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// startAtMost is how long a server may take until it answers; the machine may be busy.
const startAtMost = 2 * time.Minute

// Server is a server process on free ports of this machine.
type Server struct {
	// Address is where it serves gRPC.
	Address string
	// Token is what calls have to carry.
	Token string

	log     string
	process *exec.Cmd
	ended   chan error
}

// command is VEXFS_COMMAND, or the command of this checkout.
func command() []string {
	if words := strings.Fields(os.Getenv("VEXFS_COMMAND")); len(words) > 0 {
		return words
	}
	_, file, _, _ := runtime.Caller(0)
	return []string{filepath.Join(filepath.Dir(file), "../../../.venv/bin/vexfs")}
}

// Start starts a server on a fresh folder and waits until it answers. Stop it.
func Start(folder string, options ...string) (*Server, error) {
	ready := filepath.Join(folder, "ready.json")
	s := &Server{log: filepath.Join(folder, "server.log"), ended: make(chan error, 1)}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	words := append(command(), "serve", "--data", filepath.Join(folder, "data"), "--rest-port", "0", "--grpc-port", "0",
		"--ready-file", ready)
	s.process = exec.Command(words[0], append(words[1:], options...)...)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = attributes()
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.process.Wait() }()
	for end := time.Now().Add(startAtMost); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(ready)
		if err == nil {
			return s, s.read(text)
		}
		select {
		case err := <-s.ended:
			return nil, fmt.Errorf("the server ended: %v\n%s", err, s.Log())
		default:
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("the server did not start: %v\n%s", s.Stop(), s.Log())
		}
	}
}

// read takes what the ready file says.
func (s *Server) read(text []byte) error {
	var facts struct {
		GRPC  string `json:"grpc"`
		Token string `json:"token_file"`
	}
	if err := json.Unmarshal(text, &facts); err != nil {
		return err
	}
	token, err := os.ReadFile(facts.Token)
	s.Address, s.Token = facts.GRPC, strings.TrimSpace(string(token))
	return err
}

// Log is what the server wrote.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.log)
	return string(text)
}

// Stop ends the server and waits for that.
func (s *Server) Stop() error {
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-s.ended
}

// ClearSettings unsets the variables of the settings, so that they reach no test.
func ClearSettings() {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "VEXFS_") && name != "VEXFS_COMMAND" {
			os.Unsetenv(name)
		}
	}
}
