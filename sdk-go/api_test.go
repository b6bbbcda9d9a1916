package vexfs

import (
	"bytes"
	"flag"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"sort"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/api.txt anew")

// exported parses the package without its tests and reads what it exports.
func exported(t *testing.T) (*doc.Package, *token.FileSet) {
	t.Helper()
	files := token.NewFileSet()
	packages, err := parser.ParseDir(files, ".", func(info fs.FileInfo) bool {
		return !strings.HasSuffix(info.Name(), "_test.go")
	}, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return doc.New(packages["vexfs"], "github.com/vexfs/vexfs/sdk-go", 0), files
}

// listing has a line for each exported constant, variable, type, field, function and method, in order.
func listing(t *testing.T) string {
	t.Helper()
	p, files := exported(t)
	var lines []string
	show := func(node any) string {
		var text bytes.Buffer
		if err := printer.Fprint(&text, files, node); err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(text.String()), " ")
	}
	values := func(values []*doc.Value) {
		for _, value := range values {
			for _, spec := range value.Decl.Specs {
				spec := spec.(*ast.ValueSpec)
				if spec.Doc = nil; spec.Names[0].Name == "Version" {
					spec.Values = nil // it changes with every release
				}
				lines = append(lines, value.Decl.Tok.String()+" "+show(spec))
			}
		}
	}
	functions := func(functions []*doc.Func) {
		for _, function := range functions {
			function.Decl.Doc, function.Decl.Body = nil, nil
			lines = append(lines, show(function.Decl))
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions(p.Funcs)
	for _, typed := range p.Types {
		spec := typed.Decl.Specs[0].(*ast.TypeSpec)
		if structure, ok := spec.Type.(*ast.StructType); ok {
			lines = append(lines, "type "+typed.Name+" struct")
			for _, field := range structure.Fields.List {
				names := []string{"(embedded)"}
				if len(field.Names) > 0 {
					names = nil
				}
				for _, name := range field.Names {
					names = append(names, name.Name)
				}
				for _, name := range names {
					lines = append(lines, "type "+typed.Name+" struct: "+name+" "+show(field.Type))
				}
			}
		} else {
			lines = append(lines, "type "+typed.Name+" "+show(spec.Type))
		}
		values(typed.Consts)
		values(typed.Vars)
		functions(typed.Funcs)
		functions(typed.Methods)
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n") + "\n"
}

func TestWhatIsExportedIsFrozen(t *testing.T) {
	got := listing(t)
	if *update {
		if err := os.WriteFile("testdata/api.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/api.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	t.Error("the exported API changed; if that is meant: go test -run Frozen -update .")
	before, after := map[string]bool{}, map[string]bool{}
	for _, line := range strings.Split(string(want), "\n") {
		before[line] = true
	}
	for _, line := range strings.Split(got, "\n") {
		if after[line] = true; !before[line] {
			t.Error("+", line)
		}
	}
	for line := range before {
		if !after[line] {
			t.Error("-", line)
		}
	}
}

func TestNothingExportedShowsGeneratedTypes(t *testing.T) {
	for _, line := range strings.Split(listing(t), "\n") {
		if strings.HasPrefix(line, "const ") {
			continue // its value comes from the contract, its type does not
		}
		if strings.Contains(line, "pb.") || strings.Contains(line, "grpc.") {
			t.Error(line)
		}
	}
}

func TestEverythingExportedHasAComment(t *testing.T) {
	p, _ := exported(t)
	count := 0
	check := func(name, comment string) {
		count++
		if strings.TrimSpace(comment) == "" {
			t.Errorf("%s has no comment", name)
		}
	}
	values := func(values []*doc.Value) {
		for _, value := range values {
			for _, spec := range value.Decl.Specs {
				spec := spec.(*ast.ValueSpec)
				comment := spec.Doc.Text()
				if len(value.Decl.Specs) == 1 {
					comment = value.Doc
				}
				check(spec.Names[0].Name, comment)
			}
		}
	}
	functions := func(owner string, functions []*doc.Func) {
		for _, function := range functions {
			check(owner+function.Name, function.Doc)
			if name, _, _ := strings.Cut(function.Doc, " "); name != function.Name {
				t.Errorf("the comment of %s%s begins with %q", owner, function.Name, name)
			}
		}
	}
	check("the package", p.Doc)
	values(p.Consts)
	values(p.Vars)
	functions("", p.Funcs)
	for _, typed := range p.Types {
		check(typed.Name, typed.Doc)
		values(typed.Consts)
		functions("", typed.Funcs)
		functions(typed.Name+".", typed.Methods)
		if structure, ok := typed.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType); ok {
			for _, field := range structure.Fields.List {
				if len(field.Names) > 0 {
					check(typed.Name+"."+field.Names[0].Name, field.Doc.Text())
				} else {
					check(typed.Name+" (embedded)", field.Doc.Text())
				}
			}
		}
	}
	if count < 200 {
		t.Errorf("only %d items were looked at", count)
	}
}
