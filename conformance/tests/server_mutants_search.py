"""What the server can do wrong with points, filters and searches.

A part of `server_mutants.py`, which says how they are used.
"""

from planting import everywhere

POINTS = {
    "a-collection-gets-a-second-schema": everywhere(
        "core/collections.py",
        'raise CollectionExists("the directory is a collection already")',
        "pass",
        "a collection with another schema takes the place of the one that is there",
        "Collections/again-with-another-schema",
    ),
    "a-schema-may-have-nothing": everywhere(
        "api/methods/collections.py",
        "if not schema.vectors and not schema.embed_text:",
        "if False:",
        "a collection without vectors and text is made",
        "Collections/that-has-nothing",
    ),
    "a-vector-of-another-dimension-is-put": everywhere(
        "core/points.py",
        "if dimension != spec.dimension:",
        "if False:",
        "a vector of another dimension than the collection's is put",
        "Points/another-dimension",
    ),
    "nan-is-put": everywhere(
        "core/points.py",
        "if not np.isfinite(values).all():",
        "if False:",
        "a vector with NaN is put",
        "Points/not-a-number",
        "Points/infinity",
    ),
    "vectors-come-unasked": everywhere(
        "core/points.py",
        "vectors = versioned.vectors_of(view, inos) if with_vectors else {}",
        "vectors = versioned.vectors_of(view, inos)",
        "vectors are answered without being asked for",
        "Points/vectors-only-if-asked-for",
    ),
    "vectors-of-hits-come-unasked": everywhere(
        "api/methods/queries.py",
        "vectors = _vectors(view, answer.hits) if request.with_vectors else {}",
        "vectors = _vectors(view, answer.hits)",
        "the vectors of hits are answered without being asked for",
        "QueryPoints/payload-without-vectors",
    ),
    "every-page-of-hits-is-the-first": everywhere(
        "api/methods/queries.py",
        "return asked._replace(after=messages.cursor(request.page_token, asked))",
        "return asked",
        "a page of hits begins again with the best",
        "QueryPoints/in-pages",
    ),
    "a-page-of-hits-of-any-question": everywhere(
        "core/search/cursors.py",
        "if digest != _digest(question):",
        "if False:",
        "a token is taken with another question than its own",
        "QueryPoints/a-page-of-another-question",
    ),
    "a-vector-that-is-left-out-stays": everywhere(
        "core/points.py",
        "left_out = [row for row in versioned.get_vectors(txn, ino) if row.name not in item.vectors]",
        "left_out = []",
        "a point keeps a vector that the new one does not have",
        "Points/replaced",
    ),
    "ties-are-in-another-order": everywhere(
        "views/dense/ranking.py",
        "return np.lexsort((keys, -scores))",
        "return np.lexsort((-keys, -scores))",
        "equal scores are ordered by file id from above",
        "QueryPoints/equal-scores-by-file-id",
    ),
    "a-point-finds-itself": everywhere(
        "core/search/rankings.py",
        "if self._exclude:",
        "if False:",
        "a query by a point answers the point itself",
        "QueryPoints/by-another-point",
        "QueryPoints/by-examples",
    ),
    "negative-examples-do-not-count": everywhere(
        "core/search/recommend.py",
        "if negative:",
        "if False:",
        "what points shall not be like makes no difference",
        "QueryPoints/by-examples-and-what-it-is-not",
    ),
    "examples-count-by-their-length": everywhere(
        "core/search/recommend.py",
        "if spec.metric == COSINE:",
        "if False:",
        "under cosine a longer example weighs more",
        "QueryPoints/by-examples-of-any-length",
    ),
    "the-farthest-comes-first": everywhere(
        "views/dense/metrics.py",
        "return -distances",
        "return distances",
        "under euclidean the distance is the score, so what is farthest comes first",
        "QueryPoints/by-distance",
    ),
    "cosine-minds-length": everywhere(
        "views/dense/metrics.py",
        "if metric != COSINE:",
        "if True:",
        "under cosine a longer query has higher scores",
        "QueryPoints/by-cosine",
    ),
}

