"""What the tests of the house's rules share: the sources, without their comments."""
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def sources():
    """Path below the top and text without comments, of each C file."""
    for top in ("include", "src"):
        for folder, _, names in os.walk(os.path.join(TOP, top)):
            for name in names:
                if name.endswith((".c", ".h")):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as f:
                        yield os.path.relpath(path, TOP), COMMENT.sub(" ", f.read())
