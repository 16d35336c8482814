#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd/unroll.h"

// How a format gets at the bytes of S::kRows rows at once. In a file each row lies in a place of its own, `stride`
// bytes from the one before, and what is read has to be gathered from all of them: no hardware prefetcher sees through
// that, and a core gets half of what its memory gives. So there is a packed form: the very registers that a format
// reads, in the order in which it reads them, one after another. It is as large as the rows, and the format's code is
// the same.
//   FileReader    from the file
//   RowPacker     from the file, and writes the packed form to `at`
//   PackedReader  from the packed form at `at`; addresses do not matter to it
// Each reads of every row, of which p is the first's address:
//   transposed(p, out)    16 bytes: lane r of out[i] holds bytes 4i … 4i+3 of row r
//   again(p, back, out)   the same once more, `back` registers after it was read for the first time
//   nibbles(p, out)       16 bytes of 32 values, the first of two in a byte's low half: lane r of out[i] holds values
//                         4i … 4i+3 of row r. A packed matrix has value i beside i + 16, which come apart soonest
//   words(p)              4 bytes, where 16 may be read
//   exact_words(p)        4 bytes
//   words<N>(p, out)      N ≥ 4 times 4 bytes
//   some_bytes(p, n)      n ≤ 4 bytes, and zeros
//   half(p)               a float16, where 16 bytes may be read
//   exact_half(p)         a float16
//   bfloat(p)             a bfloat16
// Small numbers that lie in a file's bits in pieces cost a format more to put together than to multiply with, so the
// packed form has them whole: the format looks at the file and says what is to be kept. Of a packed matrix what it
// looks at is zeros, and what it keeps is what it once kept.
//   look(p, out)          as transposed
//   look_words(p)         as exact_words
//   look_half(p)          as exact_half
//   keep(x)               x, words or floats of each row
//   keep_bytes<N>(make)   N numbers of each row, 0 … 255 or -128 … 127, of which make(i) gives the ith: returns Bytes,
//                         whose get(i, make) or get_signed(i, make) is that number again

namespace emelex::cpu {
namespace {

template <class S>
struct FileReader {
  using F = typename S::F;
  using I = typename S::I;
  using U = typename S::U;

  [[gnu::always_inline]] void transposed(const uint8_t* p, size_t stride, U out[4]) const {
    S::load_transposed(p, stride, out);
  }
  [[gnu::always_inline]] void again(const uint8_t* p, size_t stride, size_t /*back*/, U out[4]) const {
    transposed(p, stride, out);
  }
  [[gnu::always_inline]] void nibbles(const uint8_t* p, size_t stride, U out[8]) const {
    U packed[4];
    transposed(p, stride, packed);
    EMELEX_UNROLL
    for (int i = 0; i < 4; ++i) S::spread_nibbles(packed[i], out[2 * i], out[2 * i + 1]);
  }
  [[gnu::always_inline]] I words(const uint8_t* p, size_t stride) const { return S::load_words(p, stride); }
  [[gnu::always_inline]] I exact_words(const uint8_t* p, size_t stride) const { return S::gather_words(p, stride); }
  template <int kWords>
  [[gnu::always_inline]] void words(const uint8_t* p, size_t stride, I out[kWords]) const {
    EMELEX_UNROLL
    for (int i = 0; i < kWords; i += 4) {
      const int at = i + 4 <= kWords ? i : kWords - 4;  // the last four may overlap those before
      U four[4];
      transposed(p + 4 * at, stride, four);
      EMELEX_UNROLL
      for (int j = 0; j < 4; ++j) out[at + j] = S::words(four[j]);
    }
  }
  I some_bytes(const uint8_t* p, size_t stride, size_t n) const {
    uint8_t rest[4 * S::kRows] = {};
    for (size_t r = 0; r < S::kRows; ++r) std::memcpy(rest + 4 * r, p + r * stride, n);
    return S::words(S::load_u(rest));
  }
  [[gnu::always_inline]] F half(const uint8_t* p, size_t stride) const { return S::low_half(words(p, stride)); }
  [[gnu::always_inline]] F exact_half(const uint8_t* p, size_t stride) const { return S::gather_half(p, stride); }
  F bfloat(const uint8_t* p, size_t stride) const {
    uint16_t raw[S::kRows];
    for (size_t r = 0; r < S::kRows; ++r) std::memcpy(&raw[r], p + r * stride, 2);
    return S::load_bf16(raw);
  }

