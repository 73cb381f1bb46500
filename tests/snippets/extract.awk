# Prints a C++ program made of the examples in the leading comment of a header: the lines that are indented by three blanks or more.
# Each header's example is the body of a function that is given a Database `db` and a Table `accounts`, may shadow them, and may
# hand bytes to use(). With -v header=NAME that header is included before all others, which proves that it compiles alone.
BEGIN {
  if (header != "") print "#include \"plimsoll/" header "\""
  print "#include \"plimsoll/plimsoll.hpp\""
  print "#include <cstdio>"
  print "using namespace plimsoll;"
  print "void use(Bytes bytes);"
  print "int example(Database& db, Table accounts);"
  print "int example([[maybe_unused]] Database& db, [[maybe_unused]] Table accounts) {"
  print "  {"
}
!/^\/\// { exit }
/^\/\/    *[^ ]/ { print "    " substr($0, 6) }
END {
  print "  }"
  print "  return 0;"
  print "}"
}
