package main

import (
	"context"
	"errors"
	"iter"

	"github.com/vexfs/vexfs/sdk-go"
)

type example struct {
	PointID string  `json:"point_id"`
	Vector  *vector `json:"vector"`
}

type examples struct {
	Positive []example `json:"positive"`
	Negative []example `json:"negative"`
}

func sdkExamples(given []example) ([]vexfs.Example, error) {
	var made []vexfs.Example
	for _, one := range given {
		vector, err := one.Vector.floats()
		if err != nil {
			return nil, err
		}
		made = append(made, vexfs.Example{PointID: one.PointID, Vector: vector})
	}
	return made, nil
}

type pointsQuery struct {
	Collection  *fileRef `json:"collection"`
	Vector      *vector  `json:"vector"`
	PointID     string   `json:"point_id"`
	Examples    examples `json:"examples"`
	VectorName  string   `json:"vector_name"`
	Filter      *filter  `json:"filter"`
	Limit       number   `json:"limit"`
	WithVectors bool     `json:"with_vectors"`
	Exact       bool     `json:"exact"`
	PageToken   string   `json:"page_token"`
	MinRevision number   `json:"min_revision"`
}

func (r *pointsQuery) sdk() (vexfs.PointQuery, error) {
	query := vexfs.PointQuery{
		PointID: r.PointID, VectorName: r.VectorName, WithVectors: r.WithVectors, Exact: r.Exact, PageToken: r.PageToken,
		MinRevision: int64(r.MinRevision),
	}
	var errs [5]error
	query.Vector, errs[0] = r.Vector.floats()
	query.Filter, errs[1] = r.Filter.sdk()
	query.Limit, errs[2] = narrow[int32](r.Limit)
	query.Positive, errs[3] = sdkExamples(r.Examples.Positive)
	query.Negative, errs[4] = sdkExamples(r.Examples.Negative)
	return query, errors.Join(errs[:]...)
}

func queryPoints(ctx context.Context, v *invocation, r *pointsQuery) (object, error) {
	query, err := r.sdk()
	if err != nil {
		return nil, err
	}
	if v.call.HitsPageSize != nil {
		return hitsJSON(v, v.client.Points.QueryHits(ctx, r.Collection.ref(), query, v.hitsOptions()), pointHitJSON)
	}
	result, err := v.client.Points.Query(ctx, r.Collection.ref(), query)
	if err != nil {
		return nil, err
	}
	return queryResultJSON(result), nil
}

// hitsOptions say how all hits of a search or a query are asked for.
func (v *invocation) hitsOptions() vexfs.HitsOptions {
	return vexfs.HitsOptions{PageSize: int32(v.call.GetHitsPageSize())}
}

// hitsJSON is the response of all hits.
func hitsJSON[T any](v *invocation, list iter.Seq2[T, error], convert func(T) any) (object, error) {
	hits, err := collect(v, list, convert)
	if err != nil {
		return nil, err
	}
	return object{"hits": hits}, nil
}

func pointHitJSON(hit vexfs.PointHit) any {
	return object{"point": pointJSON(hit.Point), "score": hit.Score}
}

func queryResultJSON(result *vexfs.QueryResult) object {
	hits := []any{}
	for _, hit := range result.Hits {
		hits = append(hits, pointHitJSON(hit))
	}
	return answerJSON(result.Answer, hits)
}

func batchQueryPoints(ctx context.Context, v *invocation, r *struct {
	Queries     []pointsQuery `json:"queries"`
	MinRevision number        `json:"min_revision"`
},
) (object, error) {
	queries := make([]vexfs.CollectionQuery, len(r.Queries))
	for i := range r.Queries {
		query, err := r.Queries[i].sdk()
		if err != nil {
			return nil, err
		}
		queries[i] = vexfs.CollectionQuery{Collection: r.Queries[i].Collection.ref(), PointQuery: query}
	}
	results, err := v.client.Points.BatchQuery(ctx, queries, vexfs.BatchOptions{MinRevision: int64(r.MinRevision)})
	if err != nil {
		return nil, err
	}
	return batchJSON(results, func(result *vexfs.QueryResult) (int64, object) { return result.Revision, queryResultJSON(result) }), nil
}

// batchJSON is the response of a batch, whose revision is the oldest of its answers.
func batchJSON[T any](results []T, form func(T) (int64, object)) object {
	answers, revision := []any{}, int64(0)
	for i, result := range results {
		own, answer := form(result)
		answers = append(answers, answer)
		if i == 0 || own < revision {
			revision = own
		}
	}
	return object{"revision": revision, "answers": answers}
}

