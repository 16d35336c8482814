// Norms, activations and what else works on rows of float32.

#include "kernels/cuda/source/gates.cu"
#include "kernels/cuda/source/parts.cu"

#define HELD 4  // times four values that a thread holds of a row at most

// Four values of a row from 4 * i on, zeros past its end.
DEVICE float4 load4(const float* row, int i, int n) {
  float4 v = make_float4(0, 0, 0, 0);
  if (4 * i + 3 < n && (u64)row % 16 == 0) return *(const float4*)(row + 4 * i);
  if (4 * i < n) v.x = row[4 * i];
  if (4 * i + 1 < n) v.y = row[4 * i + 1];
  if (4 * i + 2 < n) v.z = row[4 * i + 2];
  if (4 * i + 3 < n) v.w = row[4 * i + 3];
  return v;
}
DEVICE void store4(float* row, int i, int n, float4 v) {
  if (4 * i + 3 < n && (u64)row % 16 == 0) {
    *(float4*)(row + 4 * i) = v;
    return;
  }
  if (4 * i < n) row[4 * i] = v.x;
  if (4 * i + 1 < n) row[4 * i + 1] = v.y;
  if (4 * i + 2 < n) row[4 * i + 2] = v.z;
  if (4 * i + 3 < n) row[4 * i + 3] = v.w;
}
DEVICE void store_halves(u16* row, int i, int stride, float4 v, float factor) {
  if (4 * i >= stride) return;  // a multiple of 64
  *(uint2*)(row + 4 * i) = make_uint2(half_pair(v.x * factor, v.y * factor), half_pair(v.z * factor, v.w * factor));
}
DEVICE float most_of(float4 v) { return fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w))); }
DEVICE float sum_of(float4 v) { return (v.x + v.y) + (v.z + v.w); }

// v * scale + bias
DEVICE float4 scaled(float4 v, float scale, const float* bias, int i, int n) {
  const float4 b = bias != nullptr ? load4(bias, i, n) : make_float4(0, 0, 0, 0);
  return make_float4(v.x * scale + b.x, v.y * scale + b.y, v.z * scale + b.z, v.w * scale + b.w);
}

// (v - mean) * factor * weight + bias, zero past the row's end as the weights are
DEVICE float4 normalized(float4 v, float mean, float factor, float4 w, float4 b) {
  return make_float4((v.x - mean) * factor * w.x + b.x, (v.y - mean) * factor * w.y + b.y,
                     (v.z - mean) * factor * w.z + b.z, (v.w - mean) * factor * w.w + b.w);
}
DEVICE float squares_of(float4 v, float mean, int i, int n) {
  const float x = 4 * i < n ? v.x - mean : 0.0f;
  const float y = 4 * i + 1 < n ? v.y - mean : 0.0f;
  const float z = 4 * i + 2 < n ? v.z - mean : 0.0f;
  const float w = 4 * i + 3 < n ? v.w - mean : 0.0f;
  return (x * x + y * y) + (z * z + w * w);
}

// Each run of n values by itself. out may be null. halves may be null, else a row is one run, whose float16 form is divided by
// half_scale of what its values may be at most: that of x times most_weight, plus most_bias.
KERNEL(512) normalize(const float* x, const float* weight, const float* bias, float eps, int n, int centered, float* out,
                      u16* halves, int half_stride, float* scales, float most_weight, float most_bias) {
  begin_kernel();
  __shared__ float shared[64];
  const float* row = x + (long long)blockIdx.x * n;
  float* to = out + (long long)blockIdx.x * n;
  float4 held[HELD];
  float sum = 0;
  float most = 0;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    held[i] = load4(row, threadIdx.x + i * blockDim.x, n);
    sum += sum_of(held[i]);
  }
  for (int i = threadIdx.x + HELD * blockDim.x; 4 * i < n; i += blockDim.x) sum += sum_of(load4(row, i, n));
  float mean = 0;
  if (centered) {
    float none = 0;
    block_sum_and_max(sum, none, shared);
    mean = sum / n;
  }
  float squares = 0;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    squares += squares_of(held[i], mean, threadIdx.x + i * blockDim.x, n);
    most = fmaxf(most, most_of(held[i]));
  }
  for (int i = threadIdx.x + HELD * blockDim.x; 4 * i < n; i += blockDim.x) {
    const float4 v = load4(row, i, n);
    squares += squares_of(v, mean, i, n);
    most = fmaxf(most, most_of(v));
  }
  block_sum_and_max(squares, most, shared);
  const float factor = 1.0f / sqrtf(squares / n + eps);
  const float divisor = half_scale((most + fabsf(mean)) * factor * most_weight + most_bias);
  if (halves != nullptr && threadIdx.x == 0) scales[blockIdx.x] = divisor;
  u16* half_row = halves + (long long)blockIdx.x * half_stride;
  const int end = halves != nullptr ? half_stride : n;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    const int at = threadIdx.x + i * blockDim.x;
    if (4 * at >= end) break;
    const float4 b = bias != nullptr ? load4(bias, at, n) : make_float4(0, 0, 0, 0);
    const float4 y = normalized(held[i], mean, factor, load4(weight, at, n), b);
    if (out != nullptr) store4(to, at, n, y);
    if (halves != nullptr) store_halves(half_row, at, half_stride, y, 1.0f / divisor);
  }
  for (int at = threadIdx.x + HELD * blockDim.x; 4 * at < end; at += blockDim.x) {
    const float4 b = bias != nullptr ? load4(bias, at, n) : make_float4(0, 0, 0, 0);
    const float4 y = normalized(load4(row, at, n), mean, factor, load4(weight, at, n), b);
    if (out != nullptr) store4(to, at, n, y);
    if (halves != nullptr) store_halves(half_row, at, half_stride, y, 1.0f / divisor);
  }
}

