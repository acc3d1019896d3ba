"""Multiple kernel learning for multimodal data, certified, in scikit-learn's style."""

import lazy_loader

from mkfusion._cache import ensure_cache_folder

__version__ = "0.1.0"

ensure_cache_folder()  # before anything is compiled

# `__init__.pyi` lists the names and where they are; each is loaded when it is first asked for, so
# that importing this package costs next to nothing and imports may stand at the top of every file.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
