#pragma once
/// \file
/// Decides where the bodies of functions are compiled. By default they come with their headers, inline. A project of
/// several files or programs compiles them once: one file defines MOECNN_HOLDS_KERNELS and includes everything, and all
/// others define MOECNN_SHARED_KERNELS and see declarations. Two files may share the work: one defines
/// MOECNN_HOLDS_BACKENDS, the other MOECNN_HOLDS_TRAINING. CMake's moecnn_add_kernels() does all of this.
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
