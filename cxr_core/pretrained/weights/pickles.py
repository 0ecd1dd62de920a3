"""A reader of torch's pickles that executes nothing.

Python's unpickler imports names and calls them, so that a file can run any code. Here ``pickletools`` splits the pickle
into opcodes, and a small stack machine follows those that torch writes (protocols 2 to 4) and builds the records of
:mod:`.records`. An opcode or a name outside the accepted ones ends the reading, and so do more than :data:`MAX_STEPS`
opcodes.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from .records import ALLOWED, CLASSES, DTYPES, Global, HostilePickle, Ignored, Instance, Storage, Tensor

__all__ = ["MAX_STEPS", "read_pickle"]

MAX_STEPS = 2_000_000
"""DenseNet121 as a whole pickled module takes some 100,000 steps."""

T = TypeVar("T")

_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_TUPLE": tuple,
}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
}


def read_pickle(file: BinaryIO, storages: dict[str, Storage] | None = None) -> Any:
    """Read one pickle from the current position of ``file``, which is left behind the pickle's end.

    Args:
        file: open for reading.
        storages: filled with every storage that the pickle names, by key.

    Returns:
        None, numbers, text, tuples, lists, dicts, and records. Sets are lists; a persistent id is
        a :class:`.Storage`, or the name of a class.

    Raises:
        HostilePickle: a name outside :data:`.ALLOWED`, an opcode that no torch file needs, a call with arguments
            that torch does not write, or a broken pickle.
    """
    machine = _Machine({} if storages is None else storages)
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if number > MAX_STEPS:
                raise HostilePickle(f"its pickle has more than {MAX_STEPS:,} steps")
            if opcode.name == "STOP":
                return machine.result()
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, UnicodeError, MemoryError) as error:
        raise HostilePickle("its pickle is broken or truncated") from error
    raise HostilePickle("its pickle is truncated")


class _Machine:
    """The stack and the memo of a pickle that is being read."""

    def __init__(self, storages: dict[str, Storage]) -> None:
        self._storages = storages
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Any:
        (value,) = self._stack
        return value

    def step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif name in self._STEPS:
            self._STEPS[name](self, argument)
        elif name not in ("PROTO", "FRAME"):
            raise HostilePickle(f"its pickle has the step {name}, which no torch file needs")

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _since_mark(self) -> list[Any]:
        items = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _global(self, argument: str) -> None:
        self._stack.append(_allowed(argument.replace(" ", ".", 1)))

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._stack.append(_allowed(f"{_typed(module, str)}.{_typed(name, str)}"))

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._since_mark()))

    def _tuple1(self, _: Any) -> None:
        self._stack[-1:] = [(self._stack[-1],)]

    def _tuple2(self, _: Any) -> None:
        self._stack[-2:] = [tuple(self._stack[-2:])]

    def _tuple3(self, _: Any) -> None:
        self._stack[-3:] = [tuple(self._stack[-3:])]

    def _append(self, _: Any) -> None:
        item = self._stack.pop()
        _typed(self._stack[-1], list).append(item)

    def _appends(self, _: Any) -> None:
        items = self._since_mark()
        _typed(self._stack[-1], list).extend(items)

    def _set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        _fill(self._stack[-1], [key, value])

    def _set_items(self, _: Any) -> None:
        items = self._since_mark()
        _fill(self._stack[-1], items)

    def _persistent(self, _: Any) -> None:
        value = _by_persistent_id(self._stack.pop())
        if isinstance(value, Storage) and self._storages.setdefault(value.key, value) != value:
            raise HostilePickle("a storage is described twice, differently")
        self._stack.append(value)

    def _new(self, _: Any) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if not isinstance(kind, Global) or kind.name not in CLASSES or arguments != ():
            raise HostilePickle("it makes an object that is no module of a network")
        self._stack.append(Instance(kind.name))

    def _build(self, _: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, Instance) and isinstance(state, dict) and not target.state:
            target.state.update((_typed(key, str), value) for key, value in state.items())
        elif isinstance(target, Ignored | Tensor) and isinstance(state, tuple):
            pass  # a NumPy type's byte order; whether torch 0.3 computes a parameter's gradient
        elif not (isinstance(target, dict) and isinstance(state, dict)):  # an OrderedDict's own: versions
            raise HostilePickle("it sets attributes of something that is no module")

    def _reduce(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise HostilePickle("it calls something that is no name")
        self._stack.append(_call(function.name, arguments))

    _STEPS: dict[str, Callable[[_Machine, Any], None]] = {  # noqa: RUF012
        "MARK": _mark,
        "MEMOIZE": _memoize,
        "GLOBAL": _global,
        "STACK_GLOBAL": _stack_global,
        "TUPLE": _tuple,
        "TUPLE1": _tuple1,
        "TUPLE2": _tuple2,
        "TUPLE3": _tuple3,
        "APPEND": _append,
        "APPENDS": _appends,
        "ADDITEMS": _appends,
        "SETITEM": _set_item,
        "SETITEMS": _set_items,
        "BINPERSID": _persistent,
        "NEWOBJ": _new,
        "BUILD": _build,
        "REDUCE": _reduce,
    }


def _allowed(name: str) -> Global:
    if name not in ALLOWED:
        shown = "".join(c if c.isprintable() else "?" for c in name[:80])
        raise HostilePickle(f"it asks for {shown}, which no network needs")
    return Global(name)


def _typed(value: Any, kind: type[T]) -> T:
    """Return a value of exactly this type, never of a subclass: True is no int here."""
    if type(value) is not kind:
        raise HostilePickle(f"its pickle has {type(value).__name__} where {kind.__name__} belongs")
    return value


def _fill(target: Any, items: list[Any]) -> None:
    mapping = _typed(target, dict)
    for key, value in zip(items[::2], items[1::2], strict=True):
        # only text and integers: hashing a deep tuple could take for ever
        if type(key) not in (str, int):
            raise HostilePickle("its pickle has a dict whose keys are neither text nor integers")
        mapping[key] = value


def _call(name: str, arguments: tuple[Any, ...]) -> Any:
    """Return the record of the object that a call would have built; its arguments are those of ``torch/_utils.py``."""
    match name, arguments:
        case "collections.OrderedDict", ():
            return {}
        case "collections.OrderedDict", (list() as pairs,):
            ordered: dict[Any, Any] = {}
            for pair in pairs:
                key, value = pair
                _fill(ordered, [key, value])
            return ordered
        case (("__builtin__.set" | "builtins.set"), (list() as items,)):
            return list(items)
        case "torch.Size", (tuple() as sizes,):
            return _sizes(sizes)
        case "torch._utils._rebuild_tensor", (Storage() as storage, offset, tuple() as shape, tuple() as strides):
            return Tensor(storage, _typed(offset, int), _sizes(shape), _sizes(strides))
        case "torch._utils._rebuild_tensor_v2", (
            Storage() as storage,
            offset,
            tuple() as shape,
            tuple() as strides,
            bool(),
            dict(),
            *rest,
        ) if len(rest) <= 1:
            return Tensor(storage, _typed(offset, int), _sizes(shape), _sizes(strides))
        case "torch._utils._rebuild_parameter", (Tensor() as tensor, bool(), dict()):
            return tensor
        case "torch._utils._rebuild_parameter_with_state", (Tensor() as tensor, bool(), dict(), _):
            return tensor
        case "torch.nn.parameter.Parameter", (Tensor() as tensor,):
            return tensor
        case "torch.nn.backends.thnn._get_thnn_function_backend", ():
            return None
        case (
            ("torch.device", (str(), *_))
            | ("numpy.dtype", (str(), *_))
            | ("_codecs.encode", (str(), str()))
            | (("numpy.core.multiarray.scalar" | "numpy._core.multiarray.scalar"), (Ignored(), _))
        ):
            return Ignored()
    raise HostilePickle(f"it calls {name} with arguments that torch does not write")


def _sizes(values: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(_typed(value, int) for value in values)


def _by_persistent_id(value: Any) -> Any:
    match value:
        case ("storage", Global() as kind, str() as key, str(), elements, *rest) if rest in ([], [None]):
            if kind.name not in DTYPES:
                raise HostilePickle(f"it stores elements as {kind.name}")
            return Storage(key, kind.name, _typed(elements, int))
        case ("module", Global() as kind, _, _):
            # the legacy format stores a class' source text beside its name; the text is ignored
            return kind
    raise HostilePickle("it has a persistent id that torch does not write")
