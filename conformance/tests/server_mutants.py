"""What the server can do wrong, one line each: the guard that is broken, and the cases that have to notice.

Data for `test_server_mutants.py`. A guard is looked up by its text, which has to stand once in its file: no mutant outlives
what it breaks. One that no case catches is a hole in the cases: add the case, do not take the mutant away.
"""

from planting import ServerMutant

_LIST_ENTRIES = '_LIST = "SELECT d.name, n.* FROM dentry d JOIN node n ON n.ino=d.ino WHERE d.parent=? AND d.name>?'
_ALL = ("grpc", "rest", "connect")


def _everywhere(file: str, guard: str, instead: str, wrong: str, *cases: str) -> ServerMutant:
    """Behind the surfaces: each of them shows it."""
    return ServerMutant(file, guard, instead, wrong, cases, _ALL)


def _on(lane: str, file: str, guard: str, instead: str, wrong: str, *cases: str) -> ServerMutant:
    """In one surface: the others do not have it."""
    return ServerMutant(file, guard, instead, wrong, cases, (lane,))


_CALLS = {
    "min-revision-is-ignored": _everywhere(
        "api/dispatch.py",
        "await self._application.revisions.wait(fields.min_revision, context.deadline)",
        "pass",
        "it answers a read from before the revision that was asked for",
        "MinRevision/stat-file",
        "MinRevision/list-points",
    ),
    "a-caller-without-a-token-gets-in": _everywhere(
        "api/dispatch.py",
        "permissions = self.admit(caller)",
        'permissions: frozenset[Permission] = frozenset({"read", "write"})',
        "it serves whoever shows no token",
        "Unauthenticated/stat-file",
        "Unauthenticated/write-file",
    ),
    "any-token-is-good": _everywhere(
        "security/token.py",
        "if scheme.lower() != _SCHEME or not hmac.compare_digest(_digest(presented.strip()), self._digest):",
        "if scheme.lower() != _SCHEME:",
        "it serves whoever shows a token, whichever",
        "Unauthenticated/a-wrong-token",
    ),
    "the-deadline-is-ignored": _everywhere(
        "api/context.py",
        "if timeout_seconds is not None:",
        "if False:",
        "it works on after the caller's deadline, and never says why the answer is late",
        "MinRevision/the-reason",
    ),
    "the-rules-of-the-contract-are-ignored": _everywhere(
        "api/validation.py",
        "if violations:",
        "if False:",
        "it takes requests that break the contract's rules",
        "ListFiles/a-page-size-over-the-limit",
    ),
    "a-request-id-is-ignored": _everywhere(
        "api/dispatch.py",
        "context.request_id = fields.request_id",
        "pass",
        "it does a repeated write a second time",
        "RequestId/make-directory-again",
    ),
    "a-request-id-serves-any-request": _everywhere(
        "store/requests.py",
        "if found != digest:",
        "if False:",
        "it answers another request with what an earlier one of the same request id was answered with",
        "RequestId/make-directory-reused",
    ),
    "a-request-id-serves-any-method": _everywhere(
        "api/dispatch.py",
        'method.full_name.encode() + b"\\0" + bare.SerializeToString(deterministic=True), digest_size=32',
        "bare.SerializeToString(deterministic=True), digest_size=32",
        "it answers another method with what an earlier one of the same request id was answered with",
        "RequestId/across-methods",
    ),
    "at-revision-is-ignored": _everywhere(
        "api/context.py",
        "with volume.snapshot(at_revision or None) as view:",
        "with volume.snapshot(None) as view:",
        "it answers from now when it is asked for the past",
        "Content/at-an-earlier-revision",
        "ListFiles/at-an-earlier-revision",
    ),
}

