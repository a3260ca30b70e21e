#!/usr/bin/env python3
"""Puts a Python object behind pnl-bridge: its public methods answer the calls of the bridge.

    python3 pnl_bridge_worker.py [options] module.path:Name [JSON arguments]

`Name` is a class, a function that returns the object, or the object itself; without `:Name` the object is the
module. The arguments are passed to the class or function: a JSON object gives keyword arguments, a list gives
positional arguments, and any other value is the only argument. Modules of the working folder can be imported.
The worker is one file and needs only Python 3.9 or newer: copy it wherever you need it.

The request of a call fills the parameters of the method by name. If the method has one parameter and the
request does not name it, the parameter gets the whole request. A request that fits in neither way is refused.

Answers are written as JSON exactly; a value that JSON cannot hold is reported:

| Python                       | JSON                                                                        |
|------------------------------|-----------------------------------------------------------------------------|
| int, of any size             | number, all digits                                                          |
| float, numpy float16/32/64   | number, in the shortest text that reads back as the same value;             |
|                              | NaN and infinity become null and are noted on stderr                        |
| Decimal, numpy longdouble    | text, all digits, no exponent                                               |
| Fraction                     | text, p/q                                                                   |
| date, time, datetime,        | text, ISO 8601; NaT becomes null                                            |
| Timestamp, datetime64        |                                                                             |
| timedelta                    | number of seconds                                                           |
| Enum                         | its value                                                                   |
| dataclass, namedtuple,       | object; keys that are not text become text; two equal keys are refused      |
| mapping                      |                                                                             |
| list, tuple, deque, range,   | list                                                                        |
| generator, numpy array       |                                                                             |
| set, frozenset               | list, sorted by its JSON text                                               |
| pandas DataFrame             | list of rows, as objects by column; an index other than pandas' own counter |
|                              | (a RangeIndex 0, 1, 2, ... without a name) becomes a column, named `index`  |
|                              | if the index has no name                                                    |
| pandas Series                | list; an object if its index is not pandas' own counter                     |
| any other with to_dict()     | the value that to_dict() returns                                            |
| any other                    | the call fails with the place and the type of the value                     |

The output of the object goes to stderr, also from C code and from child processes, because stdout belongs
to the protocol. Its stdin is empty. An error is reported with its class, its message, and its `code` if
that is text; the traceback goes to stderr.

The bridge names the methods that it calls when it starts the worker, and the worker refuses all others. A
bridge that names none may call every public method. The worker never offers names that begin with an
underscore, properties, classes, and callable objects that are not methods, such as an open database
connection.

The worker makes one call at a time, in the main thread, which also made the object (sqlite3 requires this).
With `--threads N` it makes N calls at a time, any of the N threads may make the object, and the object must
be thread-safe. A call is not made if its deadline has passed before it begins.

The bridge may request read-only access. Then the parameter `read_only` of the constructor or function, if
there is one and the arguments do not set it, gets True (otherwise False), and so does the object's method
`set_read_only`, if there is one. Methods named by `--writes` or by the attribute `pnl_bridge_writes` are then
refused.

The protocol (version 1) is JSON-RPC 2.0 with one message per line; src/adapters/worker/protocol.ts of
pnl-bridge describes it.
"""

import argparse
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import importlib
import inspect
import json
import math
import numbers
import os
import queue
import sys
import threading
import time
import traceback

PROTOCOL_VERSION = 1
DEPTH_MAX = 100
DIGITS_MAX = 400
MESSAGE_MAX = 1000
QUEUE_MAX = 1000
MIB = 1 << 20

METHOD_NOT_FOUND = -32601
BAD_REQUEST = -32602
FAILED = -32000
TOO_LATE = -32001
TOO_LARGE = -32002
BUSY = -32003
READ_ONLY = -32004
NOT_JSON = -32005


AS_THEY_ARE = frozenset((str, int, bool, type(None)))


