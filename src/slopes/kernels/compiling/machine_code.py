"""Load machine code by llvmlite alone: importing Numba and loading its cache takes a second."""

from __future__ import annotations

import ctypes
import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import binding

METH_FASTCALL = 0x0080


class CodeError(Exception):
    """Machine code is damaged, or needs a function that is missing."""


class MachineCode(NamedTuple):
    name: str
    symbols: tuple[str, ...]
    code: bytes

    def to_bytes(self) -> bytes:
        """A line of JSON with a checksum, then the object file."""
        head = {"name": self.name, "symbols": self.symbols, "sha256": hashlib.sha256(self.code).hexdigest()}
        return json.dumps(head).encode() + b"\n" + self.code

    @classmethod
    def from_bytes(cls, data: bytes) -> MachineCode:
        """Inverse of `to_bytes`, or CodeError."""
        line, _, code = data.partition(b"\n")
        try:
            head = json.loads(line)
            if head["sha256"] == hashlib.sha256(code).hexdigest():
                return cls(head["name"], tuple(head["symbols"]), code)
        except (ValueError, TypeError, KeyError):
            pass
        raise CodeError("the file is damaged")


def describe_cpu() -> str:
    return f"{binding.get_host_cpu_name()} {_list_features()}"


def _list_features() -> str:
    """The processor's features, with registers of 512 bits where they do not slow its clock, as before Ice Lake."""
    features = binding.get_host_cpu_features()
    listed: str = features.flatten()
    return f"{listed},-prefer-256-bit" if features.get("avx512vbmi2") else listed


def make_target_machine() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(
        cpu=binding.get_host_cpu_name(), features=_list_features(), opt=3,
        reloc="static" if target.name.startswith("x86") else "default", codemodel="jitdefault", jit=True,
    )  # fmt: skip


@lru_cache
def _engine() -> Any:
    return binding.create_mcjit_compiler(binding.parse_assembly(""), make_target_machine())


class _MethodDefinition(ctypes.Structure):
    """Python's struct PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


_definitions: list[_MethodDefinition] = []  # must live as long as the functions
_make_function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


def load(machine_code: MachineCode) -> Callable[..., None]:
    """Function of machine code, or CodeError if a symbol is missing."""
    engine = _engine()  # makes the process's symbols known
    missing = [symbol for symbol in machine_code.symbols if binding.address_of_symbol(symbol) is None]
    if missing:  # LLVM would end the process
        raise CodeError(f"this process has no {', '.join(missing)}")
    engine.add_object_file(binding.ObjectFileRef.from_data(machine_code.code))
    engine.finalize_object()
    address = engine.get_function_address(machine_code.name)
    if not address:
        raise CodeError(f"there is no function {machine_code.name}")
    definition = _MethodDefinition(b"kernel", address, METH_FASTCALL, None)
    _definitions.append(definition)
    function: Callable[..., None] = _make_function(ctypes.addressof(definition), np.ndarray, None)
    return function
