package vexfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"testing"
	"time"

	"github.com/vexfs/vexfs/sdk-go"
)

func TestCollectionsAndPoints(t *testing.T) {
	client := newClient(t)
	ctx, ref := t.Context(), vexfs.Path(newDirectory(t, client)+"/points")
	schema := vexfs.CollectionSchema{Vectors: []vexfs.VectorSpec{
		{Name: "image", Dimension: 2, Metric: vexfs.MetricDot}, {Name: "sound", Dimension: 3, Storage: vexfs.StorageInt8},
	}}
	made := must(client.Collections.Create(ctx, ref, schema))(t)
	schema.Vectors[1].Metric, schema.Vectors[0].Storage = vexfs.MetricCosine, vexfs.StorageFloat32
	if !reflect.DeepEqual(made.Schema, schema) {
		t.Errorf("%+v", made)
	}
	_, err := client.Collections.Create(ctx, ref, vexfs.CollectionSchema{EmbedText: true})
	is(t, err, vexfs.ReasonCollectionExists)

	var points []vexfs.PointInput
	for i := range 5 {
		points = append(points, vexfs.PointInput{
			ID: fmt.Sprintf("p%d", i), Vectors: map[string][]float32{"image": {float32(i), 0.5}},
			Metadata: map[string]any{"even": i%2 == 0, "i": i}, Content: []byte("text"),
		})
	}
	put := must(client.Points.Upsert(ctx, ref, points))(t)
	equal(t, "upserted", put.Upserted, 5)
	got := must(client.Points.Get(ctx, ref, []string{"p3", "none", "p1"}, vexfs.PointOptions{WithVectors: true}))(t)
	if len(got) != 2 || got[0].ID != "p3" || !reflect.DeepEqual(got[0].Vectors, points[3].Vectors) || got[1].Metadata["i"] != 1.0 {
		t.Errorf("%+v", got)
	}
	ids := ""
	for point, err := range client.Points.List(ctx, ref, vexfs.ListPointsOptions{PageSize: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		ids += point.ID + " "
	}
	equal(t, "listed", ids, "p0 p1 p2 p3 p4 ")

	fresh := vexfs.PointQuery{Vector: []float32{1, 0}, MinRevision: put.Revision}
	result := must(client.Points.Query(ctx, ref, fresh))(t)
	equal(t, "hits", len(result.Hits), 5)
	equal(t, "nearest", result.Hits[0].Point.ID, "p4")
	equal(t, "score", result.Hits[0].Score, 4)
	equal(t, "the token after the last hit", result.NextPageToken, "")
	fresh.Limit = 3
	fresh.PageToken = must(client.Points.Query(ctx, ref, fresh))(t).NextPageToken
	rest := must(client.Points.Query(ctx, ref, fresh))(t)
	equal(t, "hits of the second page", len(rest.Hits), 2)
	equal(t, "the first of them", rest.Hits[0].Point.ID, result.Hits[3].Point.ID)
	even := must(client.Points.Query(ctx, ref, vexfs.PointQuery{
		PointID: "p4", VectorName: "image", Limit: 1, Exact: true, Filter: vexfs.MetadataEquals("even", true),
	}))(t)
	if len(even.Hits) != 1 || even.Hits[0].Point.ID != "p2" || even.Revision < put.Revision {
		t.Errorf("%+v", even)
	}
	_, err = client.Points.Query(ctx, ref, vexfs.PointQuery{Vector: []float32{1}})
	is(t, err, vexfs.ReasonDimensionMismatch)
	_, err = client.Points.Query(ctx, ref, vexfs.PointQuery{Vector: []float32{1}, PointID: "p1"})
	is(t, err, vexfs.ErrInvalidArgument)
	like := vexfs.PointQuery{
		Positive: []vexfs.Example{{PointID: "p4"}, {Vector: []float32{2, 0.5}}}, Negative: []vexfs.Example{{PointID: "p3"}},
	}
	result = must(client.Points.Query(ctx, ref, like))(t)
	if len(result.Hits) != 3 || result.Hits[0].Point.ID != "p2" || result.Hits[0].Score != 6.25 {
		t.Errorf("%+v", result)
	}
	batch := []vexfs.CollectionQuery{
		{Collection: ref, PointQuery: like},
		{Collection: ref, PointQuery: vexfs.PointQuery{PointID: "p4", Limit: 2}},
	}
	results := must(client.Points.BatchQuery(ctx, batch, vexfs.BatchOptions{MinRevision: put.Revision}))(t)
	if len(results) != 2 || !reflect.DeepEqual(results[0], result) || len(results[1].Hits) != 2 ||
		results[1].Revision != result.Revision {
		t.Errorf("%+v", results)
	}
	batch[1].PointID = "none"
	_, err = client.Points.BatchQuery(ctx, batch)
	is(t, err, vexfs.ReasonPointNotFound)
	var told *vexfs.Error
	if !errors.As(err, &told) || told.Metadata["index"] != "1" {
		t.Errorf("%v", err)
	}
	batch[0].PointID = "p1"
	_, err = client.Points.BatchQuery(ctx, batch)
	is(t, err, vexfs.ErrInvalidArgument)
	like.PointID = "p1"
	_, err = client.Points.Query(ctx, ref, like)
	is(t, err, vexfs.ErrInvalidArgument)

	equal(t, "deleted", must(client.Points.Delete(ctx, ref, []string{"p0", "none"}))(t).Deleted, 1)
	equal(t, "left", must(client.Collections.Get(ctx, ref))(t).PointCount, 4)
	found := false
	for collection, err := range client.Collections.List(ctx, vexfs.PageOptions{PageSize: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		found = found || collection.ID == made.ID
	}
	equal(t, "is listed", found, true)
	must(client.Collections.Delete(ctx, ref))(t)
	_, err = client.Collections.Get(ctx, ref)
	is(t, err, vexfs.ErrNotFound, vexfs.ReasonCollectionNotFound)
}

func TestAStreamOfPointsIsPutAsTheyCome(t *testing.T) {
	client := newClient(t)
	ctx, ref := t.Context(), vexfs.Path(newDirectory(t, client)+"/points")
	must(client.Collections.Create(ctx, ref, vexfs.CollectionSchema{Vectors: []vexfs.VectorSpec{{Name: "v", Dimension: 2}}}))(t)
	// points gives so many, of which the one at wrong does not fit, and err behind them if it is not nil.
	points := func(count, wrong int, err error) iter.Seq2[vexfs.PointInput, error] {
		return func(yield func(vexfs.PointInput, error) bool) {
			for i := range count {
				vector := []float32{float32(i), 1}
				if i == wrong {
					vector = vector[:1]
				}
				point := vexfs.PointInput{
					ID: fmt.Sprintf("%04d", i), Vectors: map[string][]float32{"v": vector}, Metadata: map[string]any{"i": i},
				}
				if !yield(point, nil) {
					return
				}
			}
			if err != nil {
				yield(vexfs.PointInput{}, err)
			}
		}
	}
	count := func() int64 {
		t.Helper()
		return must(client.Collections.Get(ctx, ref))(t).PointCount
	}

	_, err := client.Points.UpsertStream(ctx, ref, points(1000, 550, nil))
	is(t, err, vexfs.ErrInvalidArgument, vexfs.ReasonDimensionMismatch)
	var refused *vexfs.Error
	if !errors.As(err, &refused) || refused.Metadata["upserted"] != "500" || refused.Attempts != 1 || refused.RequestID == "" {
		t.Errorf("%+v", refused)
	}
	equal(t, "points before the one that was refused", count(), 500)

	if _, err := client.Points.UpsertStream(ctx, ref, points(300, -1, io.ErrClosedPipe)); err != io.ErrClosedPipe {
		t.Error("the error of the source:", err)
	}

	options := vexfs.ChangeOptions{RequestID: "id of " + ref.String()}
	put := must(client.Points.UpsertStream(ctx, ref, points(600, -1, nil), options))(t)
	equal(t, "upserted", put.Upserted, 600)
	equal(t, "points", count(), 600)
	got := must(client.Points.Get(ctx, ref, []string{"0599"}, vexfs.PointOptions{WithVectors: true, MinRevision: put.Revision}))(t)
	if len(got) != 1 || !reflect.DeepEqual(got[0].Vectors["v"], []float32{599, 1}) || got[0].Metadata["i"] != 599.0 {
		t.Errorf("%+v", got)
	}
	equal(t, "sent again", *must(client.Points.UpsertStream(ctx, ref, points(600, -1, nil), options))(t), *put)
	_, err = client.Points.UpsertStream(ctx, ref, points(599, -1, nil), options)
	is(t, err, vexfs.ReasonRequestIDReused)

	equal(t, "upserted of none", must(client.Points.UpsertStream(ctx, ref, points(0, -1, nil)))(t).Upserted, 0)
	_, err = client.Points.UpsertStream(ctx, vexfs.Path("/none"), points(0, -1, nil))
	is(t, err, vexfs.ErrNotFound)
	_, err = client.Points.UpsertStream(ctx, ref, points(1, -1, nil), options, options)
	is(t, err, vexfs.ErrInvalidArgument)
}

func TestFiltersChooseFiles(t *testing.T) {
	client := newClient(t)
	ctx, ref := t.Context(), vexfs.Path(newDirectory(t, client)+"/points")
	must(client.Collections.Create(ctx, ref, vexfs.CollectionSchema{Vectors: []vexfs.VectorSpec{{Name: "v", Dimension: 1}}}))(t)
	hour, ago := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	put := must(client.Points.Upsert(ctx, ref, []vexfs.PointInput{
		{ID: "a.md", Vectors: map[string][]float32{"v": {1}}, Content: []byte("12345"),
			Metadata: map[string]any{"year": 1999, "tag": []any{"x", "y"}, "by": map[string]any{"name": "Ada"}}},
		{ID: "b.txt", Vectors: map[string][]float32{"v": {1}}, Metadata: map[string]any{"year": 2020, "gone": nil}},
	}))(t)
	file := must(client.Files.Stat(ctx, vexfs.Path(ref.String()+"/a.md")))(t)
	for name, test := range map[string]struct {
		filter *vexfs.Filter
		want   string
	}{
		"none":      {nil, "a.md b.txt "},
		"equals":    {vexfs.MetadataEquals("by.name", "Ada"), "a.md "},
		"null":      {vexfs.MetadataEquals("gone", nil), "b.txt "},
		"one of":    {vexfs.MetadataOneOf("tag", "z", "y"), "a.md "},
		"range":     {vexfs.MetadataRange("year", vexfs.NumberRange{GT: vexfs.Ptr(1999.0), LTE: vexfs.Ptr(2020.0)}), "b.txt "},
		"prefix":    {vexfs.MetadataPrefix("by.name", "A"), "a.md "},
		"exists":    {vexfs.MetadataExists("tag", false), "b.txt "},
		"all":       {vexfs.All(vexfs.NameMatches("*.md"), vexfs.MetadataExists("year", true)), "a.md "},
		"any, not":  {vexfs.Any(vexfs.NameMatches("*.md"), vexfs.Not(vexfs.MetadataEquals("year", 1999))), "a.md b.txt "},
		"size":      {vexfs.SizeIn(vexfs.NumberRange{GTE: vexfs.Ptr(5.0)}), "a.md "},
		"mtime":     {vexfs.MtimeIn(vexfs.TimeRange{From: &ago, Until: &hour}), "a.md b.txt "},
		"btime":     {vexfs.BtimeIn(vexfs.TimeRange{From: &hour}), ""},
		"owner":     {vexfs.All(vexfs.OwnedBy(file.UID), vexfs.OwnedByGroup(file.GID)), "a.md b.txt "},
		"not owner": {vexfs.OwnedBy(file.UID + 1), ""},
	} {
		result := must(client.Points.Query(ctx, ref,
			vexfs.PointQuery{Vector: []float32{1}, Filter: test.filter, MinRevision: put.Revision}))(t)
		ids := ""
		for _, hit := range result.Hits {
			ids += hit.Point.ID + " "
		}
		equal(t, name, ids, test.want)
	}
	for _, broken := range []*vexfs.Filter{
		vexfs.MetadataEquals("k", func() {}), vexfs.All(vexfs.Not(vexfs.MetadataOneOf("k", 1, make(chan int)))), vexfs.Any(nil),
	} {
		_, err := client.Search(ctx, vexfs.SearchQuery{Text: "x", Filter: broken})
		is(t, err, vexfs.ErrInvalidArgument)
	}
}

func TestSearchAndTheViews(t *testing.T) {
	client := newClient(t)
	ctx, dir := t.Context(), newDirectory(t, client)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	must(client.Files.Write(ctx, vexfs.Path(dir+"/a.md"), []byte("The engine of the car needs oil.\n")))(t)
	must(client.Files.Write(ctx, vexfs.Path(dir+"/b.md"), []byte("Roses and tulips bloom in spring.\n")))(t)
	binary := must(client.Files.Write(ctx, vexfs.Path(dir+"/c.bin"), []byte{0, 1, 2, 3, 0, 0, 9}))(t)
	views := must(client.WaitForViews(ctx, vexfs.WaitOptions{MinRevision: binary.Revision}))(t)
	if len(views.Views) == 0 || views.Revision < binary.Revision {
		t.Errorf("%+v", views)
	}
	for _, view := range views.Views {
		if view.Revision < binary.Revision || view.State == 0 || view.State == vexfs.ViewUnavailable {
			t.Errorf("%+v does not have revision %d", view, binary.Revision)
		}
	}
	for mode, text := range map[vexfs.SearchMode]string{0: "flowers", vexfs.SearchDense: "flowers", vexfs.SearchLexical: "tulips"} {
		result := must(client.Search(ctx, vexfs.SearchQuery{Text: text, Scope: vexfs.Path(dir), Mode: mode, Limit: 1}))(t)
		if len(result.Hits) != 1 || result.Hits[0].File.Path != dir+"/b.md" || len(result.Hits[0].Matches) == 0 {
			t.Fatalf("%v: %+v", mode, result)
		}
		equal(t, "line", result.Hits[0].Passage.StartLine, 1)
	}
	query := vexfs.SearchQuery{Like: vexfs.Path(dir + "/b.md"), Scope: vexfs.Path(dir)}
	like := must(client.Search(ctx, query))(t)
	batch := must(client.BatchSearch(ctx, []vexfs.SearchQuery{query, {Text: "x", Mode: vexfs.SearchLexical, Limit: 1}}))(t)
	if len(batch) != 2 || !reflect.DeepEqual(batch[0], like) || batch[1].Strategy != "lexical" {
		t.Errorf("%+v", batch)
	}
	_, err := client.BatchSearch(ctx, []vexfs.SearchQuery{{Text: "x"}, {Text: "x", Vector: []float32{1}}})
	is(t, err, vexfs.ErrInvalidArgument)
	for _, hit := range like.Hits {
		equal(t, "the file itself", hit.File.Path == dir+"/b.md", false)
	}
	equal(t, "partial", like.Partial, false)
	_, err = client.Search(ctx, vexfs.SearchQuery{Text: "x", Like: vexfs.Path(dir)})
	is(t, err, vexfs.ErrInvalidArgument)
	_, err = client.Search(ctx, vexfs.SearchQuery{Text: "x", Mode: vexfs.SearchDense, DenseWeight: 2})
	is(t, err, vexfs.ErrInvalidArgument)
	must(client.Search(ctx, vexfs.SearchQuery{Text: "x", DenseWeight: 2, LexicalWeight: 0.5}))(t)
	_, err = client.Search(ctx, vexfs.SearchQuery{Text: "x", Vector: []float32{1}})
	is(t, err, vexfs.ErrInvalidArgument)
	_, err = client.Search(ctx, vexfs.SearchQuery{})
	is(t, err, vexfs.ErrInvalidArgument)
	skipped := 0
	for file, err := range client.ListSkippedFiles(ctx, vexfs.SkippedOptions{Scope: vexfs.Path(dir), PageSize: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		skipped++
		equal(t, "skipped", file.File.ID, binary.ID)
		equal(t, "its reason is told", file.Reason != "", true)
	}
	equal(t, "how many were skipped", skipped, 1)

	info := must(client.ServerInfo(ctx))(t)
	if info.Version == "" || info.Limits.Points == 0 || info.Store.Revision < binary.Revision || info.Embedding.Dimension == 0 {
		t.Errorf("%+v", info)
	}
	vector := make([]float32, info.Embedding.Dimension)
	vector[0] = 1
	result := must(client.Search(ctx, vexfs.SearchQuery{Vector: vector, Scope: vexfs.Path(dir)}))(t)
	equal(t, "by a vector", len(result.Hits), 2)
}

func TestWaitingForWhatNeverComesEndsAtTheDeadline(t *testing.T) {
	client := newClient(t)
	start := time.Now()
	ctx := vexfs.WithCallTimeout(t.Context(), 300*time.Millisecond)
	_, err := client.WaitForViews(ctx, vexfs.WaitOptions{MinRevision: 1 << 40})
	is(t, err, vexfs.ErrDeadlineExceeded, context.DeadlineExceeded)
	if took := time.Since(start); took > 20*time.Second {
		t.Error(took)
	}
}
