package vexfs

import (
	"context"
	"fmt"
	"iter"

	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// PointsClient has the methods about vectors with a payload; it is [Client.Points]. A point is a file in the collection's
// directory: its id is the file's name, its payload the file's metadata.
type PointsClient struct{ c *Client }

// PointInput is a point to put.
type PointInput struct {
	// ID is the name of its file in the collection's directory.
	ID string
	// Vectors are its vectors by name; a name that is left out keeps no vector.
	Vectors map[string][]float32
	// Metadata is its payload, at most 64 KiB as JSON; numbers are kept as 64-bit floats.
	Metadata map[string]any
	// Content is the content of its file; nil: a new file is empty and an old one keeps what it has.
	Content []byte
}

// Point is a point as it is stored.
type Point struct {
	// ID is the name of its file in the collection's directory.
	ID string
	// FileID is the id of its file.
	FileID int64
	// Metadata is its payload.
	Metadata map[string]any
	// Vectors are its vectors by name, if they were asked for.
	Vectors map[string][]float32
	// Revision is that of the last change to its file.
	Revision int64
}

// PointOptions say how points are read.
type PointOptions struct {
	// WithVectors answers their vectors too.
	WithVectors bool
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// ListPointsOptions say how points are listed.
type ListPointsOptions struct {
	// PageSize is how many points one request asks for; 0: 1,000.
	PageSize int32
	// WithVectors answers their vectors too.
	WithVectors bool
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// UpsertResult tells what was put.
type UpsertResult struct {
	// Upserted is how many points were put.
	Upserted int64
	// Revision is the revision of the change; of more than 250 points, that of the last transaction.
	Revision int64
}

// DeleteResult tells what was deleted.
type DeleteResult struct {
	// Deleted is how many points were there.
	Deleted int64
	// Revision is the revision of the change.
	Revision int64
}

// Upsert makes points, or replaces those of the same id. More than 250 are put in several transactions, in order: a failure
// leaves those before it.
func (p *PointsClient) Upsert(
	ctx context.Context, collection FileRef, points []PointInput, options ...ChangeOptions,
) (*UpsertResult, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	request := &pb.UpsertPointsRequest{
		Collection: collection.message(), Points: make([]*pb.PointInput, len(points)), RequestId: requestIDOr(o.RequestID),
	}
	for i, point := range points {
		if request.Points[i], err = point.message(); err != nil {
			return nil, err
		}
	}
	var response pb.UpsertPointsResponse
	if err := p.c.invoke(ctx, pb.PointsService_UpsertPoints_FullMethodName, request, &response); err != nil {
		return nil, err
	}
	return &UpsertResult{response.GetUpserted(), response.GetRevision()}, nil
}

// Get reads points by their ids, in that order; an id that is not there is left out.
func (p *PointsClient) Get(
	ctx context.Context, collection FileRef, ids []string, options ...PointOptions,
) ([]*Point, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.GetPointsResponse
	err = p.c.invoke(ctx, pb.PointsService_GetPoints_FullMethodName, &pb.GetPointsRequest{
		Collection: collection.message(), Ids: ids, WithVectors: o.WithVectors, MinRevision: o.MinRevision,
	}, &response)
	if err != nil {
		return nil, err
	}
	points := make([]*Point, len(response.GetPoints()))
	for i, message := range response.GetPoints() {
		points[i] = toPoint(message)
	}
	return points, nil
}

// Delete deletes points by their ids; an id that is not there is passed over.
func (p *PointsClient) Delete(
	ctx context.Context, collection FileRef, ids []string, options ...ChangeOptions,
) (*DeleteResult, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.DeletePointsResponse
	err = p.c.invoke(ctx, pb.PointsService_DeletePoints_FullMethodName, &pb.DeletePointsRequest{
		Collection: collection.message(), Ids: ids, RequestId: requestIDOr(o.RequestID),
	}, &response)
	if err != nil {
		return nil, err
	}
	return &DeleteResult{response.GetDeleted(), response.GetRevision()}, nil
}

// List lists the points of a collection in byte order of their ids, asking for one page after another as the loop goes on.
// After an error the list ends.
func (p *PointsClient) List(ctx context.Context, collection FileRef, options ...ListPointsOptions) iter.Seq2[*Point, error] {
	o, err := option(options)
	return pages(err, func(token string) ([]*pb.Point, string, error) {
		var response pb.ListPointsResponse
		err := p.c.invoke(ctx, pb.PointsService_ListPoints_FullMethodName, &pb.ListPointsRequest{
			Collection: collection.message(), PageSize: o.PageSize, PageToken: token, WithVectors: o.WithVectors,
			MinRevision: o.MinRevision,
		}, &response)
		return response.GetPoints(), response.GetNextPageToken(), err
	}, toPoint)
}

// message is the point as it is sent.
func (p *PointInput) message() (*pb.PointInput, error) {
	m := &pb.PointInput{Id: p.ID, Vectors: toVectors(p.Vectors), Content: p.Content}
	if p.Metadata != nil {
		object, err := structpb.NewStruct(p.Metadata)
		if err != nil {
			return nil, invalid(fmt.Errorf("metadata of point %q: %w", p.ID, err))
		}
		m.Metadata = object
	}
	return m, nil
}

func toPoint(m *pb.Point) *Point {
	return &Point{
		ID: m.GetId(), FileID: m.GetFileId(), Metadata: m.GetMetadata().AsMap(), Vectors: fromVectors(m.GetVectors()),
		Revision: m.GetRevision(),
	}
}