_ERRORS = {
    "reasons-are-lost": _everywhere(
        "api/errors.py",
        "status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))",
        "pass",
        "its errors have no reason",
        "NotFound/stat-file",
    ),
    "everything-can-be-tried-again": _everywhere(
        "api/errors.py",
        'metadata = {**error.details, "retryable": "true" if error.retryable else "false"}',
        'metadata = {**error.details, "retryable": "true"}',
        "its errors say that trying again can help when it cannot",
        "NotFound/stat-file",
    ),
    "a-code-is-changed": _everywhere(
        "core/errors.py",
        'code = "ALREADY_EXISTS"',
        'code = "FAILED_PRECONDITION"',
        "a name that is taken has another code than the contract gives it",
        "MakeDirectory/that-exists",
    ),
    "a-reason-is-changed": _everywhere(
        "core/errors.py",
        'reason = "DIRECTORY_NOT_EMPTY"',
        'reason = "NOT_A_DIRECTORY"',
        "a directory with entries is called no directory",
        "RemoveFile/a-directory-with-entries",
    ),
    "grpc-loses-details": _on(
        "grpc",
        "api/grpc.py",
        "trailers = ((_STATUS_TRAILER, to_status(error).SerializeToString()),)",
        "trailers = ()",
        "its trailers carry no details",
        "NotFound/stat-file",
    ),
    "grpc-changes-codes": _on(
        "grpc",
        "api/grpc.py",
        "await context.abort(_CODES[code_number(error)], error.message[:1000], trailers)",
        "await context.abort(grpc.StatusCode.UNKNOWN, error.message[:1000], trailers)",
        "every error has the code UNKNOWN",
        "NotFound/stat-file",
        "NotFound/read-file",
    ),
    "connect-loses-details": _on(
        "connect",
        "api/connect_wire.py",
        'return {"code": code, "message": error.message, "details": [_detail(detail) for detail in status.details]}',
        'return {"code": code, "message": error.message, "details": []}',
        "its errors carry no details",
        "NotFound/stat-file",
    ),
    "connect-swallows-errors-of-streams": _on(
        "connect",
        "api/connect_wire.py",
        'data = _json({} if error is None else {"error": error_object(error)})',
        "data = _json({})",
        "a stream that failed ends as if it were whole",
        "NotFound/read-file",
    ),
    "connect-errors-have-the-status-of-answers": _on(
        "connect",
        "api/connect_wire.py",
        "return _HTTP_STATUS[error.code]",
        "return 200",
        "the HTTP status of an error is that of an answer",
        "NotFound/stat-file",
    ),
    "connect-has-another-status": _on(
        "connect",
        "api/connect_wire.py",
        '"FAILED_PRECONDITION": 400,',
        '"FAILED_PRECONDITION": 412,',
        "the HTTP status of an error is not the one that the Connect protocol has for its code",
        "RemoveFile/a-directory-with-entries",
    ),
    "rest-has-another-status": _on(
        "rest",
        "core/errors.py",
        "http_status = 412",
        "http_status = 400",
        "the HTTP status of an error is not the one that the contract has for its reason",
        "Content/only-unchanged-content",
    ),
}

_SURFACES = {
    "grpc-forgets-the-deadline": _on(
        "grpc",
        "api/grpc.py",
        "timeout_seconds=context.time_remaining(),",
        "timeout_seconds=None,",
        "it does not know until when the caller waits",
        "MinRevision/the-reason",
    ),
    "rest-forgets-the-deadline": _on(
        "rest",
        "api/http.py",
        "return int(match[1]) * _UNIT_SECONDS[match[2]]",
        "return None",
        "it does not know until when the caller waits",
        "MinRevision/the-reason",
    ),
    "connect-forgets-the-deadline": _on(
        "connect",
        "api/connect_wire.py",
        "return int(text) / 1000",
        "return None",
        "it does not know until when the caller waits",
        "MinRevision/the-reason",
    ),
    "rest-reads-true-as-false": _on(
        "rest",
        "api/transcoding.py",
        'return lower != "false" and lower != "0"',
        "return False",
        "a parameter of an address that is true is read as false",
        "Stat/what-a-symbolic-link-leads-to",
    ),
    "rest-takes-a-plus-for-a-sign": _on(
        "rest",
        "api/transcoding.py",
        'return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)',
        'return parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)',
        "a plus in an address is read as itself, not as a space",
        "Stat/signs-that-addresses-escape",
    ),
    "rest-and-connect-cut-fractions-of-seconds": ServerMutant(
        "api/json_writer.py",
        "if not nanos:",
        "if True:",
        "times lose their fractions in JSON",
        ("Attributes/microseconds",),
        ("rest", "connect"),
    ),
    "rest-and-connect-leave-enums-out": ServerMutant(
        "api/json_writer.py",
        "return lambda number: names.get(number, number)",
        "return lambda number: names[0]",
        "every enum has its first value in JSON",
        ("Stat/a-directory", "Collections/read"),
        ("rest", "connect"),
    ),
    "grpc-streams-end-after-one-message": _on(
        "grpc",
        "api/grpc.py",
        "yield response.SerializeToString()",
        "yield response.SerializeToString(); break",
        "a stream of answers ends after its first message, and no error says so",
        "Content/large-whole",
    ),
    "rest-reads-one-line-of-several": _on(
        "rest",
        "api/http.py",
        "rest.clear()",
        "rest.clear(); break",
        "of messages that arrive together only the first is read",
        "Content/small-as-a-stream",
    ),
}

