#include "base/failures.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace emelex {
namespace {

template <class Thrown>
ErrorCode code_of(const Thrown& thrown) {
  try {
    with_errors("test", [&]() -> int { throw thrown; });
  } catch (const Error& error) {
    CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
    return error.code();
  }
  return ErrorCode::cancelled;
}

TEST_CASE("whatever is thrown becomes an Error of one line with its code") {
  CHECK(code_of(std::bad_alloc()) == ErrorCode::out_of_memory);
  CHECK(code_of(std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again))) ==
        ErrorCode::out_of_memory);
  CHECK(code_of(std::system_error(std::make_error_code(std::errc::operation_not_permitted))) == ErrorCode::internal);
  CHECK(code_of(std::filesystem::filesystem_error("x", std::make_error_code(std::errc::permission_denied))) ==
        ErrorCode::io);
  CHECK(code_of(std::runtime_error("two\nlines")) == ErrorCode::internal);
  CHECK(code_of(Error(ErrorCode::unsupported, "x")) == ErrorCode::unsupported);
  CHECK(code_of(7) == ErrorCode::internal);
}

TEST_CASE("what is given when nothing is thrown is passed on") {
  CHECK(with_errors("test", [] { return 3; }) == 3);
}

}  // namespace
}  // namespace emelex
