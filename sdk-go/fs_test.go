package vexfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/vexfs/vexfs/sdk-go"
)

func TestTheFileSystemIsOne(t *testing.T) {
	client := newClient(t)
	ctx, dir := t.Context(), newDirectory(t, client)
	text := bytes.Repeat([]byte("all work and no play "), 10) // short: TestFS reads it byte by byte, each a call
	for name, data := range map[string][]byte{
		"/a.md": []byte("one\n"), "/empty": nil, "/sub/deep/text": text, "/sub/ünïcode name": []byte("x"), "/sub.x": []byte("y"),
	} {
		must(client.Files.Write(ctx, vexfs.Path(dir+name), data, vexfs.WriteOptions{MakeParents: true}))(t)
	}
	must(client.Files.MakeDirectory(ctx, vexfs.Path(dir+"/nothing")))(t)
	must(client.Files.Symlink(ctx, vexfs.Path(dir+"/sub/link"), "../a.md"))(t)
	must(client.Files.SetAttributes(ctx, vexfs.Path(dir+"/a.md"), vexfs.Attributes{Mode: vexfs.Ptr(uint32(0o4750))}))(t)

	system := must(fs.Sub(client.FS(ctx), dir[1:]))(t)
	if err := fstest.TestFS(system, "a.md", "empty", "sub/deep/text", "sub/ünïcode name", "sub.x", "sub/link"); err != nil {
		t.Error(err)
	}
	equal(t, "mode", must(fs.Stat(system, "a.md"))(t).Mode(), fs.ModeSetuid|0o750)
	equal(t, "through a link", string(must(fs.ReadFile(system, "sub/link"))(t)), "one\n")
	equal(t, "found", len(must(fs.Glob(system, "*/*"))(t)), 3)
}

func TestAnOpenFileIsReadFromAnyPlace(t *testing.T) {
	client := newClient(t)
	ctx, dir := t.Context(), newDirectory(t, client)
	large := bytes.Repeat([]byte("all work and no play "), 200_000) // several pieces of a stream
	must(client.Files.Write(ctx, vexfs.Path(dir+"/large"), large))(t)
	file := must(client.FS(ctx).Open(dir[1:] + "/large"))(t)
	defer file.Close()
	equal(t, "all of it", bytes.Equal(must(io.ReadAll(file))(t), large), true)
	must(file.(io.Seeker).Seek(-1000, io.SeekEnd))(t)
	equal(t, "after a seek", bytes.Equal(must(io.ReadAll(file))(t), large[len(large)-1000:]), true)
	part := make([]byte, 3<<20)
	equal(t, "at once", must(file.(io.ReaderAt).ReadAt(part, 17))(t), len(part))
	equal(t, "from the middle", bytes.Equal(part, large[17:17+len(part)]), true)
}

func TestTheRootOfTheFileSystem(t *testing.T) {
	client := newClient(t)
	dir := newDirectory(t, client)
	system := client.FS(t.Context())
	if !must(fs.Stat(system, "."))(t).IsDir() {
		t.Error("the root is no directory")
	}
	seen := false
	for _, entry := range must(fs.ReadDir(system, "."))(t) {
		seen = seen || "/"+entry.Name() == dir
	}
	equal(t, "the test's directory is listed", seen, true)
}

func TestErrorsOfTheFileSystem(t *testing.T) {
	client := newClient(t)
	system := client.FS(t.Context())
	_, err := system.Open("there/is/none")
	var pathError *fs.PathError
	if !errors.As(err, &pathError) || !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, vexfs.ReasonFileNotFound) {
		t.Error(err)
	}
	if _, err = system.Open("/rooted"); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
	file := must(system.Open("."))(t)
	if _, err := io.ReadAll(file); err == nil {
		t.Error("a directory was read")
	}
	if err := errors.Join(file.Close()); err != nil || !errors.Is(file.Close(), fs.ErrClosed) {
		t.Error("closing:", err)
	}
}
