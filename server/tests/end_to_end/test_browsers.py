"""What a whole server has for browsers: the page at /docs, and answers for the sites its settings allow."""

import http.client
from collections.abc import Callable

from .running import Server

PAGE = "https://app.example"


def test_a_served_folder_has_its_page_and_answers_the_sites_it_was_told_of(make_server: Callable[..., Server]) -> None:
    server = make_server(arguments=("--cors-origin", PAGE)).start()
    connection = http.client.HTTPConnection(server.record["rest"].partition("://")[2], timeout=30)
    connection.request("GET", "/docs")
    answer = connection.getresponse()
    assert (answer.status, b"VexFS API" in answer.read()) == (200, True)
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    for origin, allowed in ((PAGE, PAGE), ("https://other.example", None)):
        connection.request("OPTIONS", "/vexfs.v1.SearchService/Search", headers={"Origin": origin, **asking})
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["Access-Control-Allow-Origin"] == allowed
        assert (answer.status == 204) == (allowed is not None)
    connection.close()
