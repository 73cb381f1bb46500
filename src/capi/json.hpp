// Writes one JSON text, member by member. The caller opens and closes in pairs. Text that is no UTF-8 is replaced byte by byte, so
// that what comes out is valid JSON whatever a name holds.
//
//   JsonWriter json;
//   json.open('{').key("pages").number(7).close('}');
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace plimsoll::capi {

class JsonWriter {
 public:
  JsonWriter& open(char bracket);   // { or [
  JsonWriter& close(char bracket);  // } or ]
  JsonWriter& key(std::string_view name);
  JsonWriter& number(std::uint64_t value);
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& text(std::string_view value);

  JsonWriter& member(std::string_view name, std::uint64_t value) { return key(name).number(value); }
  JsonWriter& member(std::string_view name, std::string_view value) { return key(name).text(value); }

  const std::string& str() const { return out_; }

 private:
  void separate();
  void quote(std::string_view value);
  std::string out_;
  bool first_ = true;  // nothing has been written since the last bracket or key
};

}  // namespace plimsoll::capi
