#pragma once
/// \file
/// MOECNN_SHARED in front of `class X<float>;` or of a function says that a template is compiled once for a program: in
/// the file that defines MOECNN_HOLDS_KERNELS. The others only learn that it is there.

#ifdef MOECNN_HOLDS_KERNELS
#define MOECNN_SHARED template
#else
#define MOECNN_SHARED extern template
#endif
