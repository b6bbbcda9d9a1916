package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/vexfs/vexfs/sdk-go"
)

// revisions are the fields that say which state a request asks for.
type revisions struct {
	AtRevision  number `json:"at_revision"`
	MinRevision number `json:"min_revision"`
}

func (r revisions) options() vexfs.ReadOptions {
	return vexfs.ReadOptions{AtRevision: int64(r.AtRevision), MinRevision: int64(r.MinRevision)}
}

type fileRequest struct {
	File *fileRef `json:"file"`
	revisions
}

type namedRequest struct {
	File *fileRef `json:"file"`
	Name string   `json:"name"`
	revisions
}

type contentRequest struct {
	File   *fileRef `json:"file"`
	Offset number   `json:"offset"`
	Length number   `json:"length"`
	revisions
}

func (r *contentRequest) options() vexfs.ContentOptions {
	return vexfs.ContentOptions{
		Offset: int64(r.Offset), Length: int64(r.Length), AtRevision: int64(r.AtRevision), MinRevision: int64(r.MinRevision),
	}
}

type writeOptions struct {
	Offset            *number `json:"offset"`
	IfContentRevision *number `json:"if_content_revision"`
	MakeParents       bool    `json:"make_parents"`
	Mode              *number `json:"mode"`
}

func (o *writeOptions) options(requestID string) (vexfs.WriteOptions, error) {
	if o == nil {
		return vexfs.WriteOptions{RequestID: requestID}, nil
	}
	mode, err := narrowPtr(o.Mode)
	return vexfs.WriteOptions{
		Offset: int64Ptr(o.Offset), IfContentRevision: int64Ptr(o.IfContentRevision), MakeParents: o.MakeParents, Mode: mode,
		RequestID: requestID,
	}, err
}

func statFile(ctx context.Context, v *invocation, r *fileRequest) (object, error) {
	return filed(v.client.Files.Stat(ctx, r.File.ref(), r.options()))
}

func listFiles(ctx context.Context, v *invocation, r *struct {
	Directory *fileRef `json:"directory"`
	PageSize  number   `json:"page_size"`
	PageToken string   `json:"page_token"`
	revisions
},
) (object, error) {
	size, err := narrow[int32](r.PageSize)
	if err != nil {
		return nil, err
	}
	files, err := collect(v, v.client.Files.List(ctx, r.Directory.ref(), vexfs.ListOptions{
		PageSize: size, AtRevision: int64(r.AtRevision), MinRevision: int64(r.MinRevision),
	}), fileJSON)
	return object{"files": files}, err
}

func getContent(ctx context.Context, v *invocation, r *contentRequest) (object, error) {
	data, err := v.client.Files.Read(ctx, r.File.ref(), r.options())
	return object{"data": data}, err
}

// readFile answers a message a piece, which is what one Read with room for it gives.
func readFile(ctx context.Context, v *invocation) ([]string, error) {
	r, err := decode[contentRequest](v.call.GetRequests()[0])
	if err != nil {
		return nil, err
	}
	reader, err := v.client.Files.Open(ctx, r.File.ref(), r.options())
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	pieces := []object{}
	buffer := make([]byte, 16<<20)
	for v.call.Take == nil || len(pieces) < int(v.call.GetTake()) {
		n, err := reader.Read(buffer)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, object{"revision": reader.Revision(), "data": append([]byte{}, buffer[:n]...)})
	}
	if len(pieces) == 0 {
		pieces = append(pieces, object{"revision": reader.Revision()})
	}
	pieces[0]["file"] = fileJSON(reader.File())
	return encode(pieces...)
}

