#include "networks.hpp"

#include <moecnn/zoo/resnet.hpp>

moecnn::AnyNet detection_program::retinanet_resnet18(const NetOptions& o) { return with_classes<ResNet18<>>(o); }
