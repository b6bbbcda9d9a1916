package vexfs

import "iter"

// pages walks the items of all pages. fetch asks for the page of a token, the first one's being empty. An error, or first if it
// is not nil, is the last that the loop gets.
func pages[M, T any](first error, fetch func(token string) ([]M, string, error), convert func(M) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if first != nil {
			yield(none, first)
			return
		}
		for token := ""; ; {
			items, next, err := fetch(token)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(convert(item), nil) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}

// hitsAtOnce is how many hits a page has when all are asked for: few enough to come fast, many enough to seldom wait.
const hitsAtOnce = 100

// HitsOptions say how all hits are asked for.
type HitsOptions struct {
	// PageSize is how many hits one request asks for, up to 1,000; 0: 100.
	PageSize int32
}

// hits walks the hits of all pages from that of begin, limit of them at most; 0: all. fetch asks for so many of a token's page.
func hits[T any](
	first error, begin string, limit int32, o HitsOptions, fetch func(token string, size int32) ([]T, string, error),
) iter.Seq2[T, error] {
	size := o.PageSize
	if size == 0 {
		size = hitsAtOnce
	}
	return func(yield func(T, error) bool) {
		wanted := limit
		pages(first, func(token string) ([]T, string, error) {
			if token == "" {
				token = begin
			}
			if limit == 0 {
				return fetch(token, size)
			}
			items, next, err := fetch(token, min(size, wanted))
			if wanted -= int32(len(items)); wanted <= 0 {
				next = ""
			}
			return items, next, err
		}, func(hit T) T { return hit })(yield)
	}
}
