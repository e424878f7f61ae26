#include "networks.hpp"

#include <moecnn/zoo/deeplabv3plus.hpp>

moecnn::AnyNet segmentation::deeplabv3plus(const NetOptions& o) { return with_mixtures<DeepLabV3Plus>(o); }