_LISTS = {
    "a-list-ends-after-its-first-page": _everywhere(
        "api/methods/files.py",
        "response.next_page_token = messages.page_token(entries[shown - 1].name)",
        "pass",
        "the pages after the first are not told of",
        "ListFiles/pages",
        "ListFiles/all-items-in-small-steps",
    ),
    "a-page-token-is-ignored": _everywhere(
        "api/methods/files.py",
        "after = messages.page_position(request.page_token)",
        'after = b""',
        "every page is the first",
        "ListFiles/pages",
    ),
    "a-page-token-of-nobody-is-taken": _everywhere(
        "api/methods/messages.py",
        'raise MalformedRequest("page_token is not one that this server gave") from None',
        'return b""',
        "a page token that it never gave is taken for none",
        "ListFiles/a-page-token-that-is-none",
    ),
    "a-page-skips-points": _everywhere(
        "api/methods/points.py",
        "last = entry.name",
        "last = page[-1].name",
        "the next page begins too far down when something that is no point has moved it",
        "Points/listed-past-what-is-no-point",
    ),
    "a-page-begins-with-the-last-of-the-one-before": _everywhere(
        "api/methods/collections.py",
        "page = [collection for collection in declared if collection.ino > after]",
        "page = [collection for collection in declared if collection.ino >= after]",
        "a collection is answered on two pages",
        "Collections/listed-in-pages",
    ),
    "names-are-not-in-byte-order": _everywhere(
        "store/dentries.py",
        f'{_LIST_ENTRIES} ORDER BY d.name LIMIT ?"',
        f'{_LIST_ENTRIES} ORDER BY n.ino LIMIT ?"',
        "entries are listed in the order in which they were made",
        "ListFiles/byte-order",
    ),
}

_FILES = {
    "no-replace-replaces": _everywhere(
        "core/files.py", "if no_replace:", "if False:", "`no_replace` replaces", "MoveFile/nothing-is-replaced-if-asked"
    ),
    "exchange-moves": _everywhere(
        "core/files.py", "if exchange:", "if False:", "`exchange` replaces instead of exchanging", "MoveFile/exchanged"
    ),
    "a-directory-moves-into-itself": _everywhere(
        "core/files.py",
        "if node.is_directory and _is_below(txn, new_parent, node.ino):",
        "if node.ino == new_parent:",
        "a directory can be moved deep below itself, where nothing leads to it any more",
        "MoveFile/a-directory-deep-into-itself",
    ),
    "a-move-takes-vectors-where-they-do-not-fit": _everywhere(
        "core/files.py",
        "collections.check_new_parent(txn, node, new_parent)",
        "pass",
        "a point can be moved into a collection of another dimension",
        "MoveFile/a-point-into-a-collection-it-does-not-fit",
    ),
    "a-directory-with-entries-is-removed": _everywhere(
        "core/files.py",
        "if not dentries.is_empty(txn, node.ino):",
        "if False:",
        "a directory with entries is removed without being asked to be",
        "RemoveFile/a-directory-with-entries",
        "MoveFile/a-directory-over-one-with-entries",
    ),
    "copying-is-always-recursive": _everywhere(
        "core/trees.py",
        "if not self._recursive:",
        "if False:",
        "a directory is copied with everything below it without being asked to be",
        "CopyFile/a-directory-without-recursive",
    ),
    "a-copy-has-no-metadata": _everywhere(
        "core/trees.py",
        "attributes.set_metadata(txn, target, metadata)",
        "pass",
        "a copy comes without metadata",
        "CopyFile/metadata-and-extended-attributes",
    ),
    "sticky-bits-are-not-told": _everywhere(
        "api/methods/messages.py",
        "mode=stat.S_IMODE(node.mode),",
        "mode=node.mode & 0o777,",
        "set-id and sticky bits are not told",
        "MakeDirectory/with-a-mode",
        "Attributes/mode",
    ),
    "a-hard-link-is-not-counted": _everywhere(
        "core/files.py",
        "linked = node.with_links_changed(txn.now_ns, txn.revision, 1)",
        "linked = node.with_links_changed(txn.now_ns, txn.revision, 0)",
        "a file does not count a name that is added",
        "Links/a-hard-link",
    ),
}

