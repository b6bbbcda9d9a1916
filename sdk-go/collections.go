package vexfs

import (
	"context"
	"iter"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// CollectionsClient has the methods about directories with a vector schema; it is [Client.Collections].
type CollectionsClient struct{ c *Client }

// Metric is how near two vectors are to each other.
type Metric int

// The metrics. Higher is nearer under each of them.
const (
	// MetricCosine is the cosine of their angle; length does not matter. It is what the zero Metric means, too.
	MetricCosine Metric = Metric(pb.Metric_METRIC_COSINE)
	// MetricDot is their inner product.
	MetricDot Metric = Metric(pb.Metric_METRIC_DOT)
	// MetricEuclidean is the negated Euclidean distance.
	MetricEuclidean Metric = Metric(pb.Metric_METRIC_EUCLIDEAN)
)

// String is the contract's name of the metric, such as "METRIC_COSINE".
func (m Metric) String() string { return pb.Metric(m).String() }

// VectorStorage is how a search index keeps vectors in memory. What was put is kept, and scores are exact, whatever it is.
type VectorStorage int

// The storages.
const (
	// StorageFloat32 takes 4 bytes a component. It is what the zero VectorStorage means, too.
	StorageFloat32 VectorStorage = VectorStorage(pb.VectorStorage_VECTOR_STORAGE_FLOAT32)
	// StorageBfloat16 takes 2 bytes a component.
	StorageBfloat16 VectorStorage = VectorStorage(pb.VectorStorage_VECTOR_STORAGE_BFLOAT16)
	// StorageInt8 takes 1 byte a component.
	StorageInt8 VectorStorage = VectorStorage(pb.VectorStorage_VECTOR_STORAGE_INT8)
)

// String is the contract's name of the storage, such as "VECTOR_STORAGE_FLOAT32".
func (s VectorStorage) String() string { return pb.VectorStorage(s).String() }

// VectorSpec is one named vector that each point may carry.
type VectorSpec struct {
	// Name is its name within the collection.
	Name string
	// Dimension is how many components it has.
	Dimension int32
	// Metric is how nearness is measured; cosine if not said.
	Metric Metric
	// Storage is how a search index keeps it in memory; as float32 if not said.
	Storage VectorStorage
}

// CollectionSchema is what vectors the files of a collection carry.
type CollectionSchema struct {
	// Vectors are those that clients put; the first is the one meant when a request names none.
	Vectors []VectorSpec
	// EmbedText extracts, splits and embeds the content of the files, as everywhere else.
	EmbedText bool
}

// Collection is a directory with a vector schema.
type Collection struct {
	// ID is that of the directory.
	ID int64
	// Path is that of the directory; empty if it is not UTF-8.
	Path string
	// PathBytes is the same path if it is not UTF-8, else nil.
	PathBytes []byte
	// Schema is what vectors its files carry.
	Schema CollectionSchema
	// Revision is that of the last change of the schema.
	Revision int64
	// PointCount is how many points it has.
	PointCount int64
}

// WaitOptions say how fresh an answer has to be.
type WaitOptions struct {
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// PageOptions say how a list is read.
type PageOptions struct {
	// PageSize is how many items one request asks for; 0: 1,000.
	PageSize int32
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// Create gives a directory a vector schema. A directory that is named by a path and is not there is made.
func (c *CollectionsClient) Create(
	ctx context.Context, collection FileRef, schema CollectionSchema, options ...ChangeOptions,
) (*Collection, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	message := &pb.CollectionSchema{EmbedText: schema.EmbedText}
	for _, spec := range schema.Vectors {
		message.Vectors = append(message.Vectors, &pb.VectorSpec{
			Name: spec.Name, Dimension: spec.Dimension, Metric: pb.Metric(spec.Metric), Storage: pb.VectorStorage(spec.Storage),
		})
	}
	var response pb.CreateCollectionResponse
	err = c.c.invoke(ctx, pb.CollectionsService_CreateCollection_FullMethodName, &pb.CreateCollectionRequest{
		Collection: collection.message(), Schema: message, RequestId: requestIDOr(o.RequestID),
	}, &response)
	return toCollection(response.GetCollection()), err
}

// Get reads one collection.
func (c *CollectionsClient) Get(ctx context.Context, collection FileRef, options ...WaitOptions) (*Collection, error) {
	o, err := option(options)
	if err != nil {
		return nil, err
	}
	var response pb.GetCollectionResponse
	err = c.c.invoke(ctx, pb.CollectionsService_GetCollection_FullMethodName, &pb.GetCollectionRequest{
		Collection: collection.message(), MinRevision: o.MinRevision,
	}, &response)
	return toCollection(response.GetCollection()), err
}

// List lists all collections, the root's first, asking for one page after another as the loop goes on. After an error the list
// ends.
func (c *CollectionsClient) List(ctx context.Context, options ...PageOptions) iter.Seq2[*Collection, error] {
	o, err := option(options)
	return pages(err, func(token string) ([]*pb.Collection, string, error) {
		var response pb.ListCollectionsResponse
		err := c.c.invoke(ctx, pb.CollectionsService_ListCollections_FullMethodName, &pb.ListCollectionsRequest{
			PageSize: o.PageSize, PageToken: token, MinRevision: o.MinRevision,
		}, &response)
		return response.GetCollections(), response.GetNextPageToken(), err
	}, toCollection)
}

// Delete takes the schema away from a directory, and with it the vectors of its points; the files stay. It returns the revision
// of the change.
func (c *CollectionsClient) Delete(
	ctx context.Context, collection FileRef, options ...ChangeOptions,
) (revision int64, err error) {
	o, err := option(options)
	if err != nil {
		return 0, err
	}
	var response pb.DeleteCollectionResponse
	err = c.c.invoke(ctx, pb.CollectionsService_DeleteCollection_FullMethodName, &pb.DeleteCollectionRequest{
		Collection: collection.message(), RequestId: requestIDOr(o.RequestID),
	}, &response)
	return response.GetRevision(), err
}

func toCollection(m *pb.Collection) *Collection {
	if m == nil {
		return nil
	}
	schema := CollectionSchema{EmbedText: m.GetSchema().GetEmbedText()}
	for _, spec := range m.GetSchema().GetVectors() {
		schema.Vectors = append(schema.Vectors, VectorSpec{
			spec.GetName(), spec.GetDimension(), Metric(spec.GetMetric()), VectorStorage(spec.GetStorage()),
		})
	}
	return &Collection{
		ID: m.GetId(), Path: m.GetPath(), PathBytes: m.GetPathBytes(), Schema: schema, Revision: m.GetRevision(),
		PointCount: m.GetPointCount(),
	}
}
