package vexfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/vexfs/vexfs/sdk-go"
)

// is checks that err is each of the targets.
func is(t testing.TB, err error, targets ...error) {
	t.Helper()
	var e *vexfs.Error
	if !errors.As(err, &e) {
		t.Fatalf("not an *Error: %v", err)
	}
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("%v is not %v", err, target)
		}
	}
}

func TestContentOfAnySizeComesBack(t *testing.T) {
	client := newClient(t)
	ctx, dir := t.Context(), newDirectory(t, client)
	for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1, 9<<20 + 7} {
		data := bytes.Repeat([]byte("0123456789ABCDEF\n"), size/17+1)[:size]
		ref := vexfs.Path(fmt.Sprintf("%s/%d", dir, size))
		equal(t, "size", must(client.Files.Write(ctx, ref, data))(t).SizeBytes, int64(size))
		equal(t, "read", bytes.Equal(must(client.Files.Read(ctx, ref))(t), data), true)
		from := must(client.Files.WriteFrom(ctx, vexfs.Path(dir+"/from"), iotest.HalfReader(bytes.NewReader(data))))(t)
		reader := must(client.Files.Open(ctx, from.Ref()))(t)
		equal(t, "what is read", reader.File().ID, from.ID)
		var copied bytes.Buffer
		must(io.Copy(&copied, reader))(t)
		equal(t, "copied", bytes.Equal(copied.Bytes(), data), true)
		if size > 100 {
			for _, length := range []int64{10, 1 << 20, int64(size) + 100} {
				part := must(client.Files.Read(ctx, ref, vexfs.ContentOptions{Offset: 50, Length: length}))(t)
				equal(t, "part", bytes.Equal(part, data[50:min(50+int(length), size)]), true)
			}
		}
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAWriterChangesTheFileWhenItIsClosed(t *testing.T) {
	client := newClient(t)
	ctx, ref := t.Context(), vexfs.Path(newDirectory(t, client)+"/a")
	old := must(client.Files.Write(ctx, ref, []byte("old")))(t)
	writer := must(client.Files.Create(ctx, ref))(t)
	for range 100 {
		must(fmt.Fprintf(writer, "%s\n", strings.Repeat("new", 3000)))(t)
	}
	equal(t, "before Close", string(must(client.Files.Read(ctx, ref))(t)), "old")
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, "size", writer.File().SizeBytes, 900100)
	equal(t, "same file", writer.File().ID, old.ID)
	before := must(client.Files.Stat(ctx, ref))(t)

	aborted := must(client.Files.Create(ctx, ref))(t)
	must(aborted.Write(make([]byte, 1<<20)))(t)
	aborted.Abort()
	must(client.Files.WriteFrom(ctx, vexfs.Path("/nothing/here"), strings.NewReader("x"), vexfs.WriteOptions{MakeParents: true}))(t)
	equal(t, "after Abort", must(client.Files.Stat(ctx, ref))(t).Revision, before.Revision)

	broken := io.MultiReader(bytes.NewReader(make([]byte, 3<<20)), iotest.ErrReader(io.ErrClosedPipe))
	if _, err := client.Files.WriteFrom(ctx, ref, broken); err != io.ErrClosedPipe {
		t.Error("the reader's error:", err)
	}
	equal(t, "after a broken reader", must(client.Files.Stat(ctx, ref))(t).Revision, before.Revision)

	refused := must(client.Files.Create(ctx, vexfs.Path("/no/such/directory/a")))(t)
	must(refused.Write([]byte("x")))(t)
	is(t, refused.Close(), vexfs.ErrNotFound, vexfs.ReasonFileNotFound, fs.ErrNotExist)
}

