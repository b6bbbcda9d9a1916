package vexfs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A program in a module of its own uses the SDK as its users will: only what is exported, with the versions that go.mod names.
func TestAnotherModuleUsesIt(t *testing.T) {
	folder := t.TempDir()
	here := must(filepath.Abs("."))(t)
	readme := string(must(os.ReadFile("README.md"))(t))
	_, program, _ := strings.Cut(readme, "```go\n")
	program, _, _ = strings.Cut(program, "```")
	program = strings.ReplaceAll(program, "/notes", "/notes-of-a-module")
	goMod := "module example.test/user\n\ngo 1.24.0\n\nrequire github.com/vexfs/vexfs/sdk-go v0.0.0\n\n" +
		"replace github.com/vexfs/vexfs/sdk-go => " + here + "\n"
	// The sums of all it needs are those of the SDK: nobody is asked for them.
	goSum := string(must(os.ReadFile("go.sum"))(t))
	for name, text := range map[string]string{"main.go": program, "go.mod": goMod, "go.sum": goSum} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arguments := range [][]string{{"mod", "tidy"}, {"run", "-p", "1", "."}} {
		command := exec.Command("go", arguments...)
		command.Dir = folder
		// The modules are there already, as this test was built from them.
		command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", arguments, err, output)
		}
		if arguments[0] == "run" && !strings.Contains(string(output), "/notes-of-a-module/whale.md, line 1: A whale") {
			t.Errorf("it printed %s", output)
		}
	}
}
