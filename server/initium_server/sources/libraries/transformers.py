"""Models of transformers: a head class and a configuration, never a hub name."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
import transformers
from torch import nn
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, model_type_to_module_name

from initium.contract.wording import suggestion
from initium.errors import invalid
from initium.v1 import architecture_pb2
from initium_server.capture import quiet
from initium_server.planning.structs import plain
from initium_server.sources.arguments import Parameter, Target, check_names
from initium_server.sources.failures import explain
from initium_server.sources.library import FIELD, Prepared
from initium_server.sources.refusals import refuse

# Keys that configuration classes take from their keywords without declaring them.
_TAKEN = re.compile(r"""kwargs\.(?:pop|get)\(\s*["'](\w+)["']""")
_READERS = ("__init__", "__post_init__", "convert_rope_params_to_dict")
_GENERAL = ("model_type", "_name_or_path", "name_or_path", "num_labels", "_commit_hash")
# The library's remarks are for users of its models, not for users of a service.
transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # the library annotates little

_BUILD = {"attn_implementation": "eager", "dtype": torch.float32}


def prepare(library: architecture_pb2.LibraryModel) -> Prepared:
    """Checks class and configuration. Errors: RecipeError."""
    if library.args.fields:
        raise invalid(f"{FIELD}.args", "not for transformers; give the configuration in `config`")
    head = _head_class(library.name)
    given = plain(library.config)
    refuse(given, f"{FIELD}.config")
    config = _config(given)
    construct = partial(_constructor(head, library.name, config), config, **_BUILD)
    versions = {"transformers": transformers.__version__}
    return Prepared(construct, versions, _target(type(config)), f"{FIELD}.config", files_of)


def names() -> list[str]:
    """What `LibraryModel.name` may be: Auto classes, and model classes."""
    return _autos() + list(filter(_is_model, dir(transformers)))


def _autos() -> list[str]:
    return [name for name in dir(modeling_auto) if name.startswith("AutoModel")]


def _is_model(name: str) -> bool:
    return bool(re.search(r"(?<!PreTrained)(Model|For[A-Z]\w*)$", name))


def model_types() -> list[str]:
    """What `model_type` of a configuration may be."""
    return list(CONFIG_MAPPING.keys())


def files_of(model: nn.Module) -> Mapping[str, bytes]:
    """`config.json`, as `save_pretrained` writes it beside float32 weights.

    Its `dtype` is "float32", the dtype of the build; whoever writes the checkpoint in another dtype sets that key.
    """
    config: Any = model.config
    config.architectures = [type(model).__name__]
    config.dtype = "float32"
    return {"config.json": config.to_json_string(use_diff=True).encode()}


def _head_class(name: str) -> Any:
    """An Auto class or a model class of the library itself."""
    found = getattr(transformers, name, None) if name.isidentifier() and not name.startswith("_") else None
    is_auto = name.startswith("AutoModel") and hasattr(found, "from_config")
    if is_auto or (isinstance(found, type) and issubclass(found, PreTrainedModel)):
        return found
    raise invalid(f"{FIELD}.name", f"transformers has no model class {name!r}; {suggestion(name, names(), 'classes')}")


def _constructor(head: Any, name: str, config: Any) -> Any:
    """What makes the model. Its module is imported here, outside the recording."""
    if not issubclass(head, PreTrainedModel):
        text = f"{name} has no model of type {config.model_type!r}"
        if type(config) not in head._model_mapping:
            raise invalid(f"{FIELD}.config.model_type", f"{text}; {_takers(config)}")
        try:
            _ = head._model_mapping[type(config)]
        except ValueError as error:
            reason = "transformers lists a class for it, but does not have that class"
            raise invalid(f"{FIELD}.config.model_type", f"{text}: {reason}") from error
        return head.from_config
    if not isinstance(config, head.config_class):
        wants = head.config_class.model_type
        raise invalid(f"{FIELD}.config.model_type", f"{name} needs {wants!r}, the config says {config.model_type!r}")
    return head._from_config


def _takers(config: Any) -> str:
    """The classes that make a model of a configuration, in words."""
    heads = [auto for auto in _autos() if type(config) in getattr(getattr(modeling_auto, auto), "_model_mapping", ())]
    if heads:
        return f"classes that have one: {', '.join(heads)}"
    family = getattr(transformers.models, model_type_to_module_name(config.model_type))
    models = [getattr(family, name) for name in dir(family) if _is_model(name)]
    own = [model.__name__ for model in models if getattr(model, "config_class", None) is type(config)]
    return (
        f"classes that have one: {', '.join(own)}" if own else "no class takes it: it is a part of other configurations"
    )


def _config(given: dict[str, object]) -> Any:
    field = f"{FIELD}.config.model_type"
    model_type = given.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise invalid(field, "required: the configuration's type, e.g. gpt2 or llama")
    if model_type not in CONFIG_MAPPING:
        hint = suggestion(model_type, CONFIG_MAPPING.keys(), "types")
        raise invalid(field, f"unknown model type {model_type!r}; {hint}")
    cls: Any = CONFIG_MAPPING[model_type]
    keywords = _fitted(cls, {key: value for key, value in given.items() if key != "model_type"}, f"{FIELD}.config")
    try:
        with quiet():
            return cls(**keywords)
    except Exception as error:
        raise explain(error, f"transformers {cls.__name__}", f"{FIELD}.config", _target(cls).parameters) from error


def _fitted(cls: Any, given: Mapping[str, object], path: str) -> dict[str, object]:
    """Keys checked and values in the types that the class wants, sub-configurations included."""
    accepted = _target(cls)
    check_names(given, accepted.parameters, path)
    return {key: _fitted_value(cls, accepted, key, value, f"{path}.{key}") for key, value in given.items()}


def _fitted_value(cls: Any, accepted: Target, key: str, value: object, path: str) -> object:
    if not isinstance(value, dict):
        return accepted.fit(key, value)
    sub = cls.sub_configs.get(key)
    if sub is not None:
        own = CONFIG_MAPPING.get(str(value.get("model_type")), None) if sub is transformers.AutoConfig else sub
        if own is not None and dataclasses.is_dataclass(own):
            return _fitted(own, value, path)
    hints = _typed_keys(accepted.parameters[key].annotation)
    return {name: Target(hints).fit(name, item) for name, item in value.items()}


def _typed_keys(annotation: Any) -> dict[str, Parameter]:
    """Keys of a TypedDict among the alternatives of an annotation, e.g. those of RopeParameters."""
    alternatives = getattr(annotation, "__args__", (annotation,))
    keys = [getattr(item, "__annotations__", {}) for item in alternatives]
    return {name: Parameter(hint) for hints in keys for name, hint in hints.items()}


def _target(cls: Any) -> Target:
    """Every key that a configuration class takes: fields, aliases, and keywords of older formats."""
    known = {field.name: Parameter(field.type, _default(field)) for field in dataclasses.fields(cls)}
    for alias, name in cls.attribute_map.items():
        known.setdefault(alias, known.get(name, Parameter()))
    for key in (*_GENERAL, *_undeclared(cls)):
        known.setdefault(key, Parameter())
    return Target(known)


def _default(field: dataclasses.Field[Any]) -> object:
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def _undeclared(cls: type) -> Iterator[str]:
    """Keys that the constructors of a class and its bases look up in their keywords, read from their source."""
    for base in cls.__mro__:
        for name in _READERS:
            function = vars(base).get(name)
            if inspect.isfunction(function) and function.__code__.co_filename.endswith(".py"):
                yield from _TAKEN.findall(_source(function))


def _source(function: Any) -> str:
    try:
        return inspect.getsource(inspect.unwrap(function))
    except OSError:
        return ""  # Made on the fly, as dataclasses make __init__.
