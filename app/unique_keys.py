"""YAML in which no key of a mapping is named twice: the last would win, and the first be lost without a word."""

from typing import Any

import yaml


class KeyNamedTwice(yaml.YAMLError):
    """The message names the key and both lines."""


class _Loader(yaml.SafeLoader):
    """Looks at each mapping as it is written, before what it takes over by `<<` is put in."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line, name = key.start_mark.line + 1, (key.tag, key.value)
            if name in lines:
                raise KeyNamedTwice(f"line {line}: {key.value} was named already, in line {lines[name]}")
            lines[name] = line
        return node


def load_yaml(text: str) -> Any:  # noqa: ANN401 - whatever it says
    """What a text says, as `yaml.safe_load` gives it.

    Raises:
        YAMLError: it is no YAML, or a mapping has a key twice.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
