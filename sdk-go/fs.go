package vexfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// FS shows the files read-only as an [fs.FS], for everything that works on one: [fs.WalkDir], [fs.Glob], templates, HTTP. Its
// root is the volume's; [fs.Sub] takes a directory. The context holds for all calls through it, and each call has the client's
// time-out; the content of an open file is read in one call, see [FilesClient.Open]. Open and Stat follow symbolic links; Lstat
// and ReadLink do not. Errors are *[fs.PathError] around an [*Error].
func (c *Client) FS(ctx context.Context) fs.FS { return &fileSystem{c.Files, ctx} }

// fileSystem is the volume as package io/fs sees it.
type fileSystem struct {
	files *FilesClient
	ctx   context.Context
}

var _ interface {
	fs.ReadDirFS
	fs.ReadFileFS
	fs.StatFS
	Lstat(name string) (fs.FileInfo, error)
	ReadLink(name string) (string, error)
} = (*fileSystem)(nil)

// reference is the file of a name as package io/fs writes names.
func reference(op, name string) (FileRef, error) {
	if !fs.ValidPath(name) {
		return FileRef{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return Path(path.Join("/", name)), nil
}

func (s *fileSystem) stat(op, name string, follow bool) (*fileInfo, error) {
	ref, err := reference(op, name)
	if err != nil {
		return nil, err
	}
	if follow {
		ref = ref.Follow()
	}
	file, err := s.files.Stat(s.ctx, ref)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return &fileInfo{path.Base(name), file}, nil
}

// Stat tells what a file is, and of a symbolic link, what the file is that it leads to.
func (s *fileSystem) Stat(name string) (fs.FileInfo, error) {
	info, err := s.stat("stat", name, true)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// Lstat tells what a file is, and does not follow a symbolic link.
func (s *fileSystem) Lstat(name string) (fs.FileInfo, error) {
	info, err := s.stat("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// ReadLink tells where a symbolic link leads.
func (s *fileSystem) ReadLink(name string) (string, error) {
	ref, err := reference("readlink", name)
	if err != nil {
		return "", err
	}
	target, err := s.files.ReadSymlink(s.ctx, ref)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return target, nil
}

// ReadFile reads all content of a file.
func (s *fileSystem) ReadFile(name string) ([]byte, error) {
	ref, err := reference("read", name)
	if err != nil {
		return nil, err
	}
	data, err := s.files.Read(s.ctx, ref.Follow())
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// ReadDir lists a directory, sorted by name.
func (s *fileSystem) ReadDir(name string) ([]fs.DirEntry, error) {
	ref, err := reference("readdir", name)
	if err != nil {
		return nil, err
	}
	return s.entries(name, ref.Follow())
}

func (s *fileSystem) entries(name string, directory FileRef) ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	for file, err := range s.files.List(s.ctx, directory) {
		if err != nil {
			return entries, &fs.PathError{Op: "readdir", Path: name, Err: err}
		}
		full := file.Path
		if full == "" {
			full = string(file.PathBytes)
		}
		entries = append(entries, fs.FileInfoToDirEntry(&fileInfo{path.Base(full), file}))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// Open opens a file or a directory; a file can be read from any place ([io.ReaderAt], [io.Seeker]).
func (s *fileSystem) Open(name string) (fs.File, error) {
	info, err := s.stat("open", name, true)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &openDirectory{fileSystem: s, name: name, info: info}, nil
	}
	return &openFile{fileSystem: s, name: name, info: info}, nil
}

// fileInfo is a File as package io/fs sees it.
type fileInfo struct {
	name string
	file *File
}

func (i *fileInfo) Name() string       { return i.name }
func (i *fileInfo) Size() int64        { return i.file.SizeBytes }
func (i *fileInfo) Mode() fs.FileMode  { return i.file.FileMode() }
func (i *fileInfo) ModTime() time.Time { return i.file.Mtime }
func (i *fileInfo) IsDir() bool        { return i.file.IsDir() }
func (i *fileInfo) Sys() any           { return i.file }

// openFile is an open regular file. Its content comes over a stream that is opened by the first read and after each seek.
type openFile struct {
	*fileSystem
	name   string
	info   *fileInfo
	reader *Reader
	offset int64
	closed bool
}

var _ interface {
	io.ReaderAt
	io.Seeker
} = (*openFile)(nil)

func (f *openFile) Stat() (fs.FileInfo, error) {
	if f.closed {
		return nil, f.failed("stat", fs.ErrClosed)
	}
	return f.info, nil
}

func (f *openFile) Read(p []byte) (int, error) {
	if f.closed {
		return 0, f.failed("read", fs.ErrClosed)
	}
	if f.reader == nil {
		reader, err := f.files.Open(f.ctx, f.info.file.Ref(), ContentOptions{Offset: f.offset})
		if err != nil {
			return 0, f.failed("read", err)
		}
		f.reader = reader
	}
	n, err := f.reader.Read(p)
	f.offset += int64(n)
	if err != nil && err != io.EOF {
		err = f.failed("read", err)
	}
	return n, err
}

func (f *openFile) ReadAt(p []byte, offset int64) (int, error) {
	if f.closed {
		return 0, f.failed("read", fs.ErrClosed)
	}
	if offset < 0 {
		return 0, f.failed("read", fs.ErrInvalid)
	}
	if len(p) == 0 {
		return 0, nil
	}
	data, err := f.files.Read(f.ctx, f.info.file.Ref(), ContentOptions{Offset: offset, Length: int64(len(p))})
	if err != nil {
		return 0, f.failed("read", err)
	}
	n := copy(p, data)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *openFile) Seek(offset int64, whence int) (int64, error) {
	if f.closed {
		return 0, f.failed("seek", fs.ErrClosed)
	}
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += f.info.Size()
	default:
		return 0, f.failed("seek", fs.ErrInvalid)
	}
	if offset < 0 {
		return 0, f.failed("seek", fs.ErrInvalid)
	}
	if offset != f.offset {
		f.closeReader()
		f.offset = offset
	}
	return offset, nil
}

func (f *openFile) Close() error {
	if f.closed {
		return f.failed("close", fs.ErrClosed)
	}
	f.closed = true
	f.closeReader()
	return nil
}

func (f *openFile) closeReader() {
	if f.reader != nil {
		f.reader.Close()
		f.reader = nil
	}
}

func (f *openFile) failed(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// openDirectory is an open directory. It is listed by the first ReadDir.
type openDirectory struct {
	*fileSystem
	name    string
	info    *fileInfo
	listed  bool
	entries []fs.DirEntry
	closed  bool
}

var _ fs.ReadDirFile = (*openDirectory)(nil)

func (d *openDirectory) Stat() (fs.FileInfo, error) {
	if d.closed {
		return nil, &fs.PathError{Op: "stat", Path: d.name, Err: fs.ErrClosed}
	}
	return d.info, nil
}

func (d *openDirectory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *openDirectory) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.closed {
		return nil, &fs.PathError{Op: "readdir", Path: d.name, Err: fs.ErrClosed}
	}
	if !d.listed {
		entries, err := d.fileSystem.entries(d.name, d.info.file.Ref())
		if err != nil {
			return nil, err
		}
		d.entries, d.listed = entries, true
	}
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	taken := d.entries[:min(n, len(d.entries))]
	d.entries = d.entries[len(taken):]
	return slices.Clone(taken), nil
}

func (d *openDirectory) Close() error {
	if d.closed {
		return &fs.PathError{Op: "close", Path: d.name, Err: fs.ErrClosed}
	}
	d.closed = true
	return nil
}
