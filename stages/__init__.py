"""The pipeline: a stage is a folder or file of its name, a library a noun (docs/architecture.md is the floor plan)."""

import time

STARTED = time.time()  # when this process began to read its sources