class Refusal(Exception):
    """A failure with a code of the protocol."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


# --- values to JSON -----------------------------------------------------------------------------------------


def to_json(value, notes=None):
    """Returns the JSON text of a value. Raises Refusal.

    Adds a note for each number that is NaN or infinite and becomes null. NaN in pandas objects gets no note,
    because pandas uses it for a missing value.
    """
    plain = jsonable(value, "", 0, [] if notes is None else notes)
    try:
        return json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise Refusal(NOT_JSON, "the answer cannot be written as JSON: %s" % error)


def jsonable(value, path, depth, notes):
    """Converts the value to types that json.dumps writes exactly."""
    kind = type(value)
    if kind in AS_THEY_ARE:
        return value
    if kind is float:
        return finite(value, path, notes)
    if depth > DEPTH_MAX:
        what = "%s is nested more than %d levels deep, or holds itself"
        raise Refusal(NOT_JSON, what % (shown(path), DEPTH_MAX))
    if kind is dict:
        return from_mapping(value, path, depth, notes)
    if kind is list or kind is tuple:
        return from_list(value, path, depth, notes)
    if isinstance(value, enum.Enum):
        return jsonable(value.value, path, depth + 1, notes)
    if isinstance(value, decimal.Decimal):
        return decimal_text(value, path, notes)
    if isinstance(value, fractions.Fraction):
        return str(value)
    if isinstance(value, (datetime.date, datetime.time)):
        # pandas.NaT is a datetime that does not equal itself.
        return value.isoformat() if value == value else None
    if isinstance(value, datetime.timedelta):
        return finite(value.total_seconds(), path, notes) if value == value else None
    if kind.__module__.split(".")[0] == "numpy":
        return from_numpy(value, path, depth, notes)
    if kind.__module__.split(".")[0] == "pandas":
        return from_pandas(value, path, depth, notes)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return finite(float(value), path, notes)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return from_mapping(fields, path, depth, notes)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return from_mapping(value._asdict(), path, depth, notes)
    if isinstance(value, collections.abc.Mapping):
        return from_mapping(value, path, depth, notes)
    if callable(getattr(value, "to_dict", None)) and not isinstance(value, type):
        return jsonable(value.to_dict(), path, depth + 1, notes)
    if isinstance(value, collections.abc.Set):
        entries = from_list(value, path, depth, notes)
        return sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise no_json(value, path)
    if isinstance(value, (collections.abc.Sequence, collections.abc.Iterator, collections.abc.ValuesView)):
        return from_list(value, path, depth, notes)
    raise no_json(value, path)


def finite(number, path, notes):
    if math.isfinite(number):
        return number
    notes.append("%s was %r" % (shown(path), number))
    return None


def decimal_text(value, path, notes):
    if not value.is_finite():
        notes.append("%s was %s" % (shown(path), value))
        return None
    _, digits, exponent = value.as_tuple()
    if len(digits) + abs(exponent) > DIGITS_MAX:
        raise Refusal(NOT_JSON, "%s has more than %d digits" % (shown(path), DIGITS_MAX))
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def from_mapping(value, path, depth, notes):
    result = {}
    for key, entry in value.items():
        name = key_text(key, path)
        if name in result:
            raise Refusal(NOT_JSON, "%s has the key %s twice, once as another type" % (shown(path), name))
        as_it_is = type(entry) in AS_THEY_ARE
        result[name] = entry if as_it_is else jsonable(entry, "%s.%s" % (path, name), depth + 1, notes)
    return result


def key_text(key, path):
    if isinstance(key, enum.Enum):
        return key_text(key.value, path)
    text = jsonable(key, path, 0, []) if not isinstance(key, (tuple, list, dict)) else key
    if isinstance(text, str):
        return text
    if isinstance(text, (bool, int, float)):
        return json.dumps(text)
    raise Refusal(NOT_JSON, "%s has a key that cannot be text: %s" % (shown(path), repr(key)[:80]))


def from_list(value, path, depth, notes):
    inner = "%s[]" % path
    return [
        entry if type(entry) in AS_THEY_ARE else jsonable(entry, inner, depth + 1, notes)
        for entry in value
    ]


def from_numpy(value, path, depth, notes):
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.ndarray):
        if value.ndim == 0:
            return jsonable(value[()], path, depth + 1, notes)
        # tolist() would turn a float32 into a double with a longer text.
        keeps_text = value.dtype.kind in "biu" or value.dtype == float
        return from_list(value.tolist() if keeps_text else value, path, depth, notes)
    if isinstance(value, numpy.bool_):
        return bool(value)
    if isinstance(value, numpy.integer):
        # A timedelta64 is an integer too, in its own unit.
        if isinstance(value, numpy.timedelta64):
            return None if numpy.isnat(value) else float(value / numpy.timedelta64(1, "s"))
        return int(value)
    if isinstance(value, numpy.floating):
        if not numpy.isfinite(value):
            return finite(float(value), path, notes)
        # float() reads the shortest text of the number: a float32 of 0.1 stays 0.1, not 0.10000000149011612.
        return float(value) if isinstance(value, float) else longest(value, path, notes)
    if isinstance(value, numpy.datetime64):
        return None if numpy.isnat(value) else str(value)
    if isinstance(value, numpy.str_):
        return str(value)
    raise no_json(value, path)


def longest(value, path, notes):
    text = str(value)
    return float(text) if value.dtype.itemsize < 8 else decimal_text(decimal.Decimal(text), path, notes)


def from_pandas(value, path, depth, notes):
    pandas = sys.modules["pandas"]
    if value is pandas.NA or value is pandas.NaT:
        return None
    if isinstance(value, pandas.DataFrame):
        if not value.columns.is_unique:
            raise Refusal(NOT_JSON, "%s is a frame with two columns of one name" % shown(path))
        if not is_counter(pandas, value.index):
            value = value.reset_index()
        columns = [cells_of(value.iloc[:, place]) for place in range(value.shape[1])]
        names = [key_text(name, path) for name in value.columns]
        return [
            {name: from_cell(cell, "%s[].%s" % (path, name), depth, notes) for name, cell in zip(names, row)}
            for row in zip(*columns)
        ]
    if isinstance(value, pandas.Series):
        cells = [from_cell(cell, "%s[]" % path, depth, notes) for cell in cells_of(value)]
        if is_counter(pandas, value.index):
            return cells
        names = [key_text(name, path) for name in value.index.tolist()]
        if len(set(names)) < len(names):
            raise Refusal(NOT_JSON, "%s is a series with two entries of one name" % shown(path))
        return dict(zip(names, cells))
    if isinstance(value, pandas.Index):
        return from_list(value.tolist(), path, depth, notes)
    if callable(getattr(value, "isoformat", None)):
        return value.isoformat()
    raise no_json(value, path)


def cells_of(series):
    """Returns the cells as Python values. A float32 stays, because its short text would be lost."""
    is_small_float = series.dtype.kind == "f" and series.dtype.itemsize < 8
    return list(series.to_numpy()) if is_small_float else series.tolist()


def from_cell(cell, path, depth, notes):
    """Converts a cell. Adds no note for NaN, because pandas uses it for a missing value."""
    if isinstance(cell, numbers.Real) and math.isnan(cell):
        return None
    return jsonable(cell, path, depth + 1, notes)


def is_counter(pandas, index):
    is_range = isinstance(index, pandas.RangeIndex)
    return is_range and index.start == 0 and index.step == 1 and index.name is None


def no_json(value, path):
    what = "%s is a %s, which has no form in JSON"
    return Refusal(NOT_JSON, what % (shown(path), type(value).__qualname__))


def shown(path):
    return path.lstrip(".") or "the answer"


# --- the object ---------------------------------------------------------------------------------------------


class Target:
    """The object and its methods that may be called."""

    def __init__(self, spec, arguments, writes, read_only, only=None):
        made, name = load(spec)
        if inspect.isclass(made) or inspect.isroutine(made):
            made = build(made, arguments, read_only)
        elif arguments is not None:
            raise TypeError("%s is an object already and takes no arguments" % spec)
        self.name = name
        self.read_only = read_only
        self.object = made
        set_read_only = getattr(made, "set_read_only", None)
        if callable(set_read_only):
            set_read_only(read_only)
        self.writes = set(writes) | set(getattr(made, "pnl_bridge_writes", ()))
        self.found, public = describe_methods(made)
        unknown = self.writes - set(public)
        if unknown:
            raise TypeError("methods declared as writing do not exist: %s" % ", ".join(sorted(unknown)))
        self.methods = {name: method for name, method in public.items() if only is None or name in only}

    def call(self, name, request):
        method = self.methods.get(name)
        if method is None:
            raise Refusal(METHOD_NOT_FOUND, "there is no method %s" % str(name)[:100])
        if self.read_only and name in self.writes:
            raise Refusal(READ_ONLY, "%s writes, and this worker was started for reading only" % name)
        arguments, keywords = fit(method, name, request)
        answer = method(*arguments, **keywords)
        if not inspect.isawaitable(answer):
            return answer
        # Imported only here, because the import is slow and few services need it.
        import asyncio

        return asyncio.run(awaited(answer))


async def awaited(answer):
    return await answer


def load(spec):
    module_name, _, path = spec.partition(":")
    value = importlib.import_module(module_name)
    for name in filter(None, path.split(".")):
        value = getattr(value, name)
    return value, path or module_name


def build(maker, arguments, read_only):
    keywords = dict(arguments) if isinstance(arguments, dict) else {}
    positional = list(arguments) if isinstance(arguments, list) else []
    if arguments is not None and not isinstance(arguments, (dict, list)):
        positional = [arguments]
    signature = signature_of(maker)
    if signature is not None and "read_only" in signature.parameters:
        keywords.setdefault("read_only", read_only)
    return maker(*positional, **keywords)


def describe_methods(value):
    """Returns a description of each method of an object, private or not, and the public methods by name."""
    found, public = [], {}
    for name in dir(value):
        if name.startswith("__") or name == "set_read_only":
            continue
        # A property is not a method, and reading it may run code.
        static = inspect.getattr_static(value, name)
        if isinstance(static, functools.cached_property) or inspect.isdatadescriptor(static):
            continue
        method = getattr(value, name, None)
        if not callable(method) or inspect.isclass(method):
            continue
        if inspect.ismodule(value) and getattr(method, "__module__", None) != value.__name__:
            continue
        description = {"name": name, "parameters": parameters_of(method)}
        if name.startswith("_"):
            description["leftOut"] = "it is private"
        elif not inspect.isroutine(method) and not isinstance(method, functools.partial):
            description["leftOut"] = "it is an object (%s), not a method" % type(method).__qualname__
        else:
            public[name] = method
        found.append(description)
    return found, public


def parameters_of(method):
    """Returns the parameters as in the source, without annotations; None if Python does not know them."""
    signature = signature_of(method)
    if signature is None:
        return None
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    return [str(parameter)[:100] for parameter in bare]


def signature_of(function):
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def fit(method, name, request):
    """Returns positional and keyword arguments: the request's fields by name, or the whole request as one."""
    signature = signature_of(method)
    if signature is None:
        return ([] if request is None else [request]), {}
    if isinstance(request, dict) and binds(signature, (), request):
        return [], request
    if request is None and binds(signature, (), {}):
        return [], {}
    if len(signature.parameters) == 1 and binds(signature, (request,), {}):
        return [request], {}
    takes = ", ".join(str(parameter) for parameter in signature.parameters.values()) or "nothing"
    given = ", ".join(map(str, request)) if isinstance(request, dict) else type(request).__name__
    raise Refusal(BAD_REQUEST, "%s takes %s; the request has %s" % (name, takes, given or "nothing"))


