"""Settings that have to stand before torch is imported."""

import os

# Test files run side by side; threads of several processes on few cores would only wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"
