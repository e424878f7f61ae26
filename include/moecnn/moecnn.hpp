#pragma once
/// \file
/// Everything except the backends. A program that runs networks includes the one it wants as well:
/// moecnn/backend/default.hpp, moecnn/backend/onednn.hpp or moecnn/backend/reference.hpp. Semantic
/// segmentation is apart as well: its networks are in moecnn/zoo/, its data in moecnn/data/segmentation_loader.hpp, its
/// metrics and report in moecnn/report/segmentation_report.hpp.

#include "moecnn/analysis/predictions.hpp"
#include "moecnn/analysis/specialisation.hpp"
#include "moecnn/data/bdd100k.hpp"
#include "moecnn/data/camvid.hpp"
#include "moecnn/data/cifar100.hpp"
#include "moecnn/data/cityscapes.hpp"
#include "moecnn/data/loader.hpp"
#include "moecnn/data/synthetic.hpp"
#include "moecnn/io/safetensors.hpp"
#include "moecnn/layer/basic_block.hpp"
#include "moecnn/layer/batch_norm.hpp"
#include "moecnn/layer/conv.hpp"
#include "moecnn/layer/conv_transpose.hpp"
#include "moecnn/layer/linear.hpp"
#include "moecnn/layer/prelu.hpp"
#include "moecnn/model/model.hpp"
#include "moecnn/moe/expert.hpp"
#include "moecnn/moe/gate_any.hpp"
#include "moecnn/moe/moe.hpp"
#include "moecnn/moe/patch_moe.hpp"
#include "moecnn/moe/res_block_moe.hpp"
#include "moecnn/moe/stats.hpp"
#include "moecnn/report/training_report.hpp"
#include "moecnn/train/trainer.hpp"
#include "moecnn/version.hpp"
#include "moecnn/zoo/cifar_moe.hpp"
#include "moecnn/zoo/resnet.hpp"