def binds(signature, arguments, keywords):
    try:
        signature.bind(*arguments, **keywords)
        return True
    except TypeError:
        return False


# --- the protocol -------------------------------------------------------------------------------------------


class Wire:
    """Reads and writes lines, on file descriptors that nothing else in this process uses."""

    def __init__(self, read_from, write_to, request_bytes_max):
        self.read_from = read_from
        self.write_to = write_to
        self.request_bytes_max = request_bytes_max
        self.answer_bytes_max = 32 * MIB
        self.lock = threading.Lock()

    def lines(self):
        """Yields each line and False; for a line that is too long, its beginning and True."""
        held, size, too_long = [], 0, False
        while True:
            chunk = os.read(self.read_from, 1 << 16)
            if not chunk:
                return
            pieces = chunk.split(b"\n")
            for place, piece in enumerate(pieces):
                if place > 0:
                    yield b"".join(held), too_long
                    held, size, too_long = [], 0, False
                size += len(piece)
                if size > self.request_bytes_max and not too_long:
                    held, too_long = [b"".join(held)[:200] or piece[:200]], True
                if not too_long and piece:
                    held.append(piece)

    def answer(self, identity, text):
        """Sends an answer. Returns False, and sends nothing, if it is too long."""
        line = b'{"jsonrpc":"2.0","id":%d,"result":%s}\n' % (identity, text.encode("ascii"))
        if len(line) > self.answer_bytes_max:
            return False
        self.send(line)
        return True

    def fail(self, identity, code, message, data=None):
        error = {"code": code, "message": message[:MESSAGE_MAX]}
        if data:
            error["data"] = data
        message_json = json.dumps({"jsonrpc": "2.0", "id": identity, "error": error}, separators=(",", ":"))
        self.send(message_json.encode("ascii") + b"\n")

    def send(self, line):
        with self.lock:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self.write_to, rest) :]


