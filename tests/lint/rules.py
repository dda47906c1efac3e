"""All rules, by name."""

import decisions
import errors
import floors
import formatting
import libraries
import metrics
import sizes
import waits
import walk
import words

RULES = {
    module.__name__: module
    for module in (floors, libraries, sizes, words, waits, walk, errors, decisions,
                   metrics, formatting)
}
