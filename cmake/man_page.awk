# Makes of a page of docs/commands what lowdown needs for a man page: the title and the summary become the section NAME, headings are in
# capitals, a link to another page of docs/commands names that man page, other links are their text.
function without_links(line,    begin, text, target, page) {
  while (match(line, /\[[^]]*\]\([^)]*\)/)) {
    begin = RSTART
    text = substr(line, begin + 1, index(substr(line, begin), "](") - 2)
    target = substr(line, begin + length(text) + 3, RLENGTH - length(text) - 4)
    if (target ~ /^plimsoll[-a-z]*\.md/) {
      page = substr(target, 1, index(target, ".md") - 1)
      text = (text ~ / / ? text " in " : "") "**" page "**(1)"
    }
    line = substr(line, 1, begin - 1) text substr(line, begin + RLENGTH)
  }
  return line
}
/^```/ { fenced = !fenced; print; next }
fenced { print; next }
NR == 1 { sub(/^# /, ""); gsub(/ /, "-"); name = $0; print "# NAME"; next }
NR == 3 { sub(/\.$/, ""); print name " - " tolower(substr($0, 1, 1)) substr($0, 2); next }
/^## / { print "# " toupper(substr($0, 4)); next }
{ print without_links($0) }
