# Lists the places where the engine asks for memory (memory/failure_point.hpp), one "file:line" each: calls of the functions that grant
# it. Usage: awk -v root=FOLDER/ -v list=OUTPUT -f memory_sites.awk FOLDER/src/*/*.[ch]pp
#
# Other things have functions of the same names. Their receivers are listed below; whoever is not on the list is taken for a site, so that
# a new one is noticed by the test that wants each site to have failed. A call that hands on its caller's site is none itself.
BEGIN {
  names = "(try_charge|charge|map|reserve|commit|try_commit|take|allocate)"
  other["reserve"] = "log|log_|space|space_|versions|store_|async_commits"                        # room in the log, pages, entries, places
  other["commit"] = "operation|transaction"
  other["allocate"] = "file|file_|data|handle|contents_|operation"                                # room on the disk; asks its context itself
  other["take"] = "checkpointer_|turn_|writer_turn_|read_buffers_|buddy|all_|Sampling\\(root_\\)" # not memory, or memory that is theirs
  other["take"] = other["take"] "|of|span|classes_\\[index\\]|guards_|extents|impl_->extents"     # ask the pool or the provider themselves
  other["map"] = "SlabGuards"
}

function is_other(name, receiver) {
  sub(/(\.|->|::)$/, "", receiver)
  if (!(name in other)) return 0
  if (match(receiver, "(^|[^A-Za-z0-9_])(" other[name] ")$")) return 1
  return 0
}

FNR == 1 {
  path = FILENAME
  if (substr(path, 1, length(root)) == root) path = substr(path, length(root) + 1)
}

{
  text = $0
  gsub(/"([^"\\]|\\.)*"/, "\"\"", text)
  sub(/\/\/.*/, "", text)
  before = ""
  while (match(text, "(^|[^A-Za-z0-9_])" names "\\(")) {
    start = RSTART
    token = substr(text, RSTART, RLENGTH)
    before = before substr(text, 1, start - 1)
    if (token !~ /^[A-Za-z_]/) {
      before = before substr(token, 1, 1)
      token = substr(token, 2)
    }
    text = substr(text, RSTART + RLENGTH)
    name = substr(token, 1, length(token) - 1)
    is_call = 0
    if (before ~ /(\.|->)$/) is_call = 1                                              # of a member
    else if (before ~ /::$/) is_call = before ~ /(return|[=(,!&|?]) *[A-Za-z_:]+::$/  # of a static member, not a definition
    else if (before ~ /(return|[=(!&|?]) *$/) is_call = 1
    if (text ~ /^\)/) is_call = 0                                                     # they all have arguments
    if (name == "reserve" && before !~ /(\.|->)$/) is_call = 0                        # slab_class.cpp's own
    if (is_call && !is_other(name, before) && text !~ /^[^;]*[, ]site\)/) print path ":" FNR >list
    before = before token
  }
}
