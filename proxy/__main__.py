"""`python -m proxy`: the address of the command line."""

import sys

from cli import main

sys.exit(main())
