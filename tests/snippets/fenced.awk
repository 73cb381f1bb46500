# Writes the fenced blocks of a Markdown page in one language (-v language=cpp, or c) as programs, prefix1.cpp, prefix2.cpp ... (-v prefix=...).
# Of a block, what stands in front of its last line `}` and its #include and using lines are at file scope; the rest is the body of a function,
# which is given a Database `db` and a Table `accounts`, may shadow them, and may fail(text). In C it is given nothing.
function write_program(    file, i, scope) {
  file = prefix (++programs) "." language
  if (language == "cpp") {
    print "#include <plimsoll/plimsoll.hpp>" >file
    print "#include <cstdio>\nusing namespace plimsoll;\nint fail(const std::string& text);" >file
  } else {
    print "#include <stdio.h>" >file
  }
  for (i = 1; i <= count; ++i)
    if (lines[i] == "}" || lines[i] ~ /^(#include|using) /) scope = i
  for (i = 1; i <= scope; ++i) print lines[i] >file
  if (language == "cpp") {
    print "int example(Database& db, Table accounts);" >file
    print "int example([[maybe_unused]] Database& db, [[maybe_unused]] Table accounts) {{" >file
  } else {
    print "int example(void);\nint example(void) {{" >file
  }
  for (i = scope + 1; i <= count; ++i) print lines[i] >file
  print "}\n  return 0;\n}" >file
  close(file)
}
/^```/ {
  if (inside) write_program()
  inside = !fenced && $0 == "```" language
  fenced = !fenced
  count = 0
  next
}
inside { lines[++count] = $0 }
