"""`python -m initium.cli`: the command without its script."""

import sys

from initium.cli import main

sys.exit(main())
