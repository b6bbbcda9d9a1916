package main

import (
	"context"

	"github.com/vexfs/vexfs/sdk-go"
)

func createCollection(ctx context.Context, v *invocation, r *struct {
	Collection *fileRef `json:"collection"`
	Schema     struct {
		Vectors []struct {
			Name      string `json:"name"`
			Dimension number `json:"dimension"`
			Metric    enum   `json:"metric"`
			Storage   enum   `json:"storage"`
		} `json:"vectors"`
		EmbedText bool `json:"embed_text"`
	} `json:"schema"`
	RequestID string `json:"request_id"`
},
) (object, error) {
	schema := vexfs.CollectionSchema{EmbedText: r.Schema.EmbedText}
	for _, spec := range r.Schema.Vectors {
		dimension, err := narrow[int32](spec.Dimension)
		if err != nil {
			return nil, err
		}
		metric, err := valueOf[vexfs.Metric](spec.Metric)
		if err != nil {
			return nil, err
		}
		storage, err := valueOf[vexfs.VectorStorage](spec.Storage)
		if err != nil {
			return nil, err
		}
		schema.Vectors = append(schema.Vectors,
			vexfs.VectorSpec{Name: spec.Name, Dimension: dimension, Metric: metric, Storage: storage})
	}
	collection, err := v.client.Collections.Create(ctx, r.Collection.ref(), schema,
		vexfs.ChangeOptions{RequestID: r.RequestID})
	if err != nil {
		return nil, err
	}
	return object{"collection": collectionJSON(collection)}, nil
}

func getCollection(ctx context.Context, v *invocation, r *struct {
	Collection  *fileRef `json:"collection"`
	MinRevision number   `json:"min_revision"`
},
) (object, error) {
	collection, err := v.client.Collections.Get(ctx, r.Collection.ref(), vexfs.WaitOptions{MinRevision: int64(r.MinRevision)})
	if err != nil {
		return nil, err
	}
	return object{"collection": collectionJSON(collection)}, nil
}

func listCollections(ctx context.Context, v *invocation, r *struct {
	PageSize    number `json:"page_size"`
	PageToken   string `json:"page_token"`
	MinRevision number `json:"min_revision"`
},
) (object, error) {
	size, err := narrow[int32](r.PageSize)
	if err != nil {
		return nil, err
	}
	collections, err := collect(v, v.client.Collections.List(ctx,
		vexfs.PageOptions{PageSize: size, MinRevision: int64(r.MinRevision)}), collectionJSON)
	return object{"collections": collections}, err
}

func deleteCollection(ctx context.Context, v *invocation, r *struct {
	Collection *fileRef `json:"collection"`
	RequestID  string   `json:"request_id"`
},
) (object, error) {
	revision, err := v.client.Collections.Delete(ctx, r.Collection.ref(), vexfs.ChangeOptions{RequestID: r.RequestID})
	return object{"revision": revision}, err
}

// upsertRequest is the request of UpsertPoints, and a message of UpsertPointsStream.
type upsertRequest struct {
	Collection *fileRef     `json:"collection"`
	Points     []pointInput `json:"points"`
	RequestID  string       `json:"request_id"`
}

type pointInput struct {
	ID       string             `json:"id"`
	Vectors  map[string]*vector `json:"vectors"`
	Metadata map[string]any     `json:"metadata"`
	Content  []byte             `json:"content"`
}

// input is the point as the SDK takes it.
func (p *pointInput) input() (vexfs.PointInput, error) {
	input := vexfs.PointInput{ID: p.ID, Metadata: p.Metadata, Content: p.Content}
	if len(p.Vectors) > 0 {
		input.Vectors = map[string][]float32{}
	}
	for name, packed := range p.Vectors {
		floats, err := packed.floats()
		if err != nil {
			return input, err
		}
		input.Vectors[name] = floats
	}
	return input, nil
}

func upsertPoints(ctx context.Context, v *invocation, r *upsertRequest) (object, error) {
	points := make([]vexfs.PointInput, len(r.Points))
	for i, point := range r.Points {
		var err error
		if points[i], err = point.input(); err != nil {
			return nil, err
		}
	}
	return upserted(v.client.Points.Upsert(ctx, r.Collection.ref(), points, vexfs.ChangeOptions{RequestID: r.RequestID}))
}

func upsertPointsStream(ctx context.Context, v *invocation) (object, error) {
	requests := make([]upsertRequest, len(v.call.GetRequests()))
	for i, text := range v.call.GetRequests() {
		var err error
		if requests[i], err = decode[upsertRequest](text); err != nil {
			return nil, err
		}
		if i > 0 && (requests[i].Collection != nil || requests[i].RequestID != "") {
			return nil, unsupported("a second collection or request id in a stream of points")
		}
	}
	points := func(yield func(vexfs.PointInput, error) bool) {
		for _, request := range requests {
			for _, point := range request.Points {
				if !yield(point.input()) {
					return
				}
			}
		}
	}
	first := requests[0]
	return upserted(
		v.client.Points.UpsertStream(ctx, first.Collection.ref(), points, vexfs.ChangeOptions{RequestID: first.RequestID}))
}

// upserted is the response of both.
func upserted(result *vexfs.UpsertResult, err error) (object, error) {
	if err != nil {
		return nil, err
	}
	return object{"upserted": result.Upserted, "revision": result.Revision}, nil
}

func getPoints(ctx context.Context, v *invocation, r *struct {
	Collection  *fileRef `json:"collection"`
	IDs         []string `json:"ids"`
	WithVectors bool     `json:"with_vectors"`
	MinRevision number   `json:"min_revision"`
},
) (object, error) {
	points, err := v.client.Points.Get(ctx, r.Collection.ref(), r.IDs,
		vexfs.PointOptions{WithVectors: r.WithVectors, MinRevision: int64(r.MinRevision)})
	told := []any{}
	for _, point := range points {
		told = append(told, pointJSON(point))
	}
	return object{"points": told}, err
}

func deletePoints(ctx context.Context, v *invocation, r *struct {
	Collection *fileRef `json:"collection"`
	IDs        []string `json:"ids"`
	RequestID  string   `json:"request_id"`
},
) (object, error) {
	result, err := v.client.Points.Delete(ctx, r.Collection.ref(), r.IDs, vexfs.ChangeOptions{RequestID: r.RequestID})
	if err != nil {
		return nil, err
	}
	return object{"deleted": result.Deleted, "revision": result.Revision}, nil
}

func listPoints(ctx context.Context, v *invocation, r *struct {
	Collection  *fileRef `json:"collection"`
	PageSize    number   `json:"page_size"`
	PageToken   string   `json:"page_token"`
	WithVectors bool     `json:"with_vectors"`
	MinRevision number   `json:"min_revision"`
},
) (object, error) {
	size, err := narrow[int32](r.PageSize)
	if err != nil {
		return nil, err
	}
	points, err := collect(v, v.client.Points.List(ctx, r.Collection.ref(), vexfs.ListPointsOptions{
		PageSize: size, WithVectors: r.WithVectors, MinRevision: int64(r.MinRevision),
	}), pointJSON)
	return object{"points": points}, err
}
