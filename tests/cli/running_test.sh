#!/usr/bin/env bash
# What looks at a store that another process has open: stat, top, txn, through its control socket. The other process is a load that
# waits for more input, and so has a transaction open.
. "$(dirname "$0")/lib.sh"

run 0 put s apple 1
hold_open s
[ "$(stat -c %a s/control)" = 600 ] || fail "its mode is $(stat -c %a s/control)"

for ((look = 0; look < 200; ++look)); do
  run 0 txn list s --json
  id=$(jq '.transactions[0].id // empty' out)
  [ -z "$id" ] || break
  sleep 0.05
done
[ -n "$id" ] || fail "the loader's transaction is not listed: $(cat out)"
json '.transactions[0].state == "active" and .transactions[0].label == "plimsoll"'

# The store is taken, and is asked all the same; what is shown is what is shown of one that nobody has.
run 5 get s apple
run 0 stat s
grep -q '^memory: ' out || fail "no memory line"
grep -q '^pages_read' out || fail "no counters"
run 0 stat s --memory
grep -q '^pressure: normal' out || fail "no pressure line: $(cat out)"
run 0 stat s --json
jq -r 'paths | map(tostring) | join(".")' out | grep -v '[0-9]' | sort -u >running.fields
json '.memory_used > 0 and .memory_used <= .memory_budget and .counters.transactions_begun > 0'

run 0 txn list s
grep -q "^$id	active	" out || fail "txn list: $(cat out)"
run 0 txn waits s
[ ! -s out ] || fail "who waits? $(cat out)"
run 0 txn waits s --json
json '.waits == []'

# It is checked where it is open, and what is open goes on.
run 0 check s
grep -q '^sound: .* records$' out || fail "check: $(cat out)"
run 0 check s --json
json '.sound and .records > 0 and .problems == [] and (has("state") or has("number") | not)'

run 0 top s --interval 20ms --count 3
[ "$(wc -l <out)" -eq 4 ] || fail "top: $(cat out)"
head -n 1 out | grep -q '^used	budget	level	transactions	commits/s' || fail "top: $(head -n 1 out)"
run 0 top s --interval 20ms --count 2 --json
json '.memory_used > 0 and .per_second.point_reads == 0 and (.transactions | length) == 1'
# On a terminal the screen is drawn anew each time.
script -qec "'$plimsoll' top s --interval 20ms --count 2" /dev/null >screen </dev/null
grep -q "transaction *state" screen && grep -q "$id" screen || fail "top on a terminal: $(cat screen)"
run 2 top s --interval 1ms
failed_with '10ms'

run 3 txn kill s 1
failed_with 'not_found'
run 0 txn kill s "$id"
out_is "transaction $id killed"

# Lines that are no requests are answered, and do no harm.
python3 - <<'PYTHON' || fail "the socket's protocol"
import json, socket
def ask(connection, line):
    connection.sendall(line + b"\n")
    answer = b""
    while not answer.endswith(b"\n"): answer += connection.recv(65536)
    return json.loads(answer)
def connect():
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect("s/control")
    return connection
one = connect()
for line, code in [(b"", "invalid_argument"), (b"[]", "invalid_argument"), (b"{", "invalid_argument"), (b"\xff\xfe", "invalid_argument"),
                   (b'{"request":"stat"}', "invalid_argument"), (b'{"version":2,"request":"stat"}', "version_mismatch"),
                   (b'{"version":1}', "invalid_argument"), (b'{"version":1,"request":"fly"}', "invalid_argument"),
                   (b'{"version":1,"request":"kill"}', "invalid_argument"), (b'{"version":1,"request":"kill","id":-1}', "invalid_argument"),
                   (b'{"version":1,"request":"set_memory_budget","bytes":1}', "invalid_argument")]:
    answer = ask(one, line)
    assert answer["version"] == 1 and answer["error"]["code"] == code, (line, answer)
assert ask(one, b'{"version":1,"request":"process"}')["result"]["protocol"] == 1
assert ask(one, b'{"version":1,"request":"release_memory","bytes":1048576}')["result"]["released_bytes"] >= 0
assert ask(one, b'{"version":1,"request":"set_memory_budget","bytes":67108864}')["result"]["memory_budget"] == 67108864
assert ask(one, b'{"version":1,"request":"checkpoint"}')["result"]["log_start"] > 0
ask(one, b'{"version":1,"request":"reset_statistics"}')
assert ask(one, b'{"version":1,"request":"stat"}')["result"]["counters"]["transactions_begun"] == 0
def cut_off(connection):
    try: return connection.recv(100) == b""
    except ConnectionResetError: return True
one.sendall(b"x" * 5000)                      # no line
assert cut_off(one)
many = [connect() for i in range(8)]
assert cut_off(connect())                     # one too many
for connection in many: connection.close()
two = connect()
two.sendall(b'{"version":1,"request":"process"}\n{"version":1,"requ')  # in pieces
assert b"result" in two.recv(65536)
assert "result" in ask(two, b'est":"process"}')
PYTHON

# The killed transaction's load fails; the socket goes with the store.
exec 3>&-
wait "$loader" && fail "the load of a killed transaction succeeded"
grep -q 'transaction_timeout\|transaction_aborted' load.err || fail "the loader says $(cat load.err)"
trap - EXIT
[ ! -e s/control ] || fail "the socket is still there"
run 0 stat s --json
jq -r 'paths | map(tostring) | join(".")' out | grep -v '[0-9]' | sort -u >closed.fields
cmp -s running.fields closed.fields || fail "running and closed stores show other fields: $(diff running.fields closed.fields)"
run 3 top s
failed_with 'no process'
run 3 txn kill s 1
failed_with 'no process'

# What a crash leaves behind is replaced.
python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind("s/control")'
run 0 stat s
run 0 get s apple
out_is 1
