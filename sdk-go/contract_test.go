package vexfs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// constants are the constants of a type that a file of this package declares, by value.
func constants(t *testing.T, file, typeName string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if name, typed := "", false; ok {
			if ident, isIdent := spec.Type.(*ast.Ident); isIdent {
				name, typed = ident.Name, true
			}
			if typed && name == typeName {
				value, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				found[value] = spec.Names[0].Name
			}
		}
		return true
	})
	return found
}

func TestEveryReasonOfTheContractHasAConstant(t *testing.T) {
	known := constants(t, "reasons.go", "Reason")
	codes := constants(t, "errors.go", "Code")
	values := pb.ErrorReason_ERROR_REASON_UNSPECIFIED.Descriptor().Values()
	for i := range values.Len() {
		name := string(values.Get(i).Name())[len("ERROR_REASON_"):]
		if name == "UNSPECIFIED" {
			continue
		}
		if known[name] == "" {
			t.Errorf("no constant for the reason %s", name)
		}
		delete(known, name)
		if contract := Reason(name).contract(); contract == nil || codes[contract.GetCode()] == "" {
			t.Errorf("no constant for the code of %s: %v", name, contract)
		}
	}
	for name, constant := range known {
		t.Errorf("%s: the contract has no reason %s", constant, name)
	}
	if Reason("MOON_IN_THE_WAY").contract() != nil {
		t.Error("a reason that the contract does not have")
	}
}

func TestCodesHaveTheNamesOfTheContract(t *testing.T) {
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		var parsed codes.Code
		if err := parsed.UnmarshalJSON([]byte(strconv.Quote(string(codeName(code))))); err != nil || parsed != code {
			t.Errorf("%v is called %s: %v", code, codeName(code), err)
		}
	}
	if codeName(99) != "UNKNOWN" {
		t.Error(codeName(99))
	}
}

// Trying again rests on this: a method either changes nothing or carries a request id.
func TestEveryMethodCanBeTriedAgain(t *testing.T) {
	count := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("vexfs.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				method := methods.Get(j)
				level := method.Options().(*descriptorpb.MethodOptions).GetIdempotencyLevel()
				carries := method.Input().Fields().ByName("request_id") != nil
				if carries == (level == descriptorpb.MethodOptions_NO_SIDE_EFFECTS) {
					t.Errorf("%s: %v, request id %v", method.FullName(), level, carries)
				}
				if revision := method.Output().Fields().ByName("revision"); revision == nil {
					t.Errorf("%s answers no revision", method.FullName())
				}
				count++
			}
		}
		return true
	})
	if count != 36 {
		t.Errorf("the contract has %d methods, this SDK was written for 36", count)
	}
}

func TestVectorsAreLittleEndian(t *testing.T) {
	packed := toVector([]float32{1, -2.5}).GetValues()
	if want := "\x00\x00\x80\x3f\x00\x00\x20\xc0"; string(packed) != want {
		t.Errorf("%x", packed)
	}
	if back := fromVector(&pb.Vector{Values: packed}); len(back) != 2 || back[0] != 1 || back[1] != -2.5 {
		t.Error(back)
	}
	if !proto.Equal(toVector(nil), &pb.Vector{}) {
		t.Error("an empty vector")
	}
}
