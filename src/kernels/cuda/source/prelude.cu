#pragma nv_diag_suppress 177  // of these functions each text uses some

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define INFINITY __int_as_float(0x7f800000)

#define DEVICE static __device__ __forceinline__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)

// A kernel may be launched before the one before it has ended; it reads nothing of that one until then.
DEVICE void allow_next() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
DEVICE void wait_for_last() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
DEVICE void begin_kernel() {
  allow_next();
  wait_for_last();
}

DEVICE float from_half(u16 h) {
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
}
DEVICE u16 to_half(float f) {
  u16 h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
}
DEVICE u32 half_pair(float low, float high) {
  u32 pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
DEVICE float low_half(u32 pair) { return from_half((u16)(pair & 0xffff)); }
DEVICE float high_half(u32 pair) { return from_half((u16)(pair >> 16)); }

// (a & mask) | bits in one instruction, which the compiler does not find for two constants
DEVICE u32 masked(u32 a, u32 mask, u32 bits) {
  u32 d;
  asm("lop3.b32 %0, %1, %2, %3, 0xea;" : "=r"(d) : "r"(a), "r"(mask), "r"(bits));
  return d;
}

// a * b + c of two float16 each
DEVICE u32 fma_pair(u32 a, u32 b, u32 c) {
  u32 d;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
DEVICE u32 mul_pair(u32 a, u32 b) {
  u32 d;
  asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}
DEVICE u32 add_pair(u32 a, u32 b) {
  u32 d;
  asm("add.rn.f16x2 %0, %1, %2;" : "=r"(d) : "r"(a), "r"(b));
  return d;
}

// d += a b with a 16 x 16, b 16 x 8, float16; d float32
DEVICE void mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

DEVICE float warp_sum(float x) {
  for (int i = 16; i > 0; i /= 2) x += __shfl_xor_sync(0xffffffffu, x, i);
  return x;
}
DEVICE float warp_max(float x) {
  for (int i = 16; i > 0; i /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, i));
  return x;
}

// Over a block of whole warps, for all of its threads; `shared` has 64 values.
DEVICE void block_sum_and_max(float& sum, float& most, float* shared) {
  const int warps = blockDim.x / 32;
  const int lane = threadIdx.x % 32;
  sum = warp_sum(sum);
  most = warp_max(most);
  __syncthreads();
  if (lane == 0) {
    shared[threadIdx.x / 32] = sum;
    shared[32 + threadIdx.x / 32] = most;
  }
  __syncthreads();
  sum = warp_sum(lane < warps ? shared[lane] : 0.0f);
  most = warp_max(lane < warps ? shared[32 + lane] : 0.0f);
}

// What a row is divided by so that it fits into float16 with room: a power of two, 1 for all but huge values.
DEVICE float half_scale(float most) {
  if (!(most > 32768.0f) || most > 3e38f) return 1.0f;
  return exp2f(ceilf(log2f(most / 32768.0f)));
}

DEVICE const StepHeader* header(const u8* step) { return (const StepHeader*)step; }
DEVICE const int* step_ints(const u8* step, int at) { return (const int*)(step + at); }
