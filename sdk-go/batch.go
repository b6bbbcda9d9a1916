package vexfs

import (
	"context"
	"fmt"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// CollectionQuery is one query of a batch. Its MinRevision stays 0: [BatchOptions] have it for all.
type CollectionQuery struct {
	// Collection is the collection's directory.
	Collection FileRef
	// PointQuery is what to look for there.
	PointQuery
}

// BatchOptions say what a batch waits for.
type BatchOptions struct {
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// BatchQuery answers up to 100 queries, in their order and all of the same revision. Their limits may be 10,000 together, the
// answers 3 MiB ([ReasonTooLarge]). If one query cannot be answered all fail, and the error names it, in its message and as "index"
// of its Metadata.
func (p *PointsClient) BatchQuery(
	ctx context.Context, queries []CollectionQuery, options ...BatchOptions,
) ([]*QueryResult, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	request := &pb.BatchQueryPointsRequest{
		Queries: make([]*pb.QueryPointsRequest, len(queries)), MinRevision: o.MinRevision,
	}
	for i, query := range queries {
		if request.Queries[i], err = query.message(query.Collection); err != nil {
			return nil, fmt.Errorf("queries[%d]: %w", i, err)
		}
	}
	var response pb.BatchQueryPointsResponse
	if err := p.c.invoke(ctx, pb.PointsService_BatchQueryPoints_FullMethodName, request, &response); err != nil {
		return nil, err
	}
	results := make([]*QueryResult, len(response.GetAnswers()))
	for i, found := range response.GetAnswers() {
		results[i] = toQueryResult(found)
	}
	return results, nil
}

// BatchSearch answers up to 100 searches, in their order and from one state of the views; MinRevision of each stays 0. Their limits
// may be 10,000 together, the answers 3 MiB ([ReasonTooLarge]). If one search cannot be answered all fail, and the error names it,
// in its message and as "index" of its Metadata.
func (c *Client) BatchSearch(ctx context.Context, searches []SearchQuery, options ...BatchOptions) ([]*SearchResult, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	request := &pb.BatchSearchRequest{Searches: make([]*pb.SearchRequest, len(searches)), MinRevision: o.MinRevision}
	for i, query := range searches {
		if request.Searches[i], err = query.message(); err != nil {
			return nil, fmt.Errorf("searches[%d]: %w", i, err)
		}
	}
	var response pb.BatchSearchResponse
	if err := c.invoke(ctx, pb.SearchService_BatchSearch_FullMethodName, request, &response); err != nil {
		return nil, err
	}
	results := make([]*SearchResult, len(response.GetAnswers()))
	for i, found := range response.GetAnswers() {
		results[i] = toSearchResult(found)
	}
	return results, nil
}
