"""The counter-based random numbers of include/moecnn/core/rng.hpp, vectorised with numpy, and the fill rule.

Fixtures cannot hold a ResNet's weights, so both sides compute them: a parameter's value is a function of the seed,
of its name and of the element's index. `python counter_rng.py` prints a few values to compare with the C++ side.
"""

import math

import numpy as np

PURPOSES = ("init", "shuffle", "augment", "gate_noise", "dropout", "synthetic", "other", "random_gate")  # numbered from 1
PURPOSE = {name: i + 1 for i, name in enumerate(PURPOSES)}

M32 = 0xFFFFFFFF
M64 = 0xFFFFFFFFFFFFFFFF


def hash_name(name):
    """FNV-1a, 64 bit."""
    h = 14695981039346656037
    for byte in name.encode():
        h = ((h ^ byte) * 1099511628211) & M64
    return h


class Rng:
    """Rng(seed, purpose, stream) of the library; every method takes an array of indices."""

    def __init__(self, seed, purpose, stream=0):
        p = PURPOSE[purpose]
        self.key = (
            (seed & M32) ^ ((stream >> 32) * 0x85EBCA6B & M32),
            (seed >> 32 & M32) ^ (p * 0x9E3779B1 & M32),
        )
        self.stream = stream & M32

    def words(self, index, lane=0):
        """Four uint64 arrays, each holding 32-bit words."""
        index = np.atleast_1d(np.asarray(index, dtype=np.uint64))
        low, shift = np.uint64(M32), np.uint64(32)
        c0, c1 = index & low, index >> shift
        c2, c3 = np.full_like(index, lane), np.full_like(index, self.stream)
        k0, k1 = self.key
        for _ in range(10):
            a = np.uint64(0xD2511F53) * c0
            b = np.uint64(0xCD9E8D57) * c2
            c0, c1, c2, c3 = (
                (b >> shift) ^ c1 ^ np.uint64(k0),
                b & low,
                (a >> shift) ^ c3 ^ np.uint64(k1),
                a & low,
            )
            k0, k1 = (k0 + 0x9E3779B9) & M32, (k1 + 0xBB67AE85) & M32
        return c0, c1, c2, c3

    @staticmethod
    def _to_unit(high, low):
        return (((high << np.uint64(32)) | low) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def uniform(self, index, lane=0):
        """Doubles in [0, 1)."""
        w = self.words(index, lane)
        return self._to_unit(w[0], w[1])

    def signed_uniforms(self, count):
        """2u - 1 for the indices 0 … count - 1, worked off in pieces that stay in cache."""
        out = np.empty(count)
        for start in range(0, count, 1 << 16):
            stop = min(count, start + (1 << 16))
            out[start:stop] = 2.0 * self.uniform(np.arange(start, stop, dtype=np.uint64)) - 1.0
        return out

    def below(self, n, index, lane=0):
        """Integers in [0, n)."""
        w = self.words(index, lane)
        return np.array([((int(h) << 32 | int(l)) * n) >> 64 for h, l in zip(w[0], w[1])], dtype=np.int64)

    def normal(self, index, lane=0):
        """Standard normal numbers (Box-Muller)."""
        w = self.words(index, lane)
        u = 1.0 - self._to_unit(w[0], w[1])
        v = self._to_unit(w[2], w[3])
        return np.sqrt(-2.0 * np.log(u)) * np.cos(6.283185307179586476925 * v)


def fill(name, shape, seed):
    """Value of parameter or buffer `name`, computed in double and rounded to float32 once.

    With s = 2u - 1 and u = Rng(seed, Purpose::other, hash_name(name)).uniform(i), i the index in row-major order:
      running_mean           0.1 s
      running_var            1 + 0.2 s
      bias                   0.1 s
      weight, one dimension  1 + 0.2 s          (a batch norm)
      weight, more           sqrt(6 / fan_in) s (fan_in = product of shape[1:])
    """
    s = Rng(seed, "other", hash_name(name)).signed_uniforms(math.prod(shape)).reshape(shape)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_mean" or leaf == "bias":
        value = 0.1 * s
    elif leaf == "running_var" or (leaf == "weight" and len(shape) == 1):
        value = 1.0 + 0.2 * s
    elif leaf == "weight":
        value = math.sqrt(6.0 / math.prod(shape[1:])) * s
    else:
        raise ValueError(f"no fill rule for '{name}' of shape {tuple(shape)}")
    return value.astype(np.float32)


def main():
    rng = Rng(7, "other", hash_name("layer1.0.conv1.weight"))
    print("hash_name(layer1.0.conv1.weight) =", hash_name("layer1.0.conv1.weight"))
    big = (1 << 33) + 5
    for i in (0, 1, 2, big):
        print(f"index {i}: uniform {rng.uniform(i)[0]:.17g} normal {rng.normal(i)[0]:.17g}",
              f"below(100) {rng.below(100, i)[0]} lane 3 {rng.uniform(i, 3)[0]:.17g}")


if __name__ == "__main__":
    main()
