package vexfs

import (
	"io/fs"
	"time"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// FileKind is what a file is.
type FileKind int

// The kinds of files.
const (
	// KindRegular is a regular file: content, metadata and vectors.
	KindRegular FileKind = FileKind(pb.FileKind_FILE_KIND_REGULAR)
	// KindDirectory is a directory.
	KindDirectory FileKind = FileKind(pb.FileKind_FILE_KIND_DIRECTORY)
	// KindSymlink is a symbolic link.
	KindSymlink FileKind = FileKind(pb.FileKind_FILE_KIND_SYMLINK)
	// KindFIFO is a named pipe.
	KindFIFO FileKind = FileKind(pb.FileKind_FILE_KIND_FIFO)
	// KindSocket is a socket's name.
	KindSocket FileKind = FileKind(pb.FileKind_FILE_KIND_SOCKET)
	// KindCharacterDevice is a character device.
	KindCharacterDevice FileKind = FileKind(pb.FileKind_FILE_KIND_CHARACTER_DEVICE)
	// KindBlockDevice is a block device.
	KindBlockDevice FileKind = FileKind(pb.FileKind_FILE_KIND_BLOCK_DEVICE)
)

// String is the contract's name of the kind, such as "FILE_KIND_REGULAR".
func (k FileKind) String() string { return pb.FileKind(k).String() }

// File is a file as stat(2) shows it.
type File struct {
	// ID is the file's number within the volume; it is never used again for another file. The root is 1.
	ID int64
	// Path is the path by which the call reached the file, or one of its paths. Empty if it is not UTF-8.
	Path string
	// PathBytes is the same path if it is not UTF-8, else nil.
	PathBytes []byte
	// Kind is what the file is.
	Kind FileKind
	// Mode holds the permission bits, with set-user-id, set-group-id and sticky: 0 to 07777, as in stat(2). See
	// [File.FileMode].
	Mode uint32
	// Nlink is how many names lead to the file.
	Nlink uint32
	// UID is the owner.
	UID uint32
	// GID is the owning group.
	GID uint32
	// Rdev is the device number of a character or block device.
	Rdev uint64
	// SizeBytes is the length of the content; of a symbolic link, that of its target.
	SizeBytes int64
	// Atime is the last access as far as it is kept.
	Atime time.Time
	// Mtime is the last change of the content.
	Mtime time.Time
	// Ctime is the last change of the file or its attributes.
	Ctime time.Time
	// Btime is the creation.
	Btime time.Time
	// Revision is that of the last change to the file: attributes, content, metadata, extended attributes or vectors.
	Revision int64
	// ContentRevision is that of the last change to the content.
	ContentRevision int64
}

// Ref names the file by its id.
func (f *File) Ref() FileRef { return ID(f.ID) }

// IsDir tells whether the file is a directory.
func (f *File) IsDir() bool { return f.Kind == KindDirectory }

// FileMode is the file's kind and mode as package io/fs writes them.
func (f *File) FileMode() fs.FileMode {
	mode := fs.FileMode(f.Mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if f.Mode&bit != 0 {
			mode |= flag
		}
	}
	switch f.Kind {
	case KindDirectory:
		mode |= fs.ModeDir
	case KindSymlink:
		mode |= fs.ModeSymlink
	case KindFIFO:
		mode |= fs.ModeNamedPipe
	case KindSocket:
		mode |= fs.ModeSocket
	case KindCharacterDevice:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case KindBlockDevice:
		mode |= fs.ModeDevice
	}
	return mode
}

func toFile(m *pb.File) *File {
	if m == nil {
		return nil
	}
	return &File{
		ID: m.GetId(), Path: m.GetPath(), PathBytes: m.GetPathBytes(), Kind: FileKind(m.GetKind()), Mode: m.GetMode(),
		Nlink: m.GetNlink(), UID: m.GetUid(), GID: m.GetGid(), Rdev: m.GetRdev(), SizeBytes: m.GetSizeBytes(),
		Atime: m.GetAtime().AsTime(), Mtime: m.GetMtime().AsTime(), Ctime: m.GetCtime().AsTime(), Btime: m.GetBtime().AsTime(),
		Revision: m.GetRevision(), ContentRevision: m.GetContentRevision(),
	}
}
