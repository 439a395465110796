"""``python -m skorch_mnist`` is ``skorch-mnist``."""

import sys

from skorch_mnist.cli import main

if __name__ == "__main__":
    sys.exit(main())