#define GELU_ALONE 3  // after GateKind's
#define HALVES_ALONE 4

DEVICE float activate(int kind, float gate, float up) {
  if (kind == GELU_ALONE) return gelu_of(gate);
  if (kind == HALVES_ALONE) return gate;
  return gated(kind, gate, up);
}

// A call, since the compiler takes long over what it puts everywhere.
static __device__ __noinline__ float4 activate4(int kind, float4 gate, float4 up) {
  return make_float4(activate(kind, gate.x, up.x), activate(kind, gate.y, up.y), activate(kind, gate.z, up.z),
                     activate(kind, gate.w, up.w));
}

// A block a row of `gate` and `up`, which lie `stride` apart. Both are first multiplied with the row's x_scale, where
// there are any, and their biases added. `up` may be null, and `out`, where the row itself is wanted as float16 alone.
// Past a row's end gate and up are 0, and so is what is made of them.
KERNEL(1024) activation(const __grid_constant__ ActivationArgs args) {
  begin_kernel();
  __shared__ float shared[64];
  const int n = args.columns;
  const int kind = args.kind;
  const float* gate = args.gate + (long long)blockIdx.x * args.stride;
  const float* up = args.up + (long long)blockIdx.x * args.stride;
  float* out = args.out != nullptr ? args.out + (long long)blockIdx.x * n : nullptr;
  const float scale = args.x_scale != nullptr ? args.x_scale[blockIdx.x] : 1.0f;
  const float4 none = make_float4(0, 0, 0, 0);
  const auto value = [&](int i) {
    return activate4(kind, scaled(load4(gate, i, n), scale, args.gate_bias, i, n),
                     args.up != nullptr ? scaled(load4(up, i, n), scale, args.up_bias, i, n) : none);
  };
  float4 held[HELD];
  float most = 0;
  float sum = 0;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    held[i] = none;
    if (4 * (threadIdx.x + i * blockDim.x) < n) held[i] = value(threadIdx.x + i * blockDim.x);
    most = fmaxf(most, most_of(held[i]));
  }
  for (int i = threadIdx.x + HELD * blockDim.x; 4 * i < n; i += blockDim.x) most = fmaxf(most, most_of(value(i)));
  block_sum_and_max(sum, most, shared);
  const float divisor = half_scale(most);
  if (threadIdx.x == 0) args.half_scales[blockIdx.x] = divisor;
  u16* half_row = args.halves + (long long)blockIdx.x * args.half_stride;
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    const int place = threadIdx.x + i * blockDim.x;
    if (out != nullptr) store4(out, place, n, held[i]);
    store_halves(half_row, place, args.half_stride, held[i], 1.0f / divisor);
  }
  for (int i = threadIdx.x + HELD * blockDim.x; 4 * i < args.half_stride; i += blockDim.x) {
    const float4 y = value(i);
    if (out != nullptr) store4(out, i, n, y);
    store_halves(half_row, i, args.half_stride, y, 1.0f / divisor);
  }
}

#define MAP_ADD 0
#define MAP_SCALE 1
#define MAP_SOFT_CAP 2

KERNEL(256) map(int kind, const float* a, const float* b, float number, long long n, float* out) {
  begin_kernel();
  const long long i = (long long)blockIdx.x * 256 + threadIdx.x;
  if (i >= n) return;
  if (kind == MAP_ADD) out[i] = a[i] + b[i];
  if (kind == MAP_SCALE) out[i] = number * a[i];
  if (kind == MAP_SOFT_CAP) out[i] = number * tanhf(a[i] / number);
}

// The rows that the step's outputs name.
KERNEL(256) take_rows(const u8* step, const float* x, int n, float* out) {
  begin_kernel();
  const int row = step_ints(step, header(step)->outputs_at)[blockIdx.y];
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) out[(long long)blockIdx.y * n + i] = x[(long long)row * n + i];
}