func TestWritingHasConditionsAndPlaces(t *testing.T) {
	client := newClient(t)
	ctx, ref := t.Context(), vexfs.Path(newDirectory(t, client)+"/sub/a")
	options := vexfs.WriteOptions{IfContentRevision: vexfs.Ptr(int64(0)), MakeParents: true, Mode: vexfs.Ptr(uint32(0o600))}
	file := must(client.Files.Write(ctx, ref, []byte("0123456789"), options))(t)
	equal(t, "mode", file.FileMode(), fs.FileMode(0o600))
	_, err := client.Files.Write(ctx, ref, nil, options)
	is(t, err, vexfs.ErrAlreadyExists, vexfs.ReasonFileExists, fs.ErrExist)
	must(client.Files.Write(ctx, ref, []byte("abc"), vexfs.WriteOptions{Offset: vexfs.Ptr(int64(4))}))(t)
	equal(t, "content", string(must(client.Files.Read(ctx, ref))(t)), "0123abc789")
	_, err = client.Files.Write(ctx, ref, nil, vexfs.WriteOptions{IfContentRevision: &file.ContentRevision})
	is(t, err, vexfs.ErrFailedPrecondition, vexfs.ReasonContentChanged)
	equal(t, "at the old revision",
		string(must(client.Files.Read(ctx, ref, vexfs.ContentOptions{AtRevision: file.Revision}))(t)), "0123456789")
	equal(t, "its size then",
		must(client.Files.Stat(ctx, ref, vexfs.ReadOptions{AtRevision: file.Revision}))(t).Revision, file.Revision)
	_, err = client.Files.Stat(ctx, ref, vexfs.ReadOptions{AtRevision: 1 << 40})
	is(t, err, vexfs.ErrOutOfRange, vexfs.ReasonRevisionNotAvailable)
	_, err = client.Files.Stat(ctx, ref, vexfs.ReadOptions{}, vexfs.ReadOptions{})
	is(t, err, vexfs.ErrInvalidArgument)
}

func TestARequestWithTheSameIDTakesEffectOnce(t *testing.T) {
	client := newClient(t)
	ctx, dir := t.Context(), newDirectory(t, client)
	options := vexfs.MakeDirectoryOptions{RequestID: "id of " + dir}
	first := must(client.Files.MakeDirectory(ctx, vexfs.Path(dir+"/a"), options))(t)
	again := must(client.Files.MakeDirectory(ctx, vexfs.Path(dir+"/a"), options))(t)
	equal(t, "revision", again.Revision, first.Revision)
	_, err := client.Files.MakeDirectory(ctx, vexfs.Path(dir+"/b"), options)
	is(t, err, vexfs.ReasonRequestIDReused)
	var e *vexfs.Error
	if errors.As(err, &e); e.RequestID != options.RequestID || e.Attempts != 1 || e.Retryable || e.Message == "" {
		t.Errorf("%+v", e)
	}
}

func TestTheTreeIsChanged(t *testing.T) {
	client := newClient(t)
	ctx, dir := t.Context(), newDirectory(t, client)
	at := func(name string) vexfs.FileRef { return vexfs.Path(dir + name) }
	a := must(client.Files.Write(ctx, at("/tree/a"), []byte("a"), vexfs.WriteOptions{MakeParents: true}))(t)
	equal(t, "moved", must(client.Files.Move(ctx, at("/tree/a"), at("/tree/b")))(t).ID, a.ID)
	_, err := client.Files.Move(ctx, vexfs.ID(a.ID), at("/tree"), vexfs.MoveOptions{NoReplace: true})
	is(t, err, vexfs.ReasonFileExists)
	c := must(client.Files.Write(ctx, at("/tree/c"), []byte("c")))(t)
	must(client.Files.Move(ctx, at("/tree/b"), at("/tree/c"), vexfs.MoveOptions{Exchange: true}))(t)
	equal(t, "exchanged", must(client.Files.Stat(ctx, at("/tree/b")))(t).ID, c.ID)
	_, err = client.Files.Copy(ctx, at("/tree"), at("/copy"))
	is(t, err, vexfs.ReasonIsADirectory)
	copied := must(client.Files.Copy(ctx, at("/tree"), at("/copy"), vexfs.CopyOptions{Recursive: true}))(t)
	equal(t, "copied", copied.Copied, 3)
	equal(t, "its path", copied.File.Path, dir+"/copy")
	link := must(client.Files.Symlink(ctx, at("/link"), "tree/b"))(t)
	equal(t, "kind", link.Kind, vexfs.KindSymlink)
	equal(t, "target", must(client.Files.ReadSymlink(ctx, at("/link")))(t), "tree/b")
	equal(t, "followed", must(client.Files.Stat(ctx, at("/link").Follow()))(t).ID, c.ID)
	must(client.Files.Symlink(ctx, at("/odd"), "not\xffUTF-8"))(t)
	equal(t, "odd target", must(client.Files.ReadSymlink(ctx, at("/odd")))(t), "not\xffUTF-8")
	equal(t, "links", must(client.Files.Link(ctx, at("/tree/b"), at("/hard")))(t).Nlink, 2)
	odd := must(client.Files.Write(ctx, vexfs.Path(dir+"/\xfe"), nil))(t)
	equal(t, "odd name", string(odd.PathBytes), dir+"/\xfe")
	equal(t, "by its bytes", must(client.Files.Stat(ctx, vexfs.PathBytes(odd.PathBytes)))(t).ID, odd.ID)

	var names []string
	for file, err := range client.Files.List(ctx, vexfs.Path(dir), vexfs.ListOptions{PageSize: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, strings.TrimPrefix(file.Path+string(file.PathBytes), dir))
	}
	equal(t, "listed", strings.Join(names, " "), "/copy /hard /link /odd /tree /\xfe")
	_, err = client.Files.Remove(ctx, at("/tree"))
	is(t, err, vexfs.ReasonDirectoryNotEmpty)
	removed := must(client.Files.Remove(ctx, at("/tree"), vexfs.RemoveOptions{Recursive: true}))(t)
	equal(t, "removed", removed.Removed, 3)
	var info vexfs.CallInfo
	_, err = client.Files.Stat(vexfs.WithCallInfo(ctx, &info), vexfs.ID(c.ID), vexfs.ReadOptions{MinRevision: removed.Revision})
	if err != nil || info.Revision < removed.Revision || info.Attempts != 1 {
		t.Error(err, info)
	}
}

