// The permutation that PyTorch's randperm draws on the CPU from a seed: official splits were made by it.

const SIZE = 624;
const SHIFT = 397;

/** MT19937 (Matsumoto and Nishimura, 1998), begun by init_genrand. */
function* mersenneTwister(seed: number): Generator<number, never, undefined> {
  const state = new Uint32Array(SIZE);
  state[0] = seed;
  for (let i = 1; i < SIZE; i++) {
    const before = state[i - 1] ^ (state[i - 1] >>> 30);
    state[i] = Math.imul(1812433253, before) + i;
  }
  for (;;) {
    for (let i = 0; i < SIZE; i++) {
      const y = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
      state[i] = state[(i + SHIFT) % SIZE] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    for (let y of state) {
      y ^= y >>> 11;
      y ^= (y << 7) & 0x9d2c5680;
      y ^= (y << 15) & 0xefc60000;
      yield (y ^ (y >>> 18)) >>> 0;
    }
  }
}

/** torch.randperm(count) after torch.manual_seed(seed), seeds below 2^32. */
export function torchPermutation(count: number, seed: number): number[] {
  const numbers = mersenneTwister(seed);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < count - 1; i++) {
    const j = i + (numbers.next().value % (count - i));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
