"""`python -m wgan` is the `wgan` command."""

import sys

from wgan.cli import main

sys.exit(main())