func TestAttributesAndMetadata(t *testing.T) {
	client := newClient(t)
	ctx, ref := t.Context(), vexfs.Path(newDirectory(t, client)+"/a")
	must(client.Files.Write(ctx, ref, []byte("0123456789")))(t)
	mtime := time.Date(2001, 2, 3, 4, 5, 6, 789, time.FixedZone("there", 3600))
	file := must(client.Files.SetAttributes(ctx, ref, vexfs.Attributes{
		Mode: vexfs.Ptr(uint32(0o1640)), UID: vexfs.Ptr(uint32(7)), GID: vexfs.Ptr(uint32(8)), Mtime: &mtime, Atime: &mtime,
		SizeBytes: vexfs.Ptr(int64(4)),
	}))(t)
	equal(t, "mode", file.FileMode(), fs.ModeSticky|0o640)
	equal(t, "times", file.Atime.Equal(mtime) && file.SizeBytes == 4 && file.UID == 7 && file.GID == 8, true)
	later := must(client.Files.SetAttributes(ctx, ref, vexfs.Attributes{Mtime: &mtime}))(t)
	equal(t, "mtime", later.Mtime.Equal(mtime), true)
	equal(t, "mode stays", later.Mode, file.Mode)

	revision := must(client.Files.SetXattr(ctx, ref, "user.colour", []byte{0, 255}))(t)
	_, err := client.Files.SetXattr(ctx, ref, "user.colour", nil, vexfs.SetXattrOptions{CreateOnly: true})
	is(t, err, vexfs.ReasonAttributeExists)
	_, err = client.Files.SetXattr(ctx, ref, "user.shape", nil, vexfs.SetXattrOptions{ReplaceOnly: true})
	is(t, err, vexfs.ReasonAttributeNotFound, vexfs.ErrNotFound)
	equal(t, "value", string(must(client.Files.GetXattr(ctx, ref, "user.colour"))(t)), "\x00\xff")
	equal(t, "names", fmt.Sprint(must(client.Files.ListXattrs(ctx, ref))(t)), "[user.colour]")
	if after := must(client.Files.RemoveXattr(ctx, ref, "user.colour"))(t); after <= revision {
		t.Error(after, revision)
	}
	equal(t, "no metadata", len(must(client.Files.GetMetadata(ctx, ref))(t)), 0)
	metadata := map[string]any{"n": 1.5, "s": "x", "null": nil, "list": []any{true, "y"}, "in": map[string]any{"k": 2.0}}
	must(client.Files.SetMetadata(ctx, ref, metadata))(t)
	if got := must(client.Files.GetMetadata(ctx, ref))(t); !reflect.DeepEqual(got, metadata) {
		t.Error(got)
	}
	_, err = client.Files.SetMetadata(ctx, ref, map[string]any{"f": func() {}})
	is(t, err, vexfs.ErrInvalidArgument)
}

func TestAWrongTokenIsRefused(t *testing.T) {
	for _, token := range []string{"", "wrong"} {
		client := newClient(t, vexfs.WithToken(token))
		_, err := client.Files.Stat(t.Context(), vexfs.Path("/"))
		is(t, err, vexfs.ErrUnauthenticated, vexfs.ReasonUnauthenticated, fs.ErrPermission)
	}
}

func TestNoFileIsRefusedByTheServer(t *testing.T) {
	_, err := newClient(t).Files.Stat(t.Context(), vexfs.FileRef{})
	is(t, err, vexfs.ErrInvalidArgument, vexfs.ReasonInvalidArgument)
}
