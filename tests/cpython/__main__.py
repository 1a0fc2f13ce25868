import sys

from tests.cpython import compare

sys.exit(compare.main(sys.argv[1:]))
