"""Emit the machine code of a compiled kernel, for loading without Numba.

Numba's own wrappers and allocator need its C libraries. Ours is a C function of Python, which checks the arguments and
releases the GIL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

from llvmlite import binding, ir
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from slopes.kernels.compiling.machine_code import CodeError, MachineCode, make_target_machine

HEAD = object.__basicsize__  #: bytes of a Python object before its fields, ending with its type
# places of fields in NumPy's structs PyArrayObject_fields and _PyArray_Descr, fixed by its ABI
DATA, DIMENSIONS, SHAPE, DESCRIPTION, FLAGS = HEAD, HEAD + 8, HEAD + 16, HEAD + 40, HEAD + 48
KIND, BYTE_ORDER, ITEM_SIZE = HEAD + 8, HEAD + 10, HEAD + 24
CONTIGUOUS_AND_ALIGNED = 0x101
RETURNED_NONE = -2  #: status of a Numba function that returns nothing
# places of fields in Numba's struct MemInfo, after a count of references
MEMORY_DATA, MEMORY_SIZE, MEMORY_INFO = 24, 32, 48

BYTE, WORD, LONG, VOID = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.VoidType()
POINTER = BYTE.as_pointer()
NULL = POINTER(None)


@contextmanager
def optimizing_for_host() -> Iterator[None]:
    """Let Numba optimise for the machine that code is emitted for, and nothing else compile meanwhile."""
    generator = cpu_target.target_context.codegen()
    with global_compiler_lock:
        theirs, generator._tm = generator._tm, make_target_machine()
        try:
            yield
        finally:
            generator._tm = theirs


def emit(dispatcher: Any, name: str) -> MachineCode:
    """Machine code of a Numba function with one signature and no result, under a name unique in the process.

    Raises CodeError where LLVM refuses it.
    """
    (signature,) = dispatcher.signatures
    try:
        return _emit(dispatcher, name, signature)
    except RuntimeError as error:
        raise CodeError(f"LLVM: {error}") from error


def _emit(dispatcher: Any, name: str, signature: Any) -> MachineCode:
    module = binding.parse_assembly(dispatcher.inspect_llvm(signature))
    wrapper = _Wrapper(name, dispatcher.overloads[signature], signature, module.triple)
    module.link_in(binding.parse_assembly(str(wrapper.module)))
    symbols = _keep_what_is_reached(module, name)
    module.verify()
    return MachineCode(name, symbols, make_target_machine().emit_object(module))


def _keep_what_is_reached(module: Any, entry: str) -> tuple[str, ...]:
    """Drop functions that the entry does not reach; return the external symbols."""
    things = {thing.name: thing for thing in (*module.functions, *module.global_variables)}
    reached, waiting = set(), [entry]
    while waiting:
        name = waiting.pop()
        if name in things and name not in reached:
            reached.add(name)
            waiting += [
                quoted or plain for quoted, plain in re.findall(r'@(?:"([^"]+)"|([\w.$-]+))', str(things[name]))
            ]
    for name, thing in things.items():
        if not thing.is_declaration and name != entry:
            is_left_out = thing.is_function and name not in reached
            thing.linkage = "available_externally" if is_left_out else "internal"
    return tuple(sorted(name for name in reached if things[name].is_declaration and not name.startswith("llvm.")))


class _Wrapper:
    def __init__(self, name: str, compiled: Any, signature: Sequence[Any], triple: str) -> None:
        self.module = ir.Module("wrapper")
        self.module.triple = triple
        self._add_allocator()
        entry = ir.Function(self.module, ir.FunctionType(POINTER, (POINTER, POINTER.as_pointer(), LONG)), name)
        self._array_type, given, count = entry.args
        self._builder = builder = ir.IRBuilder(entry.append_basic_block("entry"))
        self._refusal = entry.append_basic_block("refusal")
        self._failure = entry.append_basic_block("failure")

        self._require([builder.icmp_signed("==", count, LONG(len(signature)))], self._refusal)
        arguments: list[Any] = []
        for place, kind in enumerate(signature):
            thing = builder.load(builder.gep(given, [LONG(place)]))
            arguments += self._array(thing, kind) if isinstance(kind, types.Array) else [self._number(thing, kind)]
        if not all(isinstance(kind, types.Array) for kind in signature):
            error = self._call("PyErr_Occurred", POINTER)
            self._require([builder.icmp_unsigned("==", error, NULL)], self._failure)
        self._finish(compiled, arguments)

    def _finish(self, compiled: Any, arguments: list[Any]) -> None:
        builder, convention = self._builder, compiled.target_context.call_conv
        kind = convention.get_function_type(compiled.fndesc.restype, compiled.fndesc.argtypes)
        function = ir.Function(self.module, kind, compiled.fndesc.llvm_func_name)
        given = [builder.alloca(POINTER), builder.alloca(POINTER), *arguments]  # for a result and an exception
        given = [builder.bitcast(a, due) if due.is_pointer else a for a, due in zip(given, kind.args, strict=True)]
        state = self._call("PyEval_SaveThread", POINTER)
        status = builder.call(function, given)
        self._call("PyEval_RestoreThread", VOID, state)
        memory = builder.append_basic_block("memory")
        is_fine = [builder.icmp_signed("==", status, WORD(number)) for number in (0, RETURNED_NONE)]
        self._require([builder.or_(*is_fine)], memory)
        none = ir.GlobalVariable(self.module, BYTE, "_Py_NoneStruct")
        self._call("Py_IncRef", VOID, none)
        builder.ret(none)

        builder.position_at_end(memory)  # the only exception of loops without checks
        self._call("PyErr_NoMemory", POINTER)
        builder.branch(self._failure)
        builder.position_at_end(self._refusal)
        self._call("PyErr_BadArgument", WORD)
        builder.branch(self._failure)
        builder.position_at_end(self._failure)
        builder.ret(NULL)

    def _call(self, name: str, result: Any, *arguments: Any) -> Any:
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, ir.FunctionType(result, [a.type for a in arguments]), name)
        return self._builder.call(function, arguments)

    def _require(self, conditions: list[Any], otherwise: Any) -> None:
        following = self._builder.append_basic_block("following")
        self._builder.cbranch(reduce(self._builder.and_, conditions), following, otherwise)
        self._builder.position_at_end(following)

    def _field(self, thing: Any, offset: int, kind: Any) -> Any:
        place = self._builder.gep(thing, [LONG(offset)])
        return self._builder.load(self._builder.bitcast(place, kind.as_pointer()))

    def _array(self, thing: Any, kind: Any) -> list[Any]:
        """Fields of a Numba array: two owners, count and size of entries, data, shape, strides."""
        builder = self._builder
        size = LONG(kind.dtype.bitwidth // 8)
        self._require(
            [builder.icmp_unsigned("==", self._field(thing, HEAD - 8, POINTER), self._array_type)], self._refusal
        )
        description = self._field(thing, DESCRIPTION, POINTER)
        flags = builder.and_(self._field(thing, FLAGS, WORD), WORD(CONTIGUOUS_AND_ALIGNED))
        expected = [
            (self._field(thing, DIMENSIONS, WORD), WORD(kind.ndim)),
            (flags, WORD(CONTIGUOUS_AND_ALIGNED)),
            (self._field(description, KIND, BYTE), BYTE(ord("f" if isinstance(kind.dtype, types.Float) else "i"))),
            (self._field(description, BYTE_ORDER, BYTE), BYTE(ord("="))),
            (self._field(description, ITEM_SIZE, LONG), size),
        ]
        self._require([builder.icmp_signed("==", a, b) for a, b in expected], self._refusal)
        lengths = self._field(thing, SHAPE, LONG.as_pointer())
        shape = [builder.load(builder.gep(lengths, [LONG(axis)])) for axis in range(kind.ndim)]
        strides = [size]
        for length in shape[:0:-1]:
            strides.insert(0, builder.mul(strides[0], length))
        count = reduce(builder.mul, shape)
        return [NULL, NULL, count, size, self._field(thing, DATA, POINTER), *shape, *strides]

    def _number(self, thing: Any, kind: Any) -> Any:
        if not isinstance(kind, types.Float):
            return self._call("PyLong_AsLongLong", LONG, thing)
        number = self._call("PyFloat_AsDouble", ir.DoubleType(), thing)
        return number if kind.bitwidth == 64 else self._builder.fptrunc(number, ir.FloatType())

    def _add_allocator(self) -> None:
        """Define Numba's functions for an array's memory by Python's allocator."""
        allocate = ir.Function(self.module, ir.FunctionType(POINTER, (LONG, WORD)), "NRT_MemInfo_alloc_aligned")
        self._builder = builder = ir.IRBuilder(allocate.append_basic_block("entry"))
        size, alignment = allocate.args[0], builder.zext(allocate.args[1], LONG)
        room = builder.add(builder.add(size, alignment), LONG(MEMORY_INFO))
        memory = self._call("PyMem_RawMalloc", POINTER, room)
        nothing = builder.append_basic_block("nothing")
        self._require([builder.icmp_unsigned("!=", memory, NULL)], nothing)
        start = builder.add(builder.ptrtoint(memory, LONG), builder.add(alignment, LONG(MEMORY_INFO - 1)))
        data = builder.and_(start, builder.neg(alignment))
        for offset in range(0, MEMORY_INFO, 8):
            value = {0: LONG(1), MEMORY_DATA: data, MEMORY_SIZE: size}.get(offset, LONG(0))
            builder.store(value, builder.bitcast(builder.gep(memory, [LONG(offset)]), LONG.as_pointer()))
        builder.ret(memory)
        builder.position_at_end(nothing)
        builder.ret(NULL)

        free = ir.Function(self.module, ir.FunctionType(VOID, (POINTER,)), "NRT_MemInfo_call_dtor")
        self._builder = ir.IRBuilder(free.append_basic_block("entry"))
        self._call("PyMem_RawFree", VOID, *free.args)
        self._builder.ret_void()
