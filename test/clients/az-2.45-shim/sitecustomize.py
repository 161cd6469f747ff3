"""Debian's az 2.45 asks azure-mgmt-authorization's operation groups for `config`; python3-azure calls it `_config`."""
import importlib.abc
import importlib.machinery
import sys


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if not (name.startswith("azure.mgmt.authorization.") and name.endswith(".operations")):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            for group in vars(module).values():
                if isinstance(group, type) and group.__name__.endswith("Operations"):
                    group.config = property(lambda self: self._config)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Finder())