class Worker:
    def __init__(self, options, wire):
        self.options = options
        self.wire = wire
        self.calls = queue.Queue(QUEUE_MAX)
        self.target = None

    def run(self):
        """Makes the object and its calls, in the main thread and `--threads` - 1 others, until stdin ends."""
        threading.Thread(target=self.read, daemon=True).start()
        others = [threading.Thread(target=self.serve, daemon=True) for _ in range(self.options.threads - 1)]
        for other in others:
            other.start()
        self.serve()
        for other in others:
            other.join()

    def read(self):
        """Reads stdin in a separate thread, so that its end is noticed while a call runs."""
        try:
            for line, too_long in self.wire.lines():
                self.take(line, too_long)
        except OSError as error:
            note("stdin cannot be read: %s" % error)
        for _ in range(self.options.threads):
            self.put_end()
        time.sleep(self.options.grace)
        note("calls were still under way %g s after the end of stdin" % self.options.grace)
        flush()
        os._exit(1)

    def put_end(self):
        try:
            self.calls.put(None, timeout=self.options.grace)
        except queue.Full:
            pass

    def take(self, line, too_long):
        identity = None
        try:
            if too_long:
                identity = identity_of(line)
                raise Refusal(TOO_LARGE, "the request is longer than %d bytes" % self.wire.request_bytes_max)
            if not line.strip():
                return
            message = json.loads(line.decode("utf-8"), parse_constant=no_constant)
            identity, params = message["id"], message.get("params", {})
            if message["method"] == "initialize":
                self.calls.put((identity, "initialize", params, None))
                return
            if message["method"] != "call":
                raise Refusal(METHOD_NOT_FOUND, "the protocol has no %s" % str(message["method"])[:100])
            until = time.monotonic() + float(params["deadlineMs"]) / 1000
            self.calls.put_nowait((identity, params["method"], params.get("request"), until))
        except queue.Full:
            self.wire.fail(identity, BUSY, "%d calls wait in the worker" % QUEUE_MAX)
        except Refusal as refusal:
            self.fail_or_note(identity, refusal)
        except Exception as error:
            what = "the line is not a message of the protocol: %s" % describe(error)
            self.fail_or_note(identity, Refusal(BAD_REQUEST, what))

    def fail_or_note(self, identity, refusal):
        if isinstance(identity, int):
            self.wire.fail(identity, refusal.code, str(refusal))
        else:
            note(str(refusal))

    def serve(self):
        while True:
            call = self.calls.get()
            if call is None:
                return
            identity, method, request, until = call
            try:
                if until is None:
                    self.initialize(identity, request)
                elif time.monotonic() > until:
                    what = "the deadline of %s was over before it could begin" % method
                    self.wire.fail(identity, TOO_LATE, what)
                else:
                    self.answer(identity, method, request)
            except BrokenPipeError:
                os._exit(0)
            except Refusal as refusal:
                self.wire.fail(identity, refusal.code, str(refusal))
            except BaseException as error:  # SystemExit too, so that an object cannot end the worker.
                traceback.print_exc()
                self.wire.fail(identity, FAILED, message_of(error), data_of(error))
            flush()

    def initialize(self, identity, params):
        if params.get("protocolVersion") != PROTOCOL_VERSION:
            # The answer names this version, so that the bridge can report both versions.
            description = {"protocolVersion": PROTOCOL_VERSION, "name": "", "methods": []}
            self.wire.answer(identity, to_json(description))
            return
        self.wire.answer_bytes_max = int(params.get("answerBytesMax", self.wire.answer_bytes_max))
        options = self.options
        read_only, only = bool(params.get("readOnly", False)), params.get("methods")
        target = Target(options.target, options.arguments, options.writes, read_only, only)
        description = {
            "protocolVersion": PROTOCOL_VERSION,
            "name": target.name,
            "methods": sorted(target.methods),
            "concurrency": options.threads,
            "found": target.found,
        }
        self.target = target
        self.wire.answer(identity, to_json(description))

    def answer(self, identity, method, request):
        if self.target is None:
            raise Refusal(BAD_REQUEST, "the worker must first be initialized successfully")
        notes = []
        text = to_json(self.target.call(method, request), notes)
        if notes:
            more = "" if len(notes) == 1 else ", and %d more" % (len(notes) - 1)
            note("%s answered null for numbers that are not finite: %s%s" % (method, notes[0], more))
        if not self.wire.answer(identity, text):
            limit = self.wire.answer_bytes_max
            what = "the answer of %s has more than %d bytes" % (method, limit)
            self.wire.fail(identity, TOO_LARGE, what)