_CONTENT = {
    "a-condition-on-the-content-is-ignored": _everywhere(
        "api/methods/content.py",
        "_check_condition(found.node, condition)",
        "pass",
        "`if_content_revision` does not keep a write from content that has changed",
        "Content/only-unchanged-content",
        "Content/only-a-new-file",
    ),
    "a-range-goes-to-the-end": _everywhere(
        "api/methods/content.py",
        "return min(wanted, there) if wanted else there",
        "return there",
        "`length` is ignored",
        "Content/a-range",
        "Content/a-range-as-a-stream",
    ),
    "a-stream-ends-after-its-first-piece": _everywhere(
        "api/methods/content.py",
        "while offset < end:",
        "while False:",
        "of large content only the first piece is read, and no error says so",
        "Content/large-whole",
    ),
    "a-write-in-the-middle-cuts-the-rest": _everywhere(
        "core/content.py",
        "size_bytes = max(node.size_bytes, prepared.end_bytes)",
        "size_bytes = prepared.end_bytes",
        "what lies behind a write with an offset is lost",
        "Content/written-over-in-the-middle",
        "Content/offset-zero-is-an-offset",
    ),
    "what-was-cut-off-comes-back": _everywhere(
        "core/content.py",
        "if size_bytes < node.size_bytes:",
        "if False:",
        "a file that is cut and then grows shows its old bytes again instead of zeros",
        "Attributes/cut-off-and-filled-up",
    ),
    "what-was-replaced-comes-back": _everywhere(
        "core/content.py",
        "rows.clear(txn, ino, 0, born=txn.revision)",
        "pass",
        "a shorter content that then grows shows the bytes of the longer one before it",
        "Content/replaced-and-filled-up",
    ),
}

_ATTRIBUTES = {
    "create-only-replaces": _everywhere(
        "core/attributes.py",
        "if create and exists:",
        "if False:",
        "`create_only` replaces an extended attribute",
        "Attributes/extended-create-only",
    ),
    "replace-only-creates": _everywhere(
        "core/attributes.py",
        "if replace and not exists:",
        "if False:",
        "`replace_only` makes an extended attribute",
        "Attributes/extended-replace-only",
    ),
    "metadata-has-no-limit": _everywhere(
        "core/attributes.py",
        "if len(json) > METADATA_MAX_BYTES:",
        "if False:",
        "metadata of any size is taken",
        "Attributes/metadata-too-large",
        "Points/metadata-too-large",
    ),
}

_POINTS = {
    "a-collection-gets-a-second-schema": _everywhere(
        "core/collections.py",
        'raise CollectionExists("the directory is a collection already")',
        "pass",
        "a collection with another schema takes the place of the one that is there",
        "Collections/again-with-another-schema",
    ),
    "a-schema-may-have-nothing": _everywhere(
        "api/methods/collections.py",
        "if not schema.vectors and not schema.embed_text:",
        "if False:",
        "a collection without vectors and text is made",
        "Collections/that-has-nothing",
    ),
    "a-vector-of-another-dimension-is-put": _everywhere(
        "core/points.py",
        "if dimension != spec.dimension:",
        "if False:",
        "a vector of another dimension than the collection's is put",
        "Points/another-dimension",
    ),
    "nan-is-put": _everywhere(
        "core/points.py",
        "if not np.isfinite(values).all():",
        "if False:",
        "a vector with NaN is put",
        "Points/not-a-number",
        "Points/infinity",
    ),
    "vectors-come-unasked": _everywhere(
        "core/points.py",
        "vectors = versioned.vectors_of(view, inos) if with_vectors else {}",
        "vectors = versioned.vectors_of(view, inos)",
        "vectors are answered without being asked for",
        "Points/vectors-only-if-asked-for",
    ),
    "vectors-of-hits-come-unasked": _everywhere(
        "api/methods/queries.py",
        "return _response(answer, _vectors(view, answer.hits) if request.with_vectors else {})",
        "return _response(answer, _vectors(view, answer.hits))",
        "the vectors of hits are answered without being asked for",
        "QueryPoints/payload-without-vectors",
    ),
    "a-vector-that-is-left-out-stays": _everywhere(
        "core/points.py",
        "left_out = [row for row in versioned.get_vectors(txn, ino) if row.name not in item.vectors]",
        "left_out = []",
        "a point keeps a vector that the new one does not have",
        "Points/replaced",
    ),
    "ties-are-in-another-order": _everywhere(
        "core/search/fusion.py",
        "return sorted(candidates, key=lambda candidate: (-candidate.score, candidate.ino))",
        "return sorted(candidates, key=lambda candidate: (-candidate.score, -candidate.ino))",
        "equal scores are ordered by file id from above",
        "QueryPoints/equal-scores-by-file-id",
    ),
    "a-point-finds-itself": _everywhere(
        "core/search/rankings.py",
        "places.pop(ino, None)",
        "pass",
        "a query by a point answers the point itself",
        "QueryPoints/by-another-point",
        "QueryPoints/by-examples",
    ),
    "negative-examples-do-not-count": _everywhere(
        "core/search/recommend.py",
        "if negative:",
        "if False:",
        "what points shall not be like makes no difference",
        "QueryPoints/by-examples-and-what-it-is-not",
    ),
    "examples-count-by-their-length": _everywhere(
        "core/search/recommend.py",
        "if spec.metric == COSINE:",
        "if False:",
        "under cosine a longer example weighs more",
        "QueryPoints/by-examples-of-any-length",
    ),
    "the-farthest-comes-first": _everywhere(
        "views/dense/metrics.py",
        "return -distances",
        "return distances",
        "under euclidean the distance is the score, so what is farthest comes first",
        "QueryPoints/by-distance",
    ),
    "cosine-minds-length": _everywhere(
        "views/dense/metrics.py",
        "if metric != COSINE:",
        "if True:",
        "under cosine a longer query has higher scores",
        "QueryPoints/by-cosine",
    ),
}

