package vexfs_test

import (
	"os"
	"strings"
	"testing"
)

// The example of the README runs as Example; this holds the two together.
func TestTheReadmeShowsTheExampleThatRuns(t *testing.T) {
	body := func(file, start string) string {
		text := string(must(os.ReadFile(file))(t))
		_, text, found := strings.Cut(text, start)
		text, _, ended := strings.Cut(text, "\n}\n")
		if !found || !ended {
			t.Fatalf("%s has no %q", file, start)
		}
		return text
	}
	if readme, example := body("README.md", "func main() {"), body("example_test.go", "func Example() {"); readme != example {
		t.Errorf("README.md:\n%s\nexample_test.go:\n%s", readme, example)
	}
}
