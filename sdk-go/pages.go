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
