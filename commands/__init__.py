"""What people run beside DVC; no stage needs any of it."""
