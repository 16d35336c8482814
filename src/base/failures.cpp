#include "base/failures.h"

#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <system_error>

#include "base/strings.h"

namespace emelex {
namespace {

bool has_no_resources(const std::system_error& error) {
  return error.code() == std::errc::resource_unavailable_try_again || error.code() == std::errc::not_enough_memory;
}

[[noreturn]] void fail(ErrorCode code, std::string_view component, std::string_view what) {
  throw Error(code, str_cat("[", component, "] expected ",
                            code == ErrorCode::out_of_memory ? "memory for the work" : "the work done", ", got ",
                            quote_bytes(what.substr(0, what.find('\n')))));
}

}  // namespace

void rethrow_as_error(std::string_view component, ErrorCode otherwise) {
  try {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc& error) {
    fail(ErrorCode::out_of_memory, component, error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    fail(has_no_resources(error) ? ErrorCode::out_of_memory : ErrorCode::io, component, error.what());
  } catch (const std::system_error& error) {
    fail(has_no_resources(error) ? ErrorCode::out_of_memory : otherwise, component, error.what());
  } catch (const std::exception& error) {
    fail(otherwise, component, error.what());
  } catch (...) {
    fail(otherwise, component, "an exception of no known type");
  }
}

}  // namespace emelex
