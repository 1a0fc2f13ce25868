"""The version stands in a few places, which must agree."""
import glob
import os
import re
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

PLACES = {
    "src/cli/main.c": r'#define PROGRAM_VERSION "([^"]+)"',
    "src/python/mtrace/__init__.py": r'__version__ = "([^"]+)"',
    "CHANGELOG.md": r"## \[(?:Unreleased\]: )?([0-9.]+)",  # the newest
}
PAGES = [os.path.relpath(p, TOP) for p in glob.glob(os.path.join(TOP, "docs/man/*.1"))]
PLACES.update({page: r'\.TH \S+ 1 "" "mtrace ([^"]+)"' for page in PAGES})


class Version(unittest.TestCase):
    def test_is_the_same_everywhere(self):
        self.assertIn("docs/man/mtrace.1", PAGES)
        found = {}
        for path, pattern in PLACES.items():
            with open(os.path.join(TOP, path), encoding="utf-8") as f:
                match = re.search(pattern, f.read())
            self.assertIsNotNone(match, path)
            found[path] = match.group(1)
        self.assertEqual(len(set(found.values())), 1, found)


if __name__ == "__main__":
    unittest.main()
