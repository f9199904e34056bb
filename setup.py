"""What pyproject.toml cannot say: no marker tells musl from glibc, and onnxruntime has no wheel for musl.

There the extra named offline brings nothing, as on the other machines without such wheels.
"""

from __future__ import annotations

import sysconfig
from typing import Any

from setuptools import Distribution, setup


class OnThisMachine(Distribution):
    """The distribution as it can be installed here."""

    def parse_config_files(self, *arguments: Any, **more: Any) -> None:
        """What the files say, less what has no wheel."""
        super().parse_config_files(*arguments, **more)
        if any("musl" in str(sysconfig.get_config_var(name)) for name in ("HOST_GNU_TYPE", "SOABI")):
            self.extras_require["offline"] = []


setup(distclass=OnThisMachine)
