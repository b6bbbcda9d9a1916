package vexfs_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexfs/vexfs/sdk-go"
)

const (
	pointsWithHits = 25
	filesWithHits  = 7
	hitsMax        = 10_000
)

// walked is what name says of each hit of a list.
func walked[T any](t *testing.T, list iter.Seq2[T, error], name func(T) string) []string {
	t.Helper()
	names := []string{}
	for hit, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name(hit))
	}
	return names
}

func pointID(hit vexfs.PointHit) string { return hit.Point.ID }

func filePath(hit vexfs.SearchHit) string { return hit.File.Path }

// putPoints makes a collection of points; the answer is their ids, nearest to the direction (1, 0) first.
func putPoints(t *testing.T, client *vexfs.Client, ref vexfs.FileRef, count int) ([]string, int64) {
	t.Helper()
	spec := vexfs.VectorSpec{Name: "v", Dimension: 2}
	schema := vexfs.CollectionSchema{Vectors: []vexfs.VectorSpec{spec}}
	must(client.Collections.Create(t.Context(), ref, schema))(t)
	ids, points := make([]string, count), make([]vexfs.PointInput, count)
	for i := range points {
		ids[i] = fmt.Sprintf("%05d", i)
		points[i] = vexfs.PointInput{ID: ids[i], Vectors: map[string][]float32{"v": {1000, float32(i)}}}
	}
	var revision int64
	for some := range slices.Chunk(points, hitsMax) {
		revision = must(client.Points.Upsert(t.Context(), ref, some))(t).Revision
	}
	return ids, revision
}

func TestAllPointsComeOnceAndInOrder(t *testing.T) {
	client := newClient(t)
	ctx, ref := t.Context(), vexfs.Path(newDirectory(t, client)+"/points")
	ids, revision := putPoints(t, client, ref, pointsWithHits)
	query := vexfs.PointQuery{Vector: []float32{1, 0}, MinRevision: revision}
	list := client.Points.QueryHits(ctx, ref, query, vexfs.HitsOptions{PageSize: 4})
	for range 2 { // each loop begins anew
		equal(t, "all", fmt.Sprint(walked(t, list, pointID)), fmt.Sprint(ids))
	}
	equal(t, "on one page", fmt.Sprint(walked(t, client.Points.QueryHits(ctx, ref, query), pointID)), fmt.Sprint(ids))
	for _, limit := range []int32{1, 4, 6, pointsWithHits, pointsWithHits + 1} {
		query.Limit = limit
		list := client.Points.QueryHits(ctx, ref, query, vexfs.HitsOptions{PageSize: 4})
		equal(t, "some", fmt.Sprint(walked(t, list, pointID)), fmt.Sprint(ids[:min(int(limit), len(ids))]))
	}
	query.Limit = 4
	query.PageToken = must(client.Points.Query(ctx, ref, query))(t).NextPageToken
	equal(t, "behind a page", fmt.Sprint(walked(t, client.Points.QueryHits(ctx, ref, query), pointID)), fmt.Sprint(ids[4:8]))
}

func TestAllFilesComeOnceAndInOrder(t *testing.T) {
	client := newClient(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := newDirectory(t, client)
	var revision int64
	for i := range filesWithHits {
		text := "The harbour opens at noon. " + strings.Repeat("Fog is rare. ", i)
		written := must(client.Files.Write(ctx, vexfs.Path(fmt.Sprintf("%s/%d.md", dir, i)), []byte(text)))(t)
		revision = written.Revision
	}
	for _, mode := range []vexfs.SearchMode{vexfs.SearchDense, vexfs.SearchLexical, vexfs.SearchHybrid} {
		query := vexfs.SearchQuery{
			Text: "when does the harbour open?", Scope: vexfs.Path(dir), Mode: mode, MinRevision: revision,
		}
		paths := walked(t, client.SearchHits(ctx, query, vexfs.HitsOptions{PageSize: 2}), filePath)
		sorted := slices.Compact(slices.Sorted(slices.Values(paths)))
		equal(t, fmt.Sprint(mode, ": once"), len(sorted), len(paths))
		equal(t, fmt.Sprint(mode, ": all"), len(paths), filesWithHits)
		query.Limit = 3
		some := walked(t, client.SearchHits(ctx, query, vexfs.HitsOptions{PageSize: 2}), filePath)
		equal(t, fmt.Sprint(mode, ": some"), fmt.Sprint(some), fmt.Sprint(paths[:3]))
		if mode != vexfs.SearchHybrid { // whose first page is how deep it is fused
			query.Limit = filesWithHits
			var whole []string
			for _, hit := range must(client.Search(ctx, query))(t).Hits {
				whole = append(whole, hit.File.Path)
			}
			equal(t, fmt.Sprint(mode, ": in order"), fmt.Sprint(paths), fmt.Sprint(whole))
		}
	}
}

func TestBehindTheLastPageIsAnErrorAndALimitEndsBeforeIt(t *testing.T) {
	client := newClient(t)
	ctx, ref := t.Context(), vexfs.Path(newDirectory(t, client)+"/many")
	ids, revision := putPoints(t, client, ref, hitsMax+5)
	query := vexfs.PointQuery{Vector: []float32{1, 0}, Exact: true, Limit: hitsMax, MinRevision: revision}
	pages := vexfs.HitsOptions{PageSize: 1000}
	if !slices.Equal(walked(t, client.Points.QueryHits(ctx, ref, query, pages), pointID), ids[:hitsMax]) {
		t.Error("not all that there can be, once and in order")
	}
	query.Limit = 0
	came := 0
	for _, err := range client.Points.QueryHits(ctx, ref, query, pages) {
		if err != nil {
			is(t, err, vexfs.ErrInvalidArgument)
			equal(t, "hits before the error", came, hitsMax)
		}
		came++
	}
	equal(t, "hits and the error", came, hitsMax+1)
}