FILTERS = {
    "a-bound-that-is-included-is-not": everywhere(
        "core/filters.py",
        "and (gte is None or value >= gte)",
        "and (gte is None or value > gte)",
        "`gte` leaves out what equals the bound",
        "Filters/a-range-closed",
    ),
    "a-bound-that-is-not-included-is": everywhere(
        "core/filters.py",
        "and (lt is None or value < lt)",
        "and (lt is None or value <= lt)",
        "`lt` takes what equals the bound",
        "Filters/a-range-open",
    ),
    "not-means-nothing": everywhere(
        "core/filters.py",
        "return lambda facts: not negated(facts)",
        "return negated",
        "a negated filter passes what the filter does",
        "Filters/negated",
    ),
    "all-means-any": everywhere(
        "core/filters.py",
        "return lambda facts: all(part(facts) for part in parts)",
        "return lambda facts: any(part(facts) for part in parts)",
        "a file passes `all` that passes one",
        "Filters/all",
    ),
    "true-is-one": everywhere(
        "core/filters.py",
        "return (bool, value) if isinstance(value, bool) else value",
        "return value",
        "the bool true equals the number 1",
        "Filters/equals-a-bool",
    ),
}

SEARCH = {
    "views-are-not-waited-for": everywhere(
        "core/search/engine.py",
        "if reached >= wanted or self.dense.wait(lambda: position() >= wanted, end):",
        "if True:",
        "a search with `min_revision` does not wait until the write can be found",
        "SearchRefused/what-was-waited-for-is-found",
    ),
    "a-file-is-like-itself": everywhere(
        "core/search/rankings.py",
        "return [found for found in fusion.one_ranking(dense, None) if found.ino != self._request.like], dense_complete",
        "return fusion.one_ranking(dense, None), dense_complete",
        "a search for what is like a file answers the file",
        "Search/like-a-file-is-not-that-file",
    ),
    "weights-are-exchanged": everywhere(
        "core/search/rankings.py",
        "return fusion.fused(dense, lexical, self._request.weights), dense_complete and lexical_complete",
        "return fusion.fused(dense, lexical, self._request.weights[::-1]), dense_complete and lexical_complete",
        "the weight of one ranking is given to the other",
        "Search/weights",
    ),
    "weights-may-be-next-to-nothing": everywhere(
        "core/search/engine.py",
        "if not all(WEIGHT_MIN <= weight <= WEIGHT_MAX for weight in request.weights):",
        "if False:",
        "a weight below the least is taken",
        "SearchRefused/a-weight-of-next-to-nothing",
    ),
    "a-batch-asks-for-any-number-of-hits": everywhere(
        "api/methods/batches.py",
        "if hits > BATCH_HITS_MAX:",
        "if False:",
        "a batch can ask for more hits than the contract allows",
        "BatchQueryPoints/too-many-hits",
    ),
    "the-answers-of-a-batch-are-in-another-order": everywhere(
        "api/methods/batches.py",
        "return points_pb2.BatchQueryPointsResponse(revision=answers[0].revision, answers=answers)",
        "return points_pb2.BatchQueryPointsResponse(revision=answers[0].revision, answers=answers[::-1])",
        "the answers of a batch are not in the order of its questions",
        "BatchQueryPoints/as-one-by-one",
    ),
    "a-scope-is-ignored": everywhere(
        "api/methods/search.py",
        'scope = find(request.scope) if request.HasField("scope") else None',
        "scope = None",
        "a search answers files outside of its scope",
        "SearchRefused/what-was-moved-is-found-in-its-new-place",
    ),
    "a-scope-of-skipped-files-is-ignored": everywhere(
        "api/methods/search.py",
        "return lambda ino: any(parent in directories for parent, _ in dentries.names_of(view, ino))",
        "return lambda ino: True",
        "skipped files outside of the scope are listed",
        "Search/skipped-files-of-a-directory-without-any",
    ),
}