// The largest value of each row and its index, as base/likeliest.h says. Grid: parts of a row, row. Each part's is put
// into its row's key, which is 0 before: the greater of two keys has the larger value, or of equal ones the lower index.
KERNEL(512) likeliest(const float* logits, int n, u64* keys) {
  begin_kernel();
  __shared__ u64 shared[16];
  const float* row = logits + (long long)blockIdx.y * n;
  const float largest = __int_as_float(0x7f7fffff);
  u64 best = 0;
  const auto take = [&](float value, int at) {
    if (!(value > -INFINITY)) return;  // NaN, too
    const u32 bits = __float_as_uint(fminf(value, largest) + 0.0f);  // of zeros the positive
    const u64 key = ((u64)(bits >> 31 ? ~bits : bits | 0x80000000u) << 32) | (u32)~at;
    best = best > key ? best : key;
  };
  const int groups = (n + 3) / 4;
  const int stride = gridDim.x * 512;
  for (int i = blockIdx.x * 512 + threadIdx.x; i < groups; i += stride) {
    const float4 v = load4(row, i, n);
    take(v.x, 4 * i);
    if (4 * i + 1 < n) take(v.y, 4 * i + 1);
    if (4 * i + 2 < n) take(v.z, 4 * i + 2);
    if (4 * i + 3 < n) take(v.w, 4 * i + 3);
  }
  const auto over_warp = [&]() {
    for (int i = 16; i > 0; i /= 2) {
      const u64 other = __shfl_xor_sync(0xffffffffu, best, i);
      best = best > other ? best : other;
    }
  };
  over_warp();
  if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = best;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  best = threadIdx.x < 16 ? shared[threadIdx.x] : 0;
  over_warp();
  if (threadIdx.x == 0) atomicMax((unsigned long long*)keys + blockIdx.y, best);
}

// The keys' indices, -1 of none; makes the keys 0 again.
KERNEL(128) take_likeliest(u64* keys, int rows, int* out) {
  begin_kernel();
  const int row = blockIdx.x * 128 + threadIdx.x;
  if (row >= rows) return;
  out[row] = keys[row] == 0 ? -1 : (int)~(u32)keys[row];
  keys[row] = 0;
}

// out = out * scale of its row + bias + residual, of four values a thread
KERNEL(256) finish_product(float* out, const float* x_scale, const float* bias, const float* residual, int n) {
  begin_kernel();
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (4 * i >= n) return;
  const long long row = (long long)blockIdx.y * n;
  const float scale = x_scale != nullptr ? x_scale[blockIdx.y] : 1.0f;
  if (scale == 1.0f && bias == nullptr && residual == nullptr) return;
  float4 y = scaled(load4(out + row, i, n), scale, bias, i, n);
  if (residual != nullptr) {
    const float4 r = load4(residual + row, i, n);
    y = make_float4(y.x + r.x, y.y + r.y, y.z + r.z, y.w + r.w);
  }
  store4(out + row, i, n, y);
}

// Products of all parts [tokens, row_tiles * TILE_ROWS] → each part's, with the scale of its row, bias and, of the first,
// residual. A thread takes four rows of a part.
KERNEL(256) split_products(const __grid_constant__ ProductArgs args, const float* products) {
  begin_kernel();
  const int token = blockIdx.y;
  const int at = (blockIdx.x * 256 + threadIdx.x) * 4;
  const int tile = at / TILE_ROWS;
  if (tile >= args.row_tiles) return;
  const int part = part_of(args.parts, tile);
  const int rows = args.parts.rows[part];
  const int row = at - args.parts.first_tile[part] * TILE_ROWS;
  if (row >= rows) return;
  const float4 product = *(const float4*)(products + (long long)token * args.row_tiles * TILE_ROWS + at);
  const float scale = args.x_scale != nullptr ? args.x_scale[token] : 1.0f;
  float4 y = scaled(product, scale, args.parts.bias[part], row / 4, rows);
  if (args.residual != nullptr && part == 0) {
    const float4 r = load4(args.residual + (long long)token * rows, row / 4, rows);
    y = make_float4(y.x + r.x, y.y + r.y, y.z + r.z, y.w + r.w);
  }
  store4(args.parts.out[part] + (long long)token * rows, row / 4, rows, y);
}

// Cosines and sines of each token's position. In double, as a float's angle is off by more than a float's cosine.
KERNEL(128) rotations(const u8* step, const float* inv_freq, const float* long_inv_freq, int dim, float scale,
                      float* out) {
  begin_kernel();
  const int row = blockIdx.x;
  const int half = dim / 2;
  const double position = step_ints(step, header(step)->positions_at)[row];
  const int long_rope = step_ints(step, header(step)->long_rope_at)[row];
  const float* frequencies = long_rope ? long_inv_freq : inv_freq;
  for (int i = threadIdx.x; i < half; i += blockDim.x) {
    double s, c;
    sincos(position * (double)frequencies[i], &s, &c);
    out[(long long)row * dim + i] = scale * (float)c;
    out[(long long)row * dim + half + i] = scale * (float)s;
  }
}
