package vexfs

import (
	"context"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// Limits are what a request may ask of this server at most.
type Limits struct {
	// MessageSizeBytes is that of one message; Write and Read choose streams before they reach it.
	MessageSizeBytes int64
	// ContentSizeBytes is that of content in one message.
	ContentSizeBytes int64
	// SearchHits is how many hits a search or query answers.
	SearchHits int32
	// PageSize is how many entries a page has.
	PageSize int32
	// Points is how many points one Upsert takes.
	Points int32
	// Dimension is how many components a vector has.
	Dimension int32
	// MetadataSizeBytes is that of a file's metadata as JSON.
	MetadataSizeBytes int32
	// NameSizeBytes is that of a file's name.
	NameSizeBytes int32
	// PathSizeBytes is that of a path.
	PathSizeBytes int32
}

// EmbeddingModel is how the text of files is embedded.
type EmbeddingModel struct {
	// Name is that of the model whose vectors are searched.
	Name string
	// Dimension is how many components its vectors have.
	Dimension int32
	// NextName is the model that embeds everything anew, to take over once it has; empty when none does.
	NextName string
	// NextDone is how many passages it has embedded, each distinct text once.
	NextDone int64
	// NextTotal is how many passages it has to embed in all.
	NextTotal int64
	// Failure is why passages cannot be embedded now; empty when they can.
	Failure string
}

// StorePosition is where the store is.
type StorePosition struct {
	// Revision is the newest one.
	Revision int64
	// OldestRevision is the oldest one that AtRevision can name.
	OldestRevision int64
	// ReadOnly says that the volume takes no writes.
	ReadOnly bool
	// FileCount is how many files of any kind there are.
	FileCount int64
	// UsedBytes is how many bytes their content has, holes not counted.
	UsedBytes int64
	// QuotaBytes is how many bytes it may have at most; 0: there is no limit.
	QuotaBytes int64
	// QuotaFiles is how many files of any kind there may be; 0: there is no limit.
	QuotaFiles int64
}

// TextCounts are how far the text of files is indexed.
type TextCounts struct {
	// Ready is how many files have text that can be found.
	Ready int64
	// Pending is how many files are waiting.
	Pending int64
	// Skipped is how many files are not indexed, see [Client.ListSkippedFiles].
	Skipped int64
	// Passages is how many passages can be found.
	Passages int64
}

// ServerInfo is about the server.
type ServerInfo struct {
	// Revision is the revision that the answer reflects.
	Revision int64
	// Version is the server's release, such as "0.1.0".
	Version string
	// Capabilities are what this server can: "files", "collections", "points", "search.dense", "search.lexical", "history".
	Capabilities []string
	// Limits are what a request may ask for at most.
	Limits Limits
	// Store is where the store is.
	Store StorePosition
	// Views are where the views are.
	Views []ViewPosition
	// Text is how far the text of files is indexed.
	Text TextCounts
	// Embedding is the model that embeds it; nil if the server told of none.
	Embedding *EmbeddingModel
}

// ServerInfo tells version, capabilities, limits, and the positions of store and views.
func (c *Client) ServerInfo(ctx context.Context, options ...WaitOptions) (*ServerInfo, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var m pb.GetServerInfoResponse
	err = c.invoke(ctx, pb.ServerService_GetServerInfo_FullMethodName,
		&pb.GetServerInfoRequest{MinRevision: o.MinRevision}, &m)
	if err != nil {
		return nil, err
	}
	limits, store, text := m.GetLimits(), m.GetStore(), m.GetText()
	info := &ServerInfo{
		Revision: m.GetRevision(), Version: m.GetVersion(), Capabilities: m.GetCapabilities(),
		Limits: Limits{
			MessageSizeBytes: limits.GetMessageSizeBytes(), ContentSizeBytes: limits.GetContentSizeBytes(),
			SearchHits: limits.GetSearchHits(), PageSize: limits.GetPageSize(), Points: limits.GetPoints(),
			Dimension: limits.GetDimension(), MetadataSizeBytes: limits.GetMetadataSizeBytes(),
			NameSizeBytes: limits.GetNameSizeBytes(), PathSizeBytes: limits.GetPathSizeBytes(),
		},
		Store: StorePosition{
			store.GetRevision(), store.GetOldestRevision(), store.GetReadOnly(), store.GetFileCount(),
			store.GetUsedBytes(), store.GetQuotaBytes(), store.GetQuotaFiles(),
		},
		Views: toViews(m.GetViews()),
		Text:  TextCounts{text.GetReady(), text.GetPending(), text.GetSkipped(), text.GetPassages()},
	}
	if model := m.GetEmbedding(); model != nil {
		info.Embedding = &EmbeddingModel{
			Name: model.GetName(), Dimension: model.GetDimension(), NextName: model.GetNextName(),
			NextDone: model.GetNextDone(), NextTotal: model.GetNextTotal(), Failure: model.GetFailure(),
		}
	}
	return info, nil
}
