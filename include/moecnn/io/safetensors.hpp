#pragma once
/// \file
/// Safetensors files: read, write, compare with a network.

#include "moecnn/io/match_keys.hpp"
#include "moecnn/io/tensor_file.hpp"
#include "moecnn/io/tensor_writer.hpp"