def no_constant(text):
    raise ValueError("%s is not JSON" % text)


def identity_of(head):
    """Returns the id of a request from its beginning, or None."""
    text = head.decode("latin-1")
    before, found, rest = text.partition('"id":')
    digits = rest.split(",")[0].strip()
    return int(digits) if found and digits.isdigit() and len(before) < 40 else None


def message_of(error):
    try:
        text = str(error)
    except Exception:
        text = ""
    return (text or type(error).__name__)[:MESSAGE_MAX]


def data_of(error):
    data = {"class": type(error).__name__}
    code = getattr(error, "code", None)
    # The `code` of a SystemExit is its message.
    if isinstance(code, str) and isinstance(error, Exception):
        data["code"] = code[:100]
    return data


def describe(error):
    return "%s: %s" % (type(error).__name__, message_of(error)[:200])


def note(text):
    print("pnl_bridge_worker: %s" % text, file=sys.stderr)


def flush():
    try:
        sys.stderr.flush()
    except Exception:
        pass


def private_descriptors():
    """Returns file descriptors of stdin and stdout that only the protocol uses.

    From then on descriptor 0 is empty and descriptor 1 is stderr, for Python, C code and child processes.
    """
    read_from, write_to = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdin = open(0, "r", closefd=False)
    sys.stdout = sys.stderr
    return read_from, write_to


def main(argv):
    parser = argparse.ArgumentParser(
        prog="pnl_bridge_worker.py", description="Puts a Python object behind pnl-bridge."
    )
    option = parser.add_argument
    option("target", help="module.path:ClassOrFunctionOrObject")
    option("arguments", nargs="?", type=json.loads, help="arguments of the class or function, as JSON")
    option("--threads", type=int, default=1, metavar="N", help="calls at a time (default 1)")
    option("--writes", default="", metavar="A,B", help="methods that write; refused if access is read-only")
    grace = "seconds that calls under way get after the end of stdin (default 2)"
    option("--grace", type=float, default=2.0, metavar="S", help=grace)
    option("--request-mib", type=float, default=32, metavar="N", help="largest request in MiB (default 32)")
    options = parser.parse_args(argv)
    options.writes = [name for name in options.writes.split(",") if name]
    options.threads = max(1, options.threads)
    read_from, write_to = private_descriptors()
    sys.path.insert(0, os.getcwd())
    Worker(options, Wire(read_from, write_to, int(options.request_mib * MIB))).run()
    flush()


if __name__ == "__main__":
    main(sys.argv[1:])