  struct Bytes {
    template <class Make>
    [[gnu::always_inline]] I get(int i, const Make& make) const {
      return make(i);
    }
    template <class Make>
    [[gnu::always_inline]] I get_signed(int i, const Make& make) const {
      return make(i);
    }
  };
  [[gnu::always_inline]] void look(const uint8_t* p, size_t stride, U out[4]) const { transposed(p, stride, out); }
  [[gnu::always_inline]] I look_words(const uint8_t* p, size_t stride) const { return exact_words(p, stride); }
  [[gnu::always_inline]] F look_half(const uint8_t* p, size_t stride) const { return exact_half(p, stride); }
  template <class T>
  [[gnu::always_inline]] T keep(T x) const {
    return x;
  }
  template <int kCount, class Make>
  [[gnu::always_inline]] Bytes keep_bytes(const Make& /*make*/) const {
    return {};
  }
};

template <class S>
struct PackedReader {
  using F = typename S::F;
  using I = typename S::I;
  using U = typename S::U;
  const std::byte* at = nullptr;

  [[gnu::always_inline]] void transposed(const uint8_t* /*p*/, size_t /*stride*/, U out[4]) {
    EMELEX_UNROLL
    for (int i = 0; i < 4; ++i) out[i] = in_order(S::load_u(next(4)));
  }
  [[gnu::always_inline]] void again(const uint8_t* /*p*/, size_t /*stride*/, size_t back, U out[4]) const {
    EMELEX_UNROLL
    for (size_t i = 0; i < 4; ++i) out[i] = S::load_u(at - (back - i) * 4 * S::kRows);
  }
  [[gnu::always_inline]] void nibbles(const uint8_t* p, size_t stride, U out[8]) {
    U packed[4];
    transposed(p, stride, packed);
    EMELEX_UNROLL
    for (int i = 0; i < 4; ++i) {
      out[i] = S::low_nibbles(packed[i]);
      out[i + 4] = S::high_nibbles(packed[i]);
    }
  }
  [[gnu::always_inline]] I words(const uint8_t* /*p*/ = nullptr, size_t /*stride*/ = 0) {
    return S::words(in_order(S::load_u(next(4))));
  }
  [[gnu::always_inline]] I exact_words(const uint8_t* /*p*/, size_t /*stride*/) { return words(); }
  template <int kWords>
  [[gnu::always_inline]] void words(const uint8_t* /*p*/, size_t /*stride*/, I out[kWords]) {
    EMELEX_UNROLL
    for (int i = 0; i < kWords; ++i) out[i] = words();
  }
  [[gnu::always_inline]] I some_bytes(const uint8_t* /*p*/, size_t /*stride*/, size_t /*n*/) { return words(); }
  [[gnu::always_inline]] F half(const uint8_t* /*p*/, size_t /*stride*/) { return in_order(S::load(next_halves())); }
  [[gnu::always_inline]] F exact_half(const uint8_t* p, size_t stride) { return half(p, stride); }
  [[gnu::always_inline]] F bfloat(const uint8_t* /*p*/, size_t /*stride*/) {
    return in_order(S::load_bf16(next_halves()));
  }

  struct Bytes {
    const std::byte* first = nullptr;
    template <class Make>
    [[gnu::always_inline]] I get(int i, const Make& /*make*/) const {
      return S::load_bytes(first + i * S::kRows);
    }
    template <class Make>
    [[gnu::always_inline]] I get_signed(int i, const Make& /*make*/) const {
      return S::load_signed_bytes(first + i * S::kRows);
    }
  };
  [[gnu::always_inline]] void look(const uint8_t* /*p*/, size_t /*stride*/, U /*out*/[4]) const {}
  [[gnu::always_inline]] I look_words(const uint8_t* /*p*/, size_t /*stride*/) const { return S::set_i(0); }
  [[gnu::always_inline]] F look_half(const uint8_t* /*p*/, size_t /*stride*/) const { return S::zero(); }
  [[gnu::always_inline]] I keep(I /*nothing*/) { return words(); }
  [[gnu::always_inline]] F keep(F /*nothing*/) { return in_order(S::load(reinterpret_cast<const float*>(next(4)))); }
  template <int kCount, class Make>
  [[gnu::always_inline]] Bytes keep_bytes(const Make& /*make*/) {
    return {next(kCount)};
  }

