#pragma once
/// \file
/// Results that are those of other programs to the last bit.

/// Stands in front of a function in which every product and every sum is rounded by itself, also where the CPU has an
/// instruction for both. GCC would use that for `a * b + c` even if the product has a name of its own; Clang does so within
/// one expression only, so such a function has one operation per statement. GCC's attribute is about the function that it
/// stands at and what is inlined there: not about lambdas in it, and not about loops that OpenMP takes out of it.
#if defined(__GNUC__) && !defined(__clang__)
#define MOECNN_SEPARATE_ROUNDING __attribute__((optimize("fp-contract=off")))
#else
#define MOECNN_SEPARATE_ROUNDING
#endif
