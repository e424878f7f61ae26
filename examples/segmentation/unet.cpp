#include "networks.hpp"

#include <moecnn/zoo/unet.hpp>

moecnn::AnyNet segmentation::unet(const NetOptions& o) { return with_mixtures<UNet>(o); }
