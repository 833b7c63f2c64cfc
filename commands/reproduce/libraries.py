"""What nearly every stage imports of other people's code: read once, by the process that stages are copied from."""

import gc
import importlib

LIBRARIES = (
    "numpy", "pandas", "PIL.Image", "pydantic", "ruamel.yaml", "safetensors.torch", "torch.func",
    "torch.fx.experimental.symbolic_shapes", "torch.utils.flop_counter",
)  # fmt: skip

for name in LIBRARIES:
    importlib.import_module(name)
gc.freeze()  # what is never collected is never written to, and so stays shared
