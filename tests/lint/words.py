"""Words that the house does not use."""

CODE = {
    r"\btypedef\s+(struct|union)\b": "a struct is called a struct, not typedef",
    r"\bgoto\b": "no goto: auto_free and its kin release",
    r"\b(struct|union|enum)\s+\w+_t\b": "names in _t belong to the system",
    r"\btypedef\b[^;{]*\b\w+_t\s*;": "names in _t belong to the system",
    r"\balloca\s*\(": "what a client makes large never goes on the stack",
}
TEXT = {
    r"\b(TODO|FIXME|XXX|HACK)\b": "unfinished: do it, or leave it out",
}


def check(tree):
    for source in tree.sources + tree.tests:
        for pattern, sentence in CODE.items():
            for match in source.match(pattern):
                yield source.finding(match.start(), sentence)
        for pattern, sentence in TEXT.items():
            for match in source.match(pattern, source.text):
                yield source.finding(match.start(), sentence)
