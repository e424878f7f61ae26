#pragma once
/// \file
/// Where the bodies of functions are compiled. Without CMake or macros all bodies come with their
/// headers, inline. Programs of several files, or of many, compile them once: one file defines MOECNN_HOLDS_KERNELS, or
/// for two compilers at once one defines MOECNN_HOLDS_BACKENDS and one MOECNN_HOLDS_TRAINING, and includes everything; all
/// others define MOECNN_SHARED_KERNELS and see declarations. CMake's moecnn_add_kernels() does that.
///
/// A header x.hpp whose bodies are worth it declares its functions, has the bodies in x_impl.hpp with MOECNN_BODY in front
/// of each, and includes that file at its end `#if MOECNN_BODIES`; backends have kernels, and `#if MOECNN_KERNEL_BODIES`.

#if defined(MOECNN_HOLDS_KERNELS)
#define MOECNN_BODIES 1
#define MOECNN_KERNEL_BODIES 1
#define MOECNN_BODY
#elif defined(MOECNN_HOLDS_BACKENDS)
#define MOECNN_BODIES 0
#define MOECNN_KERNEL_BODIES 1
#define MOECNN_BODY
#elif defined(MOECNN_HOLDS_TRAINING)
#define MOECNN_BODIES 1
#define MOECNN_KERNEL_BODIES 0
#define MOECNN_BODY
#elif defined(MOECNN_SHARED_KERNELS)
#define MOECNN_BODIES 0
#define MOECNN_KERNEL_BODIES 0
#define MOECNN_BODY
#else
#define MOECNN_BODIES 1
#define MOECNN_KERNEL_BODIES 1
#define MOECNN_BODY inline
#endif
