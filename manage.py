#!/usr/bin/env python
"""Django's command line."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pexec_site.settings")
    try:
        from executions.management.terminal import main
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error}: `. .venv/bin/activate` first (`make run` makes it)\n")
        sys.exit(2)

    main(sys.argv)
