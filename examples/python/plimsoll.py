"""A small binding of the C interface by ctypes: enough for the example beside it, and a beginning for one of your own.

    store = Store("shop.plim")
    accounts = store.table("accounts")
    store.transact(lambda txn: txn.put(accounts, b"alice", b"70"))
"""
import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, byref, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

OK, NOT_FOUND = 0, 16
BODY_RAISED = 1000  # a status of our own: the transaction's body raised an exception


class CError(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("code", c_int32), ("os_error", c_int32), ("details", c_char * 176), ("message", c_char * 384)]


class CTable(ctypes.Structure):
    _fields_ = [("store", c_uint64), ("tree", c_uint64), ("opened", c_uint64)]


class CBytes(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class COptions(ctypes.Structure):
    _fields_ = [
        ("size", c_size_t), ("memory_budget", c_uint64), ("page_size", c_uint64), ("flags", c_uint64), ("io_backend", c_int32),
        ("max_transactions", c_uint32), ("log_bytes_max", c_uint64), ("log_segment_bytes", c_uint64), ("log_ring_bytes", c_uint64),
        ("transaction_deadline_ms", c_int64), ("lock_deadline_ms", c_int64), ("memory_deadline_ms", c_int64),
        ("retention_ms", c_int64), ("on_event", c_void_p), ("event_context", c_void_p),
    ]


BODY = CFUNCTYPE(c_int32, c_void_p, c_void_p, POINTER(CError))

_library = ctypes.CDLL(os.environ.get("PLIMSOLL_LIBRARY", "libplimsoll.so.0"))


def _declare(name, *parameters, result=c_int32):
    function = getattr(_library, "plimsoll_" + name)
    function.argtypes = parameters
    function.restype = result
    return function


_ERROR = POINTER(CError)
_open = _declare("open", c_char_p, POINTER(COptions), POINTER(c_void_p), _ERROR)
_close = _declare("close", c_void_p, _ERROR)
_table_open = _declare("table_open", c_void_p, c_char_p, c_size_t, c_uint64, POINTER(CTable), _ERROR)
_transact = _declare("transact", c_void_p, c_void_p, BODY, c_void_p, _ERROR)
_statistics_json = _declare("statistics_json", c_void_p, POINTER(c_void_p), POINTER(c_size_t), _ERROR)
_free = _declare("free", c_void_p, result=None)
_get = _declare("get", c_void_p, CTable, c_char_p, c_size_t, POINTER(c_void_p), _ERROR)
_put = _declare("put", c_void_p, CTable, c_char_p, c_size_t, c_char_p, c_size_t, _ERROR)
_value_data = _declare("value_data", c_void_p, result=c_void_p)
_value_size = _declare("value_size", c_void_p, result=c_size_t)
_value_free = _declare("value_free", c_void_p, result=None)
_cursor_open = _declare("cursor_open", c_void_p, CTable, c_void_p, c_int32, POINTER(c_void_p), _ERROR)
_cursor_next = _declare("cursor_next", c_void_p, _ERROR)
_cursor_key = _declare("cursor_key", c_void_p, result=CBytes)
_cursor_value = _declare("cursor_value", c_void_p, result=CBytes)
_cursor_close = _declare("cursor_close", c_void_p, result=None)
version = _declare("version", result=c_char_p)


class Error(Exception):
    """What a call answered; `status` is a PLIMSOLL_... number."""

    def __init__(self, error):
        super().__init__(error.message.decode("utf-8", "replace"))
        self.status = error.code
        self.c_error = error


def _call(function, *arguments):
    error = CError(size=ctypes.sizeof(CError))
    if function(*arguments, byref(error)) != OK:
        raise Error(error)


class Transaction:
    """The handle that a body of Store.transact is given. Not to be kept."""

    def __init__(self, handle):
        self._handle = handle

    def get(self, table, key):
        """The value's bytes, or None."""
        value = c_void_p()
        try:
            _call(_get, self._handle, table, key, len(key), byref(value))
        except Error as error:
            if error.status == NOT_FOUND and not value:
                return None
            raise
        try:
            return ctypes.string_at(_value_data(value), _value_size(value))
        finally:
            _value_free(value)

    def put(self, table, key, value):
        _call(_put, self._handle, table, key, len(key), value, len(value))

    def scan(self, table, backward=False):
        """All records in the order of their keys."""
        cursor = c_void_p()
        _call(_cursor_open, self._handle, table, None, 1 if backward else 0, byref(cursor))
        try:
            while True:
                try:
                    _call(_cursor_next, cursor)
                except Error as error:
                    if error.status == NOT_FOUND:
                        return
                    raise
                key, value = _cursor_key(cursor), _cursor_value(cursor)
                yield ctypes.string_at(key.data, key.size), ctypes.string_at(value.data, value.size)
        finally:
            _cursor_close(cursor)


class Store:
    def __init__(self, path, memory_budget=64 << 20):
        self._handle = c_void_p()
        options = COptions(size=ctypes.sizeof(COptions), memory_budget=memory_budget)
        _call(_open, os.fsencode(path), byref(options), byref(self._handle))

    def close(self):
        handle, self._handle = self._handle, c_void_p()
        _call(_close, handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def table(self, name):
        table = CTable()
        encoded = name.encode()
        _call(_table_open, self._handle, encoded, len(encoded), 1, byref(table))
        return table

    def transact(self, body):
        """Calls body(transaction) and commits; again if another transaction was first. What it returns is handed back."""
        outcome = {}

        def run(_, handle, error):
            outcome.clear()
            try:
                outcome["result"] = body(Transaction(handle))
                return OK
            except Error as raised:  # a call of the store: let it decide whether to try again
                ctypes.memmove(error, byref(raised.c_error), ctypes.sizeof(CError))
                return raised.status
            except BaseException as raised:
                outcome["raised"] = raised
                return BODY_RAISED

        try:
            _call(_transact, self._handle, None, BODY(run), None)
        except Error as error:
            if error.status == BODY_RAISED:
                raise outcome["raised"] from None
            raise
        return outcome["result"]

    def statistics(self):
        """Everything the store reports, as the text of a JSON object."""
        text, size = c_void_p(), c_size_t()
        _call(_statistics_json, self._handle, byref(text), byref(size))
        try:
            return ctypes.string_at(text, size.value).decode()
        finally:
            _free(text)
