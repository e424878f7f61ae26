#include "networks.hpp"

#include <moecnn/zoo/erfnet.hpp>

moecnn::AnyNet segmentation::erfnet(const NetOptions& o) { return with_mixtures<ERFNet>(o); }
