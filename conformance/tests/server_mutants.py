"""What the server can do wrong, one line each: the guard that is broken, and the cases that have to notice.

Data for `test_server_mutants.py`, one file an area. A guard is looked up by its text, which has to stand once in its file: no
mutant outlives what it breaks. One that no case catches is a hole in the cases: add the case, do not take the mutant away.
"""

from planting import ServerMutant
from server_mutants_files import ATTRIBUTES, CONTENT, FILES, LISTS
from server_mutants_search import FILTERS, POINTS, SEARCH
from server_mutants_surfaces import CALLS, ERRORS, SURFACES

MUTANTS: dict[str, ServerMutant] = {
    **CALLS,
    **ERRORS,
    **SURFACES,
    **LISTS,
    **FILES,
    **CONTENT,
    **ATTRIBUTES,
    **POINTS,
    **FILTERS,
    **SEARCH,
}
