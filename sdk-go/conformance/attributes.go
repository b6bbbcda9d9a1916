package main

import (
	"context"
	"unicode/utf8"

	"github.com/vexfs/vexfs/sdk-go"
)

func readSymlink(ctx context.Context, v *invocation, r *fileRequest) (object, error) {
	target, err := v.client.Files.ReadSymlink(ctx, r.File.ref(), r.options())
	if !utf8.ValidString(target) {
		return object{"target_bytes": []byte(target)}, err
	}
	return object{"target": target}, err
}

func createLink(ctx context.Context, v *invocation, r *struct {
	File      *fileRef `json:"file"`
	Link      *fileRef `json:"link"`
	RequestID string   `json:"request_id"`
},
) (object, error) {
	return filed(v.client.Files.Link(ctx, r.File.ref(), r.Link.ref(), vexfs.ChangeOptions{RequestID: r.RequestID}))
}

func getXattr(ctx context.Context, v *invocation, r *namedRequest) (object, error) {
	value, err := v.client.Files.GetXattr(ctx, r.File.ref(), r.Name, r.options())
	return object{"value": value}, err
}

func setXattr(ctx context.Context, v *invocation, r *struct {
	File        *fileRef `json:"file"`
	Name        string   `json:"name"`
	Value       []byte   `json:"value"`
	CreateOnly  bool     `json:"create_only"`
	ReplaceOnly bool     `json:"replace_only"`
	RequestID   string   `json:"request_id"`
},
) (object, error) {
	revision, err := v.client.Files.SetXattr(ctx, r.File.ref(), r.Name, r.Value,
		vexfs.SetXattrOptions{CreateOnly: r.CreateOnly, ReplaceOnly: r.ReplaceOnly, RequestID: r.RequestID})
	return object{"revision": revision}, err
}

func listXattrs(ctx context.Context, v *invocation, r *fileRequest) (object, error) {
	names, err := v.client.Files.ListXattrs(ctx, r.File.ref(), r.options())
	return object{"names": names}, err
}

func removeXattr(ctx context.Context, v *invocation, r *struct {
	File      *fileRef `json:"file"`
	Name      string   `json:"name"`
	RequestID string   `json:"request_id"`
},
) (object, error) {
	revision, err := v.client.Files.RemoveXattr(ctx, r.File.ref(), r.Name, vexfs.ChangeOptions{RequestID: r.RequestID})
	return object{"revision": revision}, err
}

func getMetadata(ctx context.Context, v *invocation, r *fileRequest) (object, error) {
	metadata, err := v.client.Files.GetMetadata(ctx, r.File.ref(), r.options())
	return object{"metadata": metadata}, err
}

func setMetadata(ctx context.Context, v *invocation, r *struct {
	File      *fileRef       `json:"file"`
	Metadata  map[string]any `json:"metadata"`
	RequestID string         `json:"request_id"`
},
) (object, error) {
	return filed(v.client.Files.SetMetadata(ctx, r.File.ref(), r.Metadata, vexfs.ChangeOptions{RequestID: r.RequestID}))
}
