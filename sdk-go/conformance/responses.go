package main

import (
	"time"

	"github.com/vexfs/vexfs/sdk-go"
)

// object is a response, or a part of one, in protojson.
type object = map[string]any

func fileJSON(f *vexfs.File) any {
	if f == nil {
		return nil
	}
	return object{
		"id": f.ID, "path": f.Path, "path_bytes": f.PathBytes, "kind": f.Kind.String(), "mode": f.Mode, "nlink": f.Nlink,
		"uid": f.UID, "gid": f.GID, "rdev": f.Rdev, "size_bytes": f.SizeBytes, "atime": timeJSON(f.Atime),
		"mtime": timeJSON(f.Mtime), "ctime": timeJSON(f.Ctime), "btime": timeJSON(f.Btime), "revision": f.Revision,
		"content_revision": f.ContentRevision,
	}
}

func timeJSON(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func collectionJSON(c *vexfs.Collection) any {
	vectors := []any{}
	for _, spec := range c.Schema.Vectors {
		vectors = append(vectors, object{
			"name": spec.Name, "dimension": spec.Dimension, "metric": spec.Metric.String(), "storage": spec.Storage.String(),
		})
	}
	return object{
		"id": c.ID, "path": c.Path, "path_bytes": c.PathBytes, "revision": c.Revision, "point_count": c.PointCount,
		"schema": object{"vectors": vectors, "embed_text": c.Schema.EmbedText},
	}
}

func pointJSON(p *vexfs.Point) any {
	vectors := object{}
	for name, floats := range p.Vectors {
		vectors[name] = pack(floats)
	}
	return object{"id": p.ID, "file_id": p.FileID, "metadata": p.Metadata, "vectors": vectors, "revision": p.Revision}
}

func answerJSON(a vexfs.Answer, hits []any) object {
	return object{
		"revision": a.Revision, "hits": hits, "generation": a.Generation, "exact": a.Exact, "strategy": a.Strategy,
		"partial": a.Partial, "partial_reasons": a.PartialReasons, "pending": a.Pending, "next_page_token": a.NextPageToken,
	}
}

func searchHitJSON(hit vexfs.SearchHit) any {
	matches := []any{}
	for _, match := range hit.Matches {
		matches = append(matches,
			object{"mode": match.Mode.String(), "rank": match.Rank, "score": match.Score, "terms": match.Terms})
	}
	told := object{"file": fileJSON(hit.File), "score": hit.Score, "matches": matches}
	if p := hit.Passage; p != nil {
		told["passage"] = object{
			"text": p.Text, "start_byte": p.StartByte, "end_byte": p.EndByte, "start_line": p.StartLine, "end_line": p.EndLine,
		}
	}
	return told
}

func viewsJSON(views []vexfs.ViewPosition) []any {
	told := []any{}
	for _, view := range views {
		told = append(told, object{
			"view": view.View, "revision": view.Revision, "pending": view.Pending, "state": view.State.String(),
			"generation": view.Generation, "put_off": view.PutOff,
		})
	}
	return told
}

func serverJSON(s *vexfs.ServerInfo) object {
	told := object{
		"revision": s.Revision, "version": s.Version, "capabilities": s.Capabilities, "views": viewsJSON(s.Views),
		"limits": object{
			"message_size_bytes": s.Limits.MessageSizeBytes, "content_size_bytes": s.Limits.ContentSizeBytes,
			"search_hits": s.Limits.SearchHits, "page_size": s.Limits.PageSize, "points": s.Limits.Points,
			"dimension": s.Limits.Dimension, "metadata_size_bytes": s.Limits.MetadataSizeBytes,
			"name_size_bytes": s.Limits.NameSizeBytes, "path_size_bytes": s.Limits.PathSizeBytes,
		},
		"store": object{
			"revision": s.Store.Revision, "oldest_revision": s.Store.OldestRevision, "read_only": s.Store.ReadOnly,
			"file_count": s.Store.FileCount, "used_bytes": s.Store.UsedBytes,
			"quota_bytes": s.Store.QuotaBytes, "quota_files": s.Store.QuotaFiles,
		},
		"text": object{
			"ready": s.Text.Ready, "pending": s.Text.Pending, "skipped": s.Text.Skipped, "passages": s.Text.Passages,
		},
	}
	if s.Embedding != nil {
		told["embedding"] = object{"name": s.Embedding.Name, "dimension": s.Embedding.Dimension}
	}
	return told
}
