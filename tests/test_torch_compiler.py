"""torch's compiler is not imported by what does not compile, and there for what does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.small import REPOSITORY

TRAINED = """
import sys
from stages.core.torch_compiler import leave_out_compiler
leave_out_compiler()
import torch
from torch.utils.flop_counter import FlopCounterMode
torch.manual_seed(0)
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.Adam(model.parameters())
optimizer.load_state_dict(optimizer.state_dict())
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
optimizer.zero_grad()
with torch.device("meta"), FlopCounterMode(display=False) as counter:
    torch.nn.Conv2d(1, 1, 3)(torch.empty(1, 1, 3, 3)).relu()
assert counter.get_total_flops() == 18
assert not [name for name in sys.modules if name.startswith("torch._dynamo.")], "it was imported"
"""
COMPILED = """
import torch._dynamo.config
assert torch._dynamo.is_dynamo_supported() in (True, False)
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
assert sys.modules["torch._dynamo"].__file__
"""

pytestmark = pytest.mark.slow


def test_training_and_counting_import_no_compiler_and_a_network_that_is_compiled_gets_it() -> None:
    program = [sys.executable, "-c", TRAINED + COMPILED]
    ended = subprocess.run(program, cwd=REPOSITORY, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
