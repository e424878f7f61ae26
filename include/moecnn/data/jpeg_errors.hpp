#pragma once
/// \file
/// Errors of libjpeg.

#include <cstdio>  // jpeglib.h wants it first

#include <jpeglib.h>

#include <csetjmp>

namespace moecnn::data::detail {

/// libjpeg reports errors by a function that must not return: ours leaves by longjmp, which runs no destructors. So a
/// function that calls libjpeg begins with `if (setjmp(errors.back)) return false;`, has only plain locals, and `reason`
/// then says why.
struct JpegErrors {
  jpeg_error_mgr manager;  ///< first: libjpeg knows only this
  std::jmp_buf back;
  char reason[JMSG_LENGTH_MAX];

  /// For `err` of a jpeg_compress_struct or jpeg_decompress_struct. Nothing is printed.
  jpeg_error_mgr* prepare() {
    jpeg_std_error(&manager);
    manager.error_exit = failed;
    manager.output_message = [](j_common_ptr) {};
    return &manager;
  }

  [[noreturn]] static void failed(j_common_ptr jpeg) {
    JpegErrors& errors = *reinterpret_cast<JpegErrors*>(jpeg->err);
    jpeg->err->format_message(jpeg, errors.reason);
    std::longjmp(errors.back, 1);
  }
};

}  // namespace moecnn::data::detail
