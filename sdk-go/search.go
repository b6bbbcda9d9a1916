package vexfs

import (
	"context"
	"errors"
	"iter"

	pb "github.com/vexfs/vexfs/sdk-go/internal/vexfspb"
)

// SearchMode is how to look.
type SearchMode int

// The modes of a search.
const (
	// SearchHybrid looks by meaning and by words and fuses the two rankings. It is what the zero SearchMode means, too.
	SearchHybrid SearchMode = SearchMode(pb.SearchMode_SEARCH_MODE_HYBRID)
	// SearchDense looks by meaning only.
	SearchDense SearchMode = SearchMode(pb.SearchMode_SEARCH_MODE_DENSE)
	// SearchLexical looks by words only.
	SearchLexical SearchMode = SearchMode(pb.SearchMode_SEARCH_MODE_LEXICAL)
)

// String is the contract's name of the mode, such as "SEARCH_MODE_DENSE".
func (m SearchMode) String() string { return pb.SearchMode(m).String() }

// SearchQuery is what to look for. Text, Vector or Like is set.
type SearchQuery struct {
	// Text is a question or a few words, in any language the model knows.
	Text string
	// Vector is one of the model that embeds the files (see [Client.ServerInfo]), or of VectorName.
	Vector []float32
	// Like is a file: what is near to the mean of its passages is answered, without the file itself.
	Like FileRef
	// Scope limits the search to files in this directory or below it; the zero FileRef: everywhere.
	Scope FileRef
	// Filter limits it to files that pass; nil: all.
	Filter *Filter
	// Mode is how to look; hybrid if not said.
	Mode SearchMode
	// Limit is how many hits there are at most; 0: 10.
	Limit int32
	// VectorName is, for a vector, the named vector of the collection that Scope names to compare with, instead of the embedded
	// text.
	VectorName string
	// Exact compares, by meaning, with every passage that may be answered, so that none is missed, however long that takes.
	Exact bool
	// DenseWeight is, for a hybrid search, how much the ranking by meaning counts, 0.001 to 1,000; 0: 1.
	DenseWeight float64
	// LexicalWeight is how much the ranking by words counts, likewise; 0: 1.
	LexicalWeight float64
	// PageToken is [Answer.NextPageToken] of an answer to the same question, for the hits that follow; Limit may be another.
	PageToken string
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// Passage is a passage of a file's text.
type Passage struct {
	// Text is the passage.
	Text string
	// StartByte is where it starts in the file's content.
	StartByte int64
	// EndByte is the byte after its last.
	EndByte int64
	// StartLine is the line it starts on; the first line is 1.
	StartLine int32
	// EndLine is the line it ends on.
	EndLine int32
}

// Match is one way in which a file matched.
type Match struct {
	// Mode is which ranking found it: dense or lexical.
	Mode SearchMode
	// Rank is its place in that ranking; the first is 1.
	Rank int32
	// Score is its score in that ranking: cosine for dense, BM25 for lexical.
	Score float64
	// Terms are, for lexical, the words of the question, as they stand in the passage.
	Terms []string
}

// SearchHit is one file that answers the question.
type SearchHit struct {
	// File is the file.
	File *File
	// Score is how well it answers; higher is better. Comparable within one result only.
	Score float64
	// Passage is its best passage; nil if a client's vector was compared.
	Passage *Passage
	// Matches say why it is here.
	Matches []Match
}

// SearchResult is the files that answer best, best first.
type SearchResult struct {
	// Hits are the files, each once; equal scores by file id.
	Hits []SearchHit
	// Answer tells how they were found.
	Answer
}

// Search finds the files that answer a question best. It answers from what is indexed; [Client.WaitForViews] waits for that.
func (c *Client) Search(ctx context.Context, query SearchQuery) (*SearchResult, error) {
	request, err := query.message()
	if err != nil {
		return nil, err
	}
	var response pb.SearchResponse
	if err := c.invoke(ctx, pb.SearchService_Search_FullMethodName, request, &response); err != nil {
		return nil, err
	}
	return toSearchResult(&response), nil
}

// SearchHits walks all files that answer a question, best first, asking for one page after another as the loop goes on. The
// query's Limit is how many hits there are in all, 0: no limit; its PageToken is where they begin. The pages have 10,000 hits in
// all: where there are more, [ErrInvalidArgument] ends them. The first page's size is how deep a hybrid search is fused, as the
// Limit of [Client.Search] is. After an error the list ends.
func (c *Client) SearchHits(ctx context.Context, query SearchQuery, options ...HitsOptions) iter.Seq2[SearchHit, error] {
	o, err := option(options)
	return hits(err, query.PageToken, query.Limit, o, func(token string, size int32) ([]SearchHit, string, error) {
		page := query
		page.PageToken, page.Limit = token, size
		result, err := c.Search(ctx, page)
		if err != nil {
			return nil, "", err
		}
		return result.Hits, result.NextPageToken, nil
	})
}

func (query SearchQuery) message() (*pb.SearchRequest, error) {
	like := query.Like.scope()
	request := &pb.SearchRequest{
		Scope: query.Scope.scope(), Mode: pb.SearchMode(query.Mode), Limit: query.Limit, VectorName: query.VectorName,
		Exact: query.Exact, DenseWeight: query.DenseWeight, LexicalWeight: query.LexicalWeight,
		PageToken: query.PageToken, MinRevision: query.MinRevision,
	}
	switch {
	case query.Text != "" && query.Vector != nil, like != nil && (query.Text != "" || query.Vector != nil):
		return nil, invalid(errors.New("a search has a text, a vector or a file to be like, and one of them only"))
	case like != nil:
		request.Query = &pb.SearchRequest_Like{Like: like}
	case query.Vector != nil:
		request.Query = &pb.SearchRequest_Vector{Vector: toVector(query.Vector)}
	default:
		request.Query = &pb.SearchRequest_Text{Text: query.Text}
	}
	var err error
	request.Filter, err = query.Filter.message()
	return request, err
}

func toSearchResult(m *pb.SearchResponse) *SearchResult {
	result := &SearchResult{Hits: make([]SearchHit, len(m.GetHits())), Answer: toAnswer(m)}
	for i, hit := range m.GetHits() {
		result.Hits[i] = toSearchHit(hit)
	}
	return result
}

func toSearchHit(m *pb.SearchHit) SearchHit {
	hit := SearchHit{File: toFile(m.GetFile()), Score: m.GetScore(), Matches: make([]Match, len(m.GetMatches()))}
	if p := m.GetPassage(); p != nil {
		hit.Passage = &Passage{p.GetText(), p.GetStartByte(), p.GetEndByte(), p.GetStartLine(), p.GetEndLine()}
	}
	for i, match := range m.GetMatches() {
		hit.Matches[i] = Match{SearchMode(match.GetMode()), match.GetRank(), match.GetScore(), match.GetTerms()}
	}
	return hit
}

// SkippedOptions say which skipped files are listed.
type SkippedOptions struct {
	// Scope limits the list to files in this directory or below it; the zero FileRef: everywhere.
	Scope FileRef
	// PageSize is how many files one request asks for; 0: 1,000.
	PageSize int32
	// MinRevision waits, until the deadline, for this revision; 0: does not wait.
	MinRevision int64
}

// SkippedFile is a file whose text was not indexed.
type SkippedFile struct {
	// File is the file.
	File *File
	// Reason is why, such as "binary", "ignored", "too_large".
	Reason string
}

// ListSkippedFiles lists the files whose text was not indexed, by id, asking for one page after another as the loop goes on.
// After an error the list ends.
func (c *Client) ListSkippedFiles(ctx context.Context, options ...SkippedOptions) iter.Seq2[*SkippedFile, error] {
	o, err := option(options)
	return pages(err, func(token string) ([]*pb.SkippedFile, string, error) {
		var response pb.ListSkippedFilesResponse
		err := c.invoke(ctx, pb.SearchService_ListSkippedFiles_FullMethodName, &pb.ListSkippedFilesRequest{
			Scope: o.Scope.scope(), PageSize: o.PageSize, PageToken: token, MinRevision: o.MinRevision,
		}, &response)
		return response.GetFiles(), response.GetNextPageToken(), err
	}, func(m *pb.SkippedFile) *SkippedFile { return &SkippedFile{toFile(m.GetFile()), m.GetReason()} })
}