func writeFile(ctx context.Context, v *invocation) (object, error) {
	type streamed struct {
		Header *struct {
			File    *fileRef      `json:"file"`
			Options *writeOptions `json:"options"`
		} `json:"header"`
		Data      *[]byte `json:"data"`
		RequestID string  `json:"request_id"`
	}
	first, err := decode[streamed](v.call.GetRequests()[0])
	if err != nil {
		return nil, err
	}
	if first.Header == nil {
		return nil, unsupported("a stream of writes that does not begin with the file")
	}
	options, err := first.Header.Options.options(first.RequestID)
	if err != nil {
		return nil, err
	}
	writer, err := v.client.Files.Create(ctx, first.Header.File.ref(), options)
	if err != nil {
		return nil, err
	}
	defer writer.Abort()
	for _, text := range v.call.GetRequests()[1:] {
		piece, err := decode[streamed](text)
		if err != nil {
			return nil, err
		}
		if piece.Data == nil {
			return nil, unsupported("a second header in a stream of writes")
		}
		if _, err := writer.Write(*piece.Data); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return filed(writer.File(), nil)
}

func putContent(ctx context.Context, v *invocation, r *struct {
	File      *fileRef      `json:"file"`
	Data      []byte        `json:"data"`
	Options   *writeOptions `json:"options"`
	RequestID string        `json:"request_id"`
},
) (object, error) {
	options, err := r.Options.options(r.RequestID)
	if err != nil {
		return nil, err
	}
	return filed(v.client.Files.Write(ctx, r.File.ref(), r.Data, options))
}

func makeDirectory(ctx context.Context, v *invocation, r *struct {
	Directory   *fileRef `json:"directory"`
	MakeParents bool     `json:"make_parents"`
	Mode        *number  `json:"mode"`
	RequestID   string   `json:"request_id"`
},
) (object, error) {
	mode, err := narrowPtr(r.Mode)
	if err != nil {
		return nil, err
	}
	return filed(v.client.Files.MakeDirectory(ctx, r.Directory.ref(),
		vexfs.MakeDirectoryOptions{MakeParents: r.MakeParents, Mode: mode, RequestID: r.RequestID}))
}

func moveFile(ctx context.Context, v *invocation, r *struct {
	Source      *fileRef `json:"source"`
	Destination *fileRef `json:"destination"`
	NoReplace   bool     `json:"no_replace"`
	Exchange    bool     `json:"exchange"`
	RequestID   string   `json:"request_id"`
},
) (object, error) {
	return filed(v.client.Files.Move(ctx, r.Source.ref(), r.Destination.ref(),
		vexfs.MoveOptions{NoReplace: r.NoReplace, Exchange: r.Exchange, RequestID: r.RequestID}))
}

func copyFile(ctx context.Context, v *invocation, r *struct {
	Source      *fileRef `json:"source"`
	Destination *fileRef `json:"destination"`
	Recursive   bool     `json:"recursive"`
	NoReplace   bool     `json:"no_replace"`
	RequestID   string   `json:"request_id"`
},
) (object, error) {
	result, err := v.client.Files.Copy(ctx, r.Source.ref(), r.Destination.ref(),
		vexfs.CopyOptions{Recursive: r.Recursive, NoReplace: r.NoReplace, RequestID: r.RequestID})
	if err != nil {
		return nil, err
	}
	return object{"file": fileJSON(result.File), "copied": result.Copied, "revision": result.Revision}, nil
}

func removeFile(ctx context.Context, v *invocation, r *struct {
	File      *fileRef `json:"file"`
	Recursive bool     `json:"recursive"`
	RequestID string   `json:"request_id"`
},
) (object, error) {
	result, err := v.client.Files.Remove(ctx, r.File.ref(),
		vexfs.RemoveOptions{Recursive: r.Recursive, RequestID: r.RequestID})
	if err != nil {
		return nil, err
	}
	return object{"removed": result.Removed, "revision": result.Revision}, nil
}

func createSymlink(ctx context.Context, v *invocation, r *struct {
	Link        *fileRef `json:"link"`
	Target      string   `json:"target"`
	TargetBytes []byte   `json:"target_bytes"`
	RequestID   string   `json:"request_id"`
},
) (object, error) {
	target := r.Target
	if r.TargetBytes != nil {
		target = string(r.TargetBytes)
	}
	return filed(v.client.Files.Symlink(ctx, r.Link.ref(), target, vexfs.ChangeOptions{RequestID: r.RequestID}))
}

func setAttributes(ctx context.Context, v *invocation, r *struct {
	File      *fileRef   `json:"file"`
	Mode      *number    `json:"mode"`
	UID       *number    `json:"uid"`
	GID       *number    `json:"gid"`
	Atime     *time.Time `json:"atime"`
	Mtime     *time.Time `json:"mtime"`
	SizeBytes *number    `json:"size_bytes"`
	RequestID string     `json:"request_id"`
},
) (object, error) {
	change := vexfs.Attributes{Atime: r.Atime, Mtime: r.Mtime, SizeBytes: int64Ptr(r.SizeBytes)}
	var errs [3]error
	change.Mode, errs[0] = narrowPtr(r.Mode)
	change.UID, errs[1] = narrowPtr(r.UID)
	change.GID, errs[2] = narrowPtr(r.GID)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return filed(v.client.Files.SetAttributes(ctx, r.File.ref(), change, vexfs.ChangeOptions{RequestID: r.RequestID}))
}
