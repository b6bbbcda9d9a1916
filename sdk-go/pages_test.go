package vexfs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// pagesOfHits is a server of three pages of two files each, and a fourth that is refused; it notes limit and token of what it
// is asked.
func pagesOfHits(asked *[]string) *faultyServer {
	next := map[string]string{"": "second", "second": "third", "third": "fourth"}
	first := map[string]int64{"": 1, "second": 3, "third": 5}
	return &faultyServer{search: func(r *pb.SearchRequest) (*pb.SearchResponse, error) {
		*asked = append(*asked, fmt.Sprint(r.GetLimit(), r.GetPageToken()))
		token := r.GetPageToken()
		if token == "fourth" {
			return nil, failure(codes.Internal, "INTERNAL", 0)
		}
		response := &pb.SearchResponse{NextPageToken: next[token]}
		for i := range min(2, int64(r.GetLimit())) {
			response.Hits = append(response.Hits, &pb.SearchHit{File: &pb.File{Id: first[token] + i}})
		}
		return response, nil
	}}
}

func TestAPageOfHitsIsAskedForWhenItIsNeeded(t *testing.T) {
	var asked []string
	client := connect(t, pagesOfHits(&asked))
	list := client.SearchHits(t.Context(), SearchQuery{Text: "x"}, HitsOptions{PageSize: 2})
	if len(asked) != 0 {
		t.Error("asked before the loop began:", asked)
	}
	for hit, err := range list {
		if err != nil || hit.File.ID == 2 {
			break
		}
	}
	if !slices.Equal(asked, []string{"2"}) {
		t.Error("for the hits of one page was asked", asked)
	}
	for _, c := range []struct {
		query SearchQuery
		asked []string
		ids   []int64
	}{
		{SearchQuery{Limit: 1}, []string{"1"}, []int64{1}},
		{SearchQuery{Limit: 2}, []string{"2"}, []int64{1, 2}},
		{SearchQuery{Limit: 5}, []string{"2", "2second", "1third"}, []int64{1, 2, 3, 4, 5}},
		{SearchQuery{Limit: 3, PageToken: "second"}, []string{"2second", "1third"}, []int64{3, 4, 5}},
	} {
		asked = nil
		list := client.SearchHits(t.Context(), c.query, HitsOptions{PageSize: 2})
		for range 2 { // each loop begins anew
			var ids []int64
			for hit, err := range list {
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, hit.File.ID)
			}
			if !slices.Equal(ids, c.ids) {
				t.Error(c.query, ids)
			}
		}
		if !slices.Equal(asked, slices.Concat(c.asked, c.asked)) {
			t.Error(c.query, asked)
		}
	}
	asked = nil
	for range client.SearchHits(t.Context(), SearchQuery{Text: "x"}) {
		break
	}
	if !slices.Equal(asked, []string{"100"}) {
		t.Error("the size of a page, if nothing is said:", asked)
	}
}

func TestAnErrorBetweenPagesOfHitsComesAfterTheHitsBeforeIt(t *testing.T) {
	var asked []string
	client := connect(t, pagesOfHits(&asked))
	hits, failed := 0, error(nil)
	for hit, err := range client.SearchHits(context.Background(), SearchQuery{Text: "x"}, HitsOptions{PageSize: 2}) {
		if err != nil {
			if hit.File != nil || failed != nil {
				t.Error("a hit beside an error, or a second error")
			}
			failed = err
			continue
		}
		hits++
	}
	if hits != 6 || !errors.Is(failed, ReasonInternal) {
		t.Error(hits, failed)
	}
	for _, err := range client.SearchHits(t.Context(), SearchQuery{Text: "x", Vector: []float32{1}}) {
		if !errors.Is(err, ErrInvalidArgument) {
			t.Error("a question that is two:", err)
		}
	}
	if len(asked) != 4 {
		t.Error(asked)
	}
}
