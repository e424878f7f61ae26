#pragma once
/// \file
/// Two ways to write a colour: red, green, blue.

#include <array>
#include <cstdint>

namespace moecnn::data {

using Colour = std::array<float, 3>;      ///< from 0 to 1
using Rgb = std::array<std::uint8_t, 3>;  ///< from 0 to 255

}  // namespace moecnn::data