_FILTERS = {
    "a-bound-that-is-included-is-not": _everywhere(
        "core/filters.py",
        "and (gte is None or value >= gte)",
        "and (gte is None or value > gte)",
        "`gte` leaves out what equals the bound",
        "Filters/a-range-closed",
    ),
    "a-bound-that-is-not-included-is": _everywhere(
        "core/filters.py",
        "and (lt is None or value < lt)",
        "and (lt is None or value <= lt)",
        "`lt` takes what equals the bound",
        "Filters/a-range-open",
    ),
    "not-means-nothing": _everywhere(
        "core/filters.py",
        "return lambda facts: not negated(facts)",
        "return negated",
        "a negated filter passes what the filter does",
        "Filters/negated",
    ),
    "all-means-any": _everywhere(
        "core/filters.py",
        "return lambda facts: all(part(facts) for part in parts)",
        "return lambda facts: any(part(facts) for part in parts)",
        "a file passes `all` that passes one",
        "Filters/all",
    ),
    "true-is-one": _everywhere(
        "core/filters.py",
        "return (bool, value) if isinstance(value, bool) else value",
        "return value",
        "the bool true equals the number 1",
        "Filters/equals-a-bool",
    ),
}

_SEARCH = {
    "views-are-not-waited-for": _everywhere(
        "core/search/engine.py",
        "if reached >= wanted or self.dense.wait(lambda: position() >= wanted, end):",
        "if True:",
        "a search with `min_revision` does not wait until the write can be found",
        "SearchRefused/what-was-waited-for-is-found",
    ),
    "a-file-is-like-itself": _everywhere(
        "core/search/rankings.py",
        "return [found for found in fusion.one_ranking(dense, None) if found.ino != self._request.like], dense_complete",
        "return fusion.one_ranking(dense, None), dense_complete",
        "a search for what is like a file answers the file",
        "Search/like-a-file-is-not-that-file",
    ),
    "weights-are-exchanged": _everywhere(
        "core/search/rankings.py",
        "return fusion.fused(dense, lexical, self._request.weights), dense_complete and lexical_complete",
        "return fusion.fused(dense, lexical, self._request.weights[::-1]), dense_complete and lexical_complete",
        "the weight of one ranking is given to the other",
        "Search/weights",
    ),
    "weights-may-be-next-to-nothing": _everywhere(
        "core/search/engine.py",
        "if not all(WEIGHT_MIN <= weight <= WEIGHT_MAX for weight in request.weights):",
        "if False:",
        "a weight below the least is taken",
        "SearchRefused/a-weight-of-next-to-nothing",
    ),
    "a-scope-is-ignored": _everywhere(
        "api/methods/search.py",
        "return references.find(view, request.scope).node.ino",
        "return None",
        "a search answers files outside of its scope",
        "SearchRefused/what-was-moved-is-found-in-its-new-place",
    ),
    "a-scope-of-skipped-files-is-ignored": _everywhere(
        "api/methods/search.py",
        "return lambda ino: any(parent in directories for parent, _ in dentries.names_of(view, ino))",
        "return lambda ino: True",
        "skipped files outside of the scope are listed",
        "Search/skipped-files-of-a-directory-without-any",
    ),
}

MUTANTS: dict[str, ServerMutant] = {
    **_CALLS,
    **_ERRORS,
    **_SURFACES,
    **_LISTS,
    **_FILES,
    **_CONTENT,
    **_ATTRIBUTES,
    **_POINTS,
    **_FILTERS,
    **_SEARCH,
}
