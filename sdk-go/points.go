package vexfs

import (
	"context"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// A message of a stream of points has so many at most, which the server puts in one transaction, and so many bytes; a point of
// more goes alone.
const (
	streamedPoints = 250
	streamedBytes  = 1 << 20
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

// Upsert makes points, or replaces those of the same id: 10,000 points and 16 MiB at most, see [PointsClient.UpsertStream] for
// more. More than 250 are put in several transactions, in order: a failure leaves those before it.
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

// UpsertStream makes points, or replaces those of the same id: any number of them, of which few are in memory at a time. They
// are put in order, as they come: a failure leaves those before it, and "upserted" of the Metadata of the server's [*Error]
// says how many, at least, those are. When UpsertStream returns without an error all of them are durable.
//
// An error that points gives is returned as it is, and cancels the call. The stream is sent once: unlike [PointsClient.Upsert]
// it is never tried again, but it is safe to send all of it again. The client's time-out does not hold here: give a context
// with a deadline, or [WithCallTimeout], to limit the time of all of it.
func (p *PointsClient) UpsertStream(
	ctx context.Context, collection FileRef, points iter.Seq2[PointInput, error], options ...ChangeOptions,
) (*UpsertResult, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	if _, own := ctx.Value(timeoutKey).(time.Duration); !own {
		ctx = WithCallTimeout(ctx, 0)
	}
	request := &pb.UpsertPointsStreamRequest{Collection: collection.message(), RequestId: requestIDOr(o.RequestID)}
	upload, err := openUpload(
		p.c.begin(ctx, pb.PointsService_UpsertPointsStream_FullMethodName, request.GetRequestId()),
		pb.NewPointsServiceClient(p.c.conn).UpsertPointsStream,
	)
	if err != nil {
		return nil, err
	}
	defer upload.o.cancel() // also where the loop over points panics
	size := 0
	for point, err := range points {
		if err != nil {
			upload.o.end(0, err)
			return nil, err
		}
		if err := upload.o.ctx.Err(); err != nil {
			return nil, upload.fail(status.FromContextError(err).Err())
		}
		message, err := point.message()
		if err != nil {
			return nil, upload.fail(err)
		}
		more := proto.Size(message)
		if n := len(request.GetPoints()); n == streamedPoints || n > 0 && size+more > streamedBytes {
			if err := upload.send(request); err != nil {
				return nil, err
			}
			request, size = &pb.UpsertPointsStreamRequest{}, 0
		}
		request.Points = append(request.Points, message)
		size += more
	}
	if err := upload.send(request); err != nil {
		return nil, err
	}
	response, err := upload.finish()
	if err != nil {
		return nil, err
	}
	upload.o.end(response.GetRevision(), nil)
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
