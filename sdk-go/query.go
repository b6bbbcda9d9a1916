package vexfs

import (
	"context"
	"errors"
	"iter"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// Example is a point or a vector that shows what is looked for, or what is not. Either field is set.
type Example struct {
	// PointID names a point whose vector it is; that point is left out of the answer.
	PointID string
	// Vector is the vector itself.
	Vector []float32
}

// PointQuery is what to look for among the points of a collection. Vector, PointID or Positive is set.
type PointQuery struct {
	// Vector is what the points shall be near to.
	Vector []float32
	// PointID names a point whose vector it is instead; that point is left out of the answer.
	PointID string
	// Positive are examples of what points shall be like, up to 100. Their mean is compared, under cosine that of their
	// directions.
	Positive []Example
	// Negative are examples of what points shall not be like, up to 100: twice the mean of Positive less theirs is compared.
	Negative []Example
	// VectorName is which named vector to compare; empty: the collection's first.
	VectorName string
	// Filter is which points may be answered; nil: all.
	Filter *Filter
	// Limit is how many hits there are at most; 0: 10.
	Limit int32
	// WithVectors answers the vectors of the hits too.
	WithVectors bool
	// Exact compares with every vector that may be answered, so that none is missed, however long that takes.
	Exact bool
	// PageToken is [Answer.NextPageToken] of an answer to the same question, for the hits that follow; Limit may be another.
	PageToken string
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// PointHit is one point that is near.
type PointHit struct {
	// Point is the point.
	Point *Point
	// Score is how near it is under the collection's metric; higher is nearer.
	Score float64
}

// Answer tells how a search or a query was answered.
type Answer struct {
	// Revision is the revision that the answer reflects.
	Revision int64
	// Generation is that of the dense index that answered; empty if none did.
	Generation string
	// Exact says that no nearer vector can have been missed: the dense part compared every candidate.
	Exact bool
	// Strategy is how the answer was found, such as "exact", "scann", "lexical" or "hybrid".
	Strategy string
	// Partial says that something that was asked for could not be looked through: a view is missing or being rebuilt.
	Partial bool
	// PartialReasons says why the answer is partial, for people.
	PartialReasons []string
	// Pending is how many changed files, or vectors, the views do not have yet.
	Pending int64
	// NextPageToken asks for the hits that follow; empty after the last.
	NextPageToken string
}

// QueryResult is the nearest points, best first.
type QueryResult struct {
	// Hits are the points; equal scores by file id.
	Hits []PointHit
	// Answer tells how they were found.
	Answer
}

// Query finds the points whose vectors are nearest to a vector, to another point's, or to what examples have in common.
func (p *PointsClient) Query(ctx context.Context, collection FileRef, query PointQuery) (*QueryResult, error) {
	request, err := query.message(collection)
	if err != nil {
		return nil, err
	}
	var response pb.QueryPointsResponse
	if err := p.c.invoke(ctx, pb.PointsService_QueryPoints_FullMethodName, request, &response); err != nil {
		return nil, err
	}
	return toQueryResult(&response), nil
}

// QueryHits walks all points that are near, nearest first, asking for one page after another as the loop goes on. The query's
// Limit is how many hits there are in all, 0: no limit; its PageToken is where they begin. The pages have 10,000 hits in all:
// where there are more, [ErrInvalidArgument] ends them. After an error the list ends.
func (p *PointsClient) QueryHits(
	ctx context.Context, collection FileRef, query PointQuery, options ...HitsOptions,
) iter.Seq2[PointHit, error] {
	o, err := option(options)
	return hits(err, query.PageToken, query.Limit, o, func(token string, size int32) ([]PointHit, string, error) {
		page := query
		page.PageToken, page.Limit = token, size
		result, err := p.Query(ctx, collection, page)
		if err != nil {
			return nil, "", err
		}
		return result.Hits, result.NextPageToken, nil
	})
}

func (query PointQuery) message(collection FileRef) (*pb.QueryPointsRequest, error) {
	request := &pb.QueryPointsRequest{
		Collection: collection.message(), VectorName: query.VectorName, Limit: query.Limit,
		WithVectors: query.WithVectors, Exact: query.Exact, PageToken: query.PageToken, MinRevision: query.MinRevision,
	}
	byExamples := len(query.Positive)+len(query.Negative) > 0
	switch {
	case query.Vector != nil && query.PointID != "", byExamples && (query.Vector != nil || query.PointID != ""):
		return nil, invalid(errors.New("a query has a vector, a point id or examples, and one of them only"))
	case query.Vector != nil:
		request.Query = &pb.QueryPointsRequest_Vector{Vector: toVector(query.Vector)}
	case query.PointID != "":
		request.Query = &pb.QueryPointsRequest_PointId{PointId: query.PointID}
	case byExamples:
		request.Query = &pb.QueryPointsRequest_Examples{Examples: &pb.Examples{
			Positive: toExamples(query.Positive), Negative: toExamples(query.Negative),
		}}
	}
	var err error
	request.Filter, err = query.Filter.message()
	return request, err
}

func toQueryResult(m *pb.QueryPointsResponse) *QueryResult {
	result := &QueryResult{Hits: make([]PointHit, len(m.GetHits())), Answer: toAnswer(m)}
	for i, hit := range m.GetHits() {
		result.Hits[i] = PointHit{toPoint(hit.GetPoint()), hit.GetScore()}
	}
	return result
}

func toExamples(examples []Example) []*pb.Example {
	messages := make([]*pb.Example, len(examples))
	for i, example := range examples {
		messages[i] = &pb.Example{}
		switch {
		case example.PointID != "":
			messages[i].Example = &pb.Example_PointId{PointId: example.PointID}
		case example.Vector != nil:
			messages[i].Example = &pb.Example_Vector{Vector: toVector(example.Vector)}
		}
	}
	return messages
}

// toAnswer reads what SearchResponse and QueryPointsResponse have in common.
func toAnswer(m interface {
	GetRevision() int64
	GetGeneration() string
	GetExact() bool
	GetStrategy() string
	GetPartial() bool
	GetPartialReasons() []string
	GetPending() int64
	GetNextPageToken() string
}) Answer {
	return Answer{
		m.GetRevision(), m.GetGeneration(), m.GetExact(), m.GetStrategy(), m.GetPartial(), m.GetPartialReasons(), m.GetPending(),
		m.GetNextPageToken(),
	}
}
