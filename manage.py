#!/usr/bin/env python
"""Django's command line."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pexec_site.settings")
    from executions.management.terminal import main

    main(sys.argv)
