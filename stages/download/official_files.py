"""The files of the official datasets, each with what its bytes are checked by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OfficialFile:
    """A file as published. ``size`` in bytes; ``md5`` where its publisher or torchvision states one."""

    name: str
    size: int
    sha256: str
    md5: str | None = None

    def __str__(self) -> str:
        """The name and everything it is checked by, for messages."""
        md5 = f"MD5 {self.md5}, " if self.md5 else ""
        return f"{self.name} ({self.size} bytes, {md5}SHA-256 {self.sha256})"


# Dataset, file, bytes, SHA-256. MNIST's and CIFAR-10's were computed from files with the MD5 that torchvision states,
# SVHN's are those in TensorFlow Datasets, the digits' were computed from scikit-learn's bundle.
_FILES = """
mnist train-images-idx3-ubyte.gz 9912422 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609
mnist train-labels-idx1-ubyte.gz 28881 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c
mnist t10k-images-idx3-ubyte.gz 1648877 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6
mnist t10k-labels-idx1-ubyte.gz 4542 f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6
svhn train_32x32.mat 182040794 435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8
svhn test_32x32.mat 64275384 cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b
cifar10 batches.meta 158 f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb
cifar10 data_batch_1 31035704 54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd
cifar10 data_batch_2 31035320 766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8
cifar10 data_batch_3 31035999 0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9
cifar10 data_batch_4 31035696 3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b
cifar10 data_batch_5 31035623 d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154
cifar10 test_batch 31035526 f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831
digits images-idx3-ubyte 115024 359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96
digits labels-idx1-ubyte 1805 ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad
"""


def _files(dataset: str) -> tuple[OfficialFile, ...]:
    rows = [line.split() for line in _FILES.strip().splitlines()]
    return tuple(OfficialFile(file, int(size), digest) for name, file, size, digest in rows if name == dataset)


OFFICIAL_FILES = {dataset: _files(dataset) for dataset in ("mnist", "svhn", "cifar10", "digits")}