 private:
  // `bytes` of each row.
  [[gnu::always_inline]] const std::byte* next(size_t bytes) {
    const std::byte* here = at;
    at += bytes * S::kRows;
    return here;
  }
  // The processor's prefetcher follows loads that go straight on, and loses the track of others: with the scales read
  // among the values, as a compiler likes to, Q8_0 got 0.6 of the bandwidth.
  template <class Loaded>
  [[gnu::always_inline]] Loaded in_order(Loaded loaded) {
    S::read_after(loaded, at);
    return loaded;
  }
  [[gnu::always_inline]] const uint16_t* next_halves() { return reinterpret_cast<const uint16_t*>(next(2)); }
};

template <class S>
struct RowPacker {
  using F = typename S::F;
  using I = typename S::I;
  using U = typename S::U;
  std::byte* at = nullptr;

  [[gnu::always_inline]] void transposed(const uint8_t* p, size_t stride, U out[4]) {
    file.transposed(p, stride, out);
    EMELEX_UNROLL
    for (int i = 0; i < 4; ++i) S::store_u(next(4), out[i]);
  }
  [[gnu::always_inline]] void again(const uint8_t* p, size_t stride, size_t back, U out[4]) const {
    file.again(p, stride, back, out);
  }
  [[gnu::always_inline]] void nibbles(const uint8_t* p, size_t stride, U out[8]) {
    file.nibbles(p, stride, out);
    EMELEX_UNROLL
    for (int i = 0; i < 4; ++i) S::store_u(next(4), S::or_(out[i], S::shift_up(out[i + 4], 4)));
  }
  [[gnu::always_inline]] I words(const uint8_t* p, size_t stride) { return put(file.words(p, stride)); }
  [[gnu::always_inline]] I exact_words(const uint8_t* p, size_t stride) { return put(file.exact_words(p, stride)); }
  template <int kWords>
  [[gnu::always_inline]] void words(const uint8_t* p, size_t stride, I out[kWords]) {
    file.template words<kWords>(p, stride, out);
    EMELEX_UNROLL
    for (int i = 0; i < kWords; ++i) put(out[i]);
  }
  I some_bytes(const uint8_t* p, size_t stride, size_t n) { return put(file.some_bytes(p, stride, n)); }
  F half(const uint8_t* p, size_t stride) {
    put_halves(p, stride);
    return file.half(p, stride);
  }
  F exact_half(const uint8_t* p, size_t stride) {
    put_halves(p, stride);
    return file.exact_half(p, stride);
  }
  F bfloat(const uint8_t* p, size_t stride) {
    put_halves(p, stride);
    return file.bfloat(p, stride);
  }

  using Bytes = typename FileReader<S>::Bytes;
  [[gnu::always_inline]] void look(const uint8_t* p, size_t stride, U out[4]) const { file.look(p, stride, out); }
  [[gnu::always_inline]] I look_words(const uint8_t* p, size_t stride) const { return file.look_words(p, stride); }
  [[gnu::always_inline]] F look_half(const uint8_t* p, size_t stride) const { return file.look_half(p, stride); }
  [[gnu::always_inline]] I keep(I x) { return put(x); }
  [[gnu::always_inline]] F keep(F x) {
    S::store(reinterpret_cast<float*>(next(4)), x);
    return x;
  }
  template <int kCount, class Make>
  Bytes keep_bytes(const Make& make) {
    for (int i = 0; i < kCount; ++i) {
      const I number = make(i);
      int32_t lanes[S::kRows];
      std::memcpy(lanes, &number, sizeof lanes);
      std::byte* to = next(1);
      for (int r = 0; r < S::kRows; ++r) to[r] = static_cast<std::byte>(lanes[r]);
    }
    return {};
  }

 private:
  static constexpr FileReader<S> file{};

  std::byte* next(size_t bytes) {
    std::byte* here = at;
    at += bytes * S::kRows;
    return here;
  }
  [[gnu::always_inline]] I put(I words) {
    static_assert(sizeof(I) == 4 * S::kRows);
    std::memcpy(next(4), &words, sizeof(I));
    return words;
  }
  void put_halves(const uint8_t* p, size_t stride) {
    std::byte* to = next(2);
    for (size_t r = 0; r < S::kRows; ++r) std::memcpy(to + 2 * r, p + r * stride, 2);
  }
};

}  // namespace
}  // namespace emelex::cpu
