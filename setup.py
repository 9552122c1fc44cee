"""Everything about the package is in setup.cfg; here is only where it is put together.

In a folder of its own that is gone afterwards, not in `build/` of the checkout: modules that were
renamed since would stay there and come along.
"""

import atexit
import shutil
import tempfile

from setuptools import setup

folder = tempfile.mkdtemp(prefix="wlnn-build-")
atexit.register(shutil.rmtree, folder, ignore_errors=True)
setup(options={"build": {"build_base": folder}})