type searchQuery struct {
	Text          string   `json:"text"`
	Vector        *vector  `json:"vector"`
	Like          *fileRef `json:"like"`
	Scope         *fileRef `json:"scope"`
	Filter        *filter  `json:"filter"`
	Mode          enum     `json:"mode"`
	Limit         number   `json:"limit"`
	VectorName    string   `json:"vector_name"`
	Exact         bool     `json:"exact"`
	DenseWeight   float64  `json:"dense_weight"`
	LexicalWeight float64  `json:"lexical_weight"`
	PageToken     string   `json:"page_token"`
	MinRevision   number   `json:"min_revision"`
}

func (r *searchQuery) sdk() (vexfs.SearchQuery, error) {
	query := vexfs.SearchQuery{
		Text: r.Text, Like: r.Like.ref(), Scope: r.Scope.ref(), VectorName: r.VectorName, Exact: r.Exact,
		DenseWeight: r.DenseWeight, LexicalWeight: r.LexicalWeight, PageToken: r.PageToken, MinRevision: int64(r.MinRevision),
	}
	var errs [4]error
	query.Vector, errs[0] = r.Vector.floats()
	query.Filter, errs[1] = r.Filter.sdk()
	query.Mode, errs[2] = valueOf[vexfs.SearchMode](r.Mode)
	query.Limit, errs[3] = narrow[int32](r.Limit)
	return query, errors.Join(errs[:]...)
}

func search(ctx context.Context, v *invocation, r *searchQuery) (object, error) {
	query, err := r.sdk()
	if err != nil {
		return nil, err
	}
	if v.call.HitsPageSize != nil {
		return hitsJSON(v, v.client.SearchHits(ctx, query, v.hitsOptions()), searchHitJSON)
	}
	result, err := v.client.Search(ctx, query)
	if err != nil {
		return nil, err
	}
	return searchResultJSON(result), nil
}

func searchResultJSON(result *vexfs.SearchResult) object {
	hits := []any{}
	for _, hit := range result.Hits {
		hits = append(hits, searchHitJSON(hit))
	}
	return answerJSON(result.Answer, hits)
}

func batchSearch(ctx context.Context, v *invocation, r *struct {
	Searches    []searchQuery `json:"searches"`
	MinRevision number        `json:"min_revision"`
},
) (object, error) {
	searches := make([]vexfs.SearchQuery, len(r.Searches))
	for i := range r.Searches {
		var err error
		if searches[i], err = r.Searches[i].sdk(); err != nil {
			return nil, err
		}
	}
	results, err := v.client.BatchSearch(ctx, searches, vexfs.BatchOptions{MinRevision: int64(r.MinRevision)})
	if err != nil {
		return nil, err
	}
	return batchJSON(results, func(result *vexfs.SearchResult) (int64, object) { return result.Revision, searchResultJSON(result) }), nil
}

type waitRequest struct {
	MinRevision number `json:"min_revision"`
}

func waitForViews(ctx context.Context, v *invocation, r *waitRequest) (object, error) {
	views, err := v.client.WaitForViews(ctx, vexfs.WaitOptions{MinRevision: int64(r.MinRevision)})
	if err != nil {
		return nil, err
	}
	return object{"revision": views.Revision, "views": viewsJSON(views.Views)}, nil
}

func listSkippedFiles(ctx context.Context, v *invocation, r *struct {
	Scope       *fileRef `json:"scope"`
	PageSize    number   `json:"page_size"`
	PageToken   string   `json:"page_token"`
	MinRevision number   `json:"min_revision"`
},
) (object, error) {
	size, err := narrow[int32](r.PageSize)
	if err != nil {
		return nil, err
	}
	files, err := collect(v, v.client.ListSkippedFiles(ctx, vexfs.SkippedOptions{
		Scope: r.Scope.ref(), PageSize: size, MinRevision: int64(r.MinRevision),
	}), func(file *vexfs.SkippedFile) any { return object{"file": fileJSON(file.File), "reason": file.Reason} })
	return object{"files": files}, err
}

func getServerInfo(ctx context.Context, v *invocation, r *waitRequest) (object, error) {
	info, err := v.client.ServerInfo(ctx, vexfs.WaitOptions{MinRevision: int64(r.MinRevision)})
	if err != nil {
		return nil, err
	}
	return serverJSON(info), nil
}
