package vexfs

import (
	"fmt"
	"unicode/utf8"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// FileRef names one file of any kind; [Path], [ID] and [PathBytes] make it.
type FileRef struct {
	path   string
	id     int64
	raw    []byte
	kind   refKind
	follow bool
}

type refKind int

const (
	noRef refKind = iota
	pathRef
	idRef
	bytesRef
)

// Path names a file by its absolute path, such as "/docs/a.md"; "/" is the root. A path that is not UTF-8 is sent as bytes.
func Path(path string) FileRef {
	if !utf8.ValidString(path) {
		return PathBytes([]byte(path))
	}
	return FileRef{kind: pathRef, path: path}
}

// ID names a file by its id ([File.ID]), which stays the same wherever the file is moved.
func ID(id int64) FileRef { return FileRef{kind: idRef, id: id} }

// PathBytes names a file by the bytes of its path, as the kernel would have them.
func PathBytes(path []byte) FileRef { return FileRef{kind: bytesRef, raw: path} }

// Follow names, if the path ends at a symbolic link, the file that it leads to instead of the link itself.
func (r FileRef) Follow() FileRef {
	r.follow = true
	return r
}

// String shows the reference to people.
func (r FileRef) String() string {
	switch r.kind {
	case pathRef:
		return r.path
	case idRef:
		return fmt.Sprintf("file %d", r.id)
	case bytesRef:
		return fmt.Sprintf("%q", r.raw)
	}
	return "no file"
}

// message is the reference as it is sent. The zero FileRef names nothing, which the server refuses.
func (r FileRef) message() *pb.FileRef {
	m := &pb.FileRef{Follow: r.follow}
	switch r.kind {
	case pathRef:
		m.Name = &pb.FileRef_Path{Path: r.path}
	case idRef:
		m.Name = &pb.FileRef_Id{Id: r.id}
	case bytesRef:
		m.Name = &pb.FileRef_PathBytes{PathBytes: r.raw}
	}
	return m
}

// scope is the reference of an optional field: nil if it was not set.
func (r FileRef) scope() *pb.FileRef {
	if r.kind == noRef {
		return nil
	}
	return r.message()
}
